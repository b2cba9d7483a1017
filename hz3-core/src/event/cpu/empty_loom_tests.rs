//! Every order in which threads can meet at the slots of processors, within loom's model of memory.
//!
//! Loom has no processors, and does not interrupt threads. So the kernel's part is a model: see [`Cpu`]. The sequences are what
//! [`sequence`](crate::sequence) has in assembler, said once more. All else is the allocator's own: what events do to a
//! slot ([`CpuSlot`]), and emptying ([`cut_all`]).

use super::{Place, cut_all};
use crate::statics::CpuSlot;
use crate::statics::cpu_slot::{parts, word};
use crate::statics::rows::Rows;
use crate::sync::loom_tests::explore;
use crate::sync::{AtomicU8, AtomicUsize, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::vec::Vec;

/// A processor with one slot.
///
/// What the kernel promises of sequences: one that began comes to its commit only if nothing interrupted the thread meanwhile. Here
/// `interrupts` counts whatever interrupts whoever runs there: another thread's sequence begins, the kernel is asked to restart
/// sequences, or the thread moves. Its lock is the kernel's: whoever is interrupted sees what was written before, and a commit is at
/// one moment with the question whether it may be.
struct Cpu {
    interrupts: Mutex<usize>,
    stop: AtomicU8,
    slot: CpuSlot,
}

impl Cpu {
    fn interrupt(&self) -> usize {
        let mut interrupts = self.interrupts.lock().unwrap();
        *interrupts += 1;
        *interrupts
    }

    /// One attempt at a sequence: `body` reads, and says which word to commit and what comes of it; or what comes of it without a
    /// commit. None if it was interrupted.
    fn attempt<R>(&self, body: impl Fn(&Cpu) -> Result<(u64, R), R>) -> Option<R> {
        let began = self.interrupt();
        match body(self) {
            // Without a commit it is left, whatever happened meanwhile.
            Err(result) => Some(result),
            Ok((word, result)) => {
                let interrupts = self.interrupts.lock().unwrap();
                (*interrupts == began).then(|| {
                    // A plain store of x86-64. To loom it is an exchange, as loom knows no order of two stores to the same word of
                    // which neither thread has seen the other's, and lets a third one read the older.
                    self.slot.word.swap(word, Ordering::Release);
                    result
                })
            }
        }
    }
}

/// Processors, and objects 1, 2, …, each with a link and memory that is its owner's.
struct Machine {
    cpus: Vec<Cpu>,
    links: Vec<AtomicUsize>,
    memory: Vec<UnsafeCell<()>>,
}

// SAFETY: an object's memory is its owner's; that there is one at a time is what the tests prove.
unsafe impl Sync for Machine {}
// SAFETY: as above.
unsafe impl Send for Machine {}

fn pointer(object: usize) -> *mut u8 {
    core::ptr::without_provenance_mut(object)
}

impl Machine {
    /// Slots for `cap` objects, of which the first one has `objects`.
    fn new(cpus: usize, cap: u16, objects: usize) -> Arc<Machine> {
        let machine = Machine {
            cpus: (0..cpus)
                .map(|_| Cpu {
                    interrupts: Mutex::new(0),
                    stop: AtomicU8::new(0),
                    slot: CpuSlot::closed(),
                })
                .collect(),
            links: (0..=objects).map(|_| AtomicUsize::new(0)).collect(),
            memory: (0..=objects).map(|_| UnsafeCell::new(())).collect(),
        };
        for cpu in &machine.cpus {
            if cap > 0 {
                assert!(cpu.slot.open(cap));
            }
        }
        for object in 1..=objects {
            assert!(machine.push(&[0], object));
        }
        Arc::new(machine)
    }

    /// A sequence, first on the first of these processors: whenever it is interrupted there it goes on on the next one.
    fn sequence<R>(&self, cpus: &[usize], body: impl Fn(&Cpu) -> Result<(u64, R), R>) -> (usize, R) {
        for cpu in cpus.iter().chain(core::iter::repeat(cpus.last().unwrap())) {
            if let Some(result) = self.cpus[*cpu].attempt(&body) {
                return (*cpu, result);
            }
        }
        unreachable!("the chain has no end");
    }

    /// `__cpu_pop`.
    fn pop(&self, cpus: &[usize]) -> Option<usize> {
        let (_, object) = self.sequence(cpus, |cpu| {
            let read = cpu.slot.word.load(Ordering::Acquire);
            let (head, room) = parts(read);
            if head.is_null() {
                return Err(0);
            }
            let next = self.links[head.addr()].load(Ordering::Relaxed);
            Ok((word(pointer(next), room + 1), head.addr()))
        });
        (object != 0).then(|| {
            self.own(object);
            object
        })
    }

    /// `__cpu_push`. False if there is no room.
    fn push(&self, cpus: &[usize], object: usize) -> bool {
        self.own(object);
        let (_, done) = self.sequence(cpus, |cpu| {
            let read = cpu.slot.word.load(Ordering::Acquire);
            let (head, room) = parts(read);
            if room == 0 {
                return Err(false);
            }
            self.links[object].store(head.addr(), Ordering::Relaxed);
            Ok((word(pointer(object), room - 1), true))
        });
        done
    }

    /// `__cpu_take`, and what an event makes of it: the slot and its objects. None if another has them, or nobody may.
    fn take(&self, cpus: &[usize]) -> Option<(&CpuSlot, Vec<usize>)> {
        let (cpu, read) = self.sequence(cpus, |cpu| {
            if cpu.stop.load(Ordering::Relaxed) != 0 {
                return Err(0);
            }
            match cpu.slot.word.load(Ordering::Acquire) {
                0 => Err(0),
                word => Ok((0, word)),
            }
        });
        (read != 0).then(|| (&self.cpus[cpu].slot, self.list(&self.cpus[cpu].slot, read)))
    }

    /// An event puts objects back.
    fn put(&self, slot: &CpuSlot, objects: &[usize]) {
        let mut head = 0;
        for object in objects {
            self.own(*object);
            self.links[*object].store(head, Ordering::Relaxed);
            head = *object;
        }
        slot.put(pointer(head), objects.len() as u32);
    }

    /// The objects of a list that was taken: as many as the word and the slot say.
    fn list(&self, slot: &CpuSlot, word: u64) -> Vec<usize> {
        let (head, room) = parts(word);
        let mut objects = Vec::new();
        let mut at = head.addr();
        while at != 0 {
            self.own(at);
            objects.push(at);
            at = self.links[at].load(Ordering::Relaxed);
        }
        assert_eq!(
            objects.len() as u32,
            u32::from(slot.cap()) - room,
            "room and length are cap together"
        );
        objects
    }

    /// Whoever has an object writes in it.
    fn own(&self, object: usize) {
        // SAFETY: it is the caller's; loom reports two who think so.
        self.memory[object].with_mut(|_| ());
    }

    /// The kernel ends all sequences, one processor after the other.
    fn restart(&self) -> bool {
        for cpu in &self.cpus {
            cpu.interrupt();
        }
        true
    }

    /// Empties all slots. Returns the objects.
    fn empty(&self, stop: impl Fn(u8), restart: impl Fn() -> bool) -> Vec<usize> {
        let mut words: Vec<u64> = self.cpus.iter().map(|_| 0).collect();
        let words = words.as_mut_ptr();
        let mut found = Vec::new();
        let places = || {
            self.cpus.iter().enumerate().map(move |(n, cpu)| {
                let place = Place {
                    slot: &cpu.slot,
                    remembered: words.wrapping_add(n),
                    offset: 0,
                };
                (place, ())
            })
        };
        // SAFETY: the words are this function's; one thread of a test calls it.
        unsafe {
            cut_all(places, stop, restart, |place, ()| {
                found.extend(self.list(place.slot, *place.remembered));
                place.slot.put(core::ptr::null_mut(), 0);
            });
        }
        found
    }

    fn stop(&self, value: u8) {
        for cpu in &self.cpus {
            cpu.stop.store(value, Ordering::SeqCst);
        }
    }

    fn empty_all(&self) -> Vec<usize> {
        self.empty(|value| self.stop(value), || self.restart())
    }

    /// When all is quiet, all objects are there once: in slots, or in `had`.
    fn has_all(&self, mut had: Vec<usize>) {
        for n in 0..self.cpus.len() {
            had.extend(self.take(&[n]).expect("an open slot").1);
        }
        had.sort_unstable();
        let all: Vec<usize> = (1..self.memory.len()).collect();
        assert_eq!(had, all);
    }
}

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
