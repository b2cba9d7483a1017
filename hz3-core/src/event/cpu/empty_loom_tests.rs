//! Every order in which threads can meet at the slots of processors, within loom's model of memory.

#[path = "empty_loom_machine.rs"]
mod machine;

use crate::statics::rows::Rows;
use crate::sync::Ordering;
use crate::sync::explore::explore;
use loom::sync::Arc;
use loom::thread;
use machine::{Machine, pointer};
use std::vec::Vec;

/// Runs `other` in a second thread while the first one does `f`. Returns both answers.
fn beside<A, B: 'static>(
    machine: &Arc<Machine>,
    other: impl FnOnce(&Machine) -> B + 'static,
    f: impl FnOnce(&Machine) -> A,
) -> (A, B) {
    let theirs = {
        let machine = machine.clone();
        thread::spawn(move || other(&machine))
    };
    let mine = f(machine);
    (mine, theirs.join().unwrap())
}

/// Two threads of one processor allocate and free.
#[test]
fn two_threads_of_a_processor_share_a_slot() {
    explore(Some(5), || {
        let machine = Machine::new(1, 3, 2);
        let work = |machine: &Machine| {
            let object = machine.pop(&[0]).expect("two threads, and two objects");
            assert!(machine.push(&[0], object));
        };
        beside(&machine, work, work);
        machine.has_all(Vec::new());
    });
}

/// One of two threads of a processor has an event that takes the list, makes it longer or shorter, and puts it back.
#[test]
fn a_list_that_was_taken_is_one_threads() {
    for to in [1, 4] {
        explore(Some(5), move || {
            let machine = Machine::new(1, 2, 2);
            let (kept, left) = beside(
                &machine,
                |machine| {
                    let object = machine.pop(&[0])?;
                    // Without room it stays with this thread.
                    (!machine.push(&[0], object)).then_some(object)
                },
                |machine| {
                    let (slot, mut objects) = machine.take(&[0]).expect("nobody else takes the list");
                    slot.set_cap(to);
                    let left = objects.split_off(objects.len().min(usize::from(to)));
                    machine.put(slot, &objects);
                    left
                },
            );
            machine.has_all(left.into_iter().chain(kept).collect());
        });
    }
}

/// Two events want the same list: one gets it, or one after the other.
#[test]
fn two_events_do_not_take_the_same_list() {
    explore(Some(5), || {
        let machine = Machine::new(1, 2, 2);
        let event = |machine: &Machine| {
            if let Some((slot, objects)) = machine.take(&[0]) {
                machine.put(slot, &objects);
            }
        };
        beside(&machine, event, event);
        machine.has_all(Vec::new());
    });
}

/// Another processor's list is cut off while a thread there allocates and frees, and moves where it is interrupted.
#[test]
fn a_list_that_is_cut_off_has_one_owner() {
    for to in [0, 1] {
        explore(Some(5), move || {
            let machine = Machine::new(2, 3, 2);
            let (kept, mut found) = beside(&machine, Machine::empty_all, |machine| {
                let object = machine.pop(&[0, to])?;
                (!machine.push(&[0, to], object)).then_some(object)
            });
            found.extend(kept);
            machine.has_all(found);
        });
    }
}

/// The same while an event there takes the list and makes it longer.
#[test]
fn emptying_and_an_event_do_not_take_the_same_list() {
    explore(Some(5), || {
        let machine = Machine::new(1, 2, 2);
        let ((), found) = beside(&machine, Machine::empty_all, |machine| {
            if let Some((slot, objects)) = machine.take(&[0]) {
                slot.set_cap(4);
                machine.put(slot, &objects);
            }
        });
        machine.has_all(found);
    });
}

/// The same with three: one empties, one allocates, and an event takes the list.
#[test]
fn emptying_an_event_and_a_path_do_not_take_the_same_list() {
    explore(Some(4), || {
        let machine = Machine::new(1, 2, 2);
        let third = {
            let machine = machine.clone();
            thread::spawn(move || machine.pop(&[0]))
        };
        let ((), mut found) = beside(&machine, Machine::empty_all, |machine| {
            if let Some((slot, objects)) = machine.take(&[0]) {
                machine.put(slot, &objects);
            }
        });
        found.extend(third.join().unwrap());
        machine.has_all(found);
    });
}

/// Two threads open a slot: one does, and whoever sees it open has room.
#[test]
fn a_slot_is_opened_once() {
    explore(None, || {
        let machine = Machine::new(1, 0, 0);
        let open = |machine: &Machine| machine.cpus[0].slot.open(2);
        let (mine, theirs) = beside(&machine, open, open);
        assert!(mine != theirs);
        let slot = &machine.cpus[0].slot;
        assert_eq!((slot.word.load(Ordering::Relaxed), slot.cap()), (2, 2));
    });
}

/// A slot is closed by an event, and opened again by another, while a third thread frees there.
#[test]
fn a_slot_may_be_closed_beside_a_path() {
    explore(Some(5), || {
        let machine = Machine::new(1, 2, 2);
        let (kept, objects) = beside(
            &machine,
            |machine| {
                let (slot, objects) = machine.take(&[0]).expect("nobody else takes the list");
                slot.set_cap(0);
                assert!(slot.open(2), "it is closed");
                objects
            },
            |machine| {
                let object = machine.pop(&[0])?;
                (!machine.push(&[0], object)).then_some(object)
            },
        );
        machine.has_all(objects.into_iter().chain(kept).collect());
    });
}

/// Whoever starts while it is found out where slots are has a row of its own, or finds all that belongs to the table.
#[test]
fn a_choice_is_seen_as_a_whole() {
    explore(None, || {
        let rows = Arc::new(Rows::new());
        let begins = {
            let rows = rows.clone();
            thread::spawn(move || rows.set(pointer(4096), 2, -24, -8))
        };
        if let Some((table, count)) = rows.table() {
            assert_eq!((table, count, rows.places()), (pointer(4096), 2, (-24, -8)));
        }
        begins.join().unwrap();
    });
}

/// Without the kernel's word that sequences are over there is an order in which an object has two owners: the model can tell.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_restarts_a_list_that_is_cut_off_may_have_two_owners() {
    explore(Some(5), || {
        let machine = Machine::new(1, 3, 2);
        let (kept, mut found) = beside(
            &machine,
            |machine| machine.empty(|value| machine.stop(value), || true),
            |machine| machine.pop(&[0]),
        );
        found.extend(kept);
        machine.has_all(found);
    });
}

/// The same where lists may be taken as a whole meanwhile.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_a_stop_a_list_that_is_cut_off_may_have_two_owners() {
    explore(Some(5), || {
        let machine = Machine::new(1, 2, 2);
        let ((), found) = beside(
            &machine,
            |machine| machine.empty(|_| (), || machine.restart()),
            |machine| {
                if let Some((slot, objects)) = machine.take(&[0]) {
                    machine.put(slot, &objects);
                }
            },
        );
        machine.has_all(found);
    });
}
