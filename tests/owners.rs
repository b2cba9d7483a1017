//! What is left of an owner whose threads have all ended: its runs with objects of the program's, and nothing else.

mod common;

use hz3::core::abi::{c, introspect};
use hz3::core::list::BatchWord;
use hz3::core::sync::Ordering;
use hz3::core::{Shared, Variant};
use hz3_config::Plan;
use hz3_config::plan::PAGE;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

hz3::variant!(TenantsBank = "tests/fixtures/tenants-bank.toml");
hz3::variant!(TenantsRing = "tests/fixtures/tenants-ring.toml");
hz3::variant!(NodesRing = "tests/fixtures/nodes-ring.toml");

/// An object that nobody else has.
struct Object {
    p: *mut u8,
    size: usize,
}

// SAFETY: see above.
unsafe impl Send for Object {}

impl Object {
    fn new<V: GlobalAlloc>(v: &V, size: usize) -> Object {
        // SAFETY: the layout is not empty.
        let p = unsafe { v.alloc(layout(size)) };
        assert!(!p.is_null(), "no memory for {size} bytes");
        Object { p, size }
    }

    fn free<V: GlobalAlloc>(self, v: &V) {
        // SAFETY: the object was made by `new`, and is given away here.
        unsafe { v.dealloc(self.p, layout(self.size)) }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// What waits for the owners from `first` on: bytes in their depots, and their empty runs.
fn waiting<V: Variant>(first: usize) -> (u64, u32) {
    let (mut bytes, mut runs) = (0, 0);
    for pool in first * V::CLASSES..V::SHARDS * V::CLASSES {
        let size = u64::from(V::classes()[pool % V::CLASSES].size);
        // SAFETY: `pool` is a pool's number.
        for word in unsafe { V::shared().depot(pool) } {
            bytes += u64::from(BatchWord(word.load(Ordering::Relaxed)).unpack().count) * size;
        }
        runs += V::shared().centrals()[pool].census().empty;
    }
    (bytes, runs)
}

/// Bytes of runs that the owners from `first` on have.
fn runs<V: Variant>(first: usize) -> u64 {
    (first * V::CLASSES..V::SHARDS * V::CLASSES)
        .map(|pool| {
            let pages = u64::from(V::classes()[pool % V::CLASSES].run_pages);
            u64::from(V::shared().centrals()[pool].census().runs) * pages * u64::from(PAGE)
        })
        .sum()
}

/// Most bytes that a thread keeps for owners without threads: a page of each class or one object, and a ring.
fn kept(plan: &Plan) -> u64 {
    let classes = plan.classes.iter().map(|class| u64::from(class.size.max(PAGE)));
    let ring = u64::from(plan.policy.ownership.ring) * plan.classes.last().map_or(0, |class| u64::from(class.size));
    (u64::from(plan.ownership.shards) - 1) * classes.sum::<u64>() + ring
}

/// Threads of all owners but the first. Each makes objects of each class and frees as many again, hands those of every
/// second class over, frees the others, and ends when it is let go.
struct Tenants {
    threads: Vec<JoinHandle<()>>,
    leave: Vec<Sender<()>>,
    objects: Vec<Object>,
}

impl Tenants {
    fn new<V: Variant + GlobalAlloc + Sync>(v: &'static V, n: usize) -> Tenants {
        let mut all = Tenants {
            threads: Vec::new(),
            leave: Vec::new(),
            objects: Vec::new(),
        };
        let (out, objects) = channel();
        for _ in 1..V::SHARDS {
            let (out, (leave, left)) = (out.clone(), channel());
            all.leave.push(leave);
            all.threads.push(thread::spawn(move || {
                for (id, class) in V::classes().iter().enumerate() {
                    let make = || Object::new(v, class.size as usize);
                    let (kept, freed): (Vec<Object>, Vec<Object>) = (0..n).map(|_| (make(), make())).unzip();
                    freed.into_iter().for_each(|o| o.free(v));
                    for object in kept {
                        if id % 2 == 0 {
                            out.send(object).expect("the test waits for objects");
                        } else {
                            object.free(v);
                        }
                    }
                }
                drop(out);
                assert!(left.recv().is_err(), "nothing is ever sent");
            }));
        }
        drop(out);
        all.objects.extend(objects);
        all
    }

    /// Ends the threads. Their objects stay.
    fn end(self) -> Vec<Object> {
        drop(self.leave);
        for thread in self.threads {
            thread.join().expect("a thread");
        }
        self.objects
    }
}

fn free_all<V: GlobalAlloc>(v: &V, objects: &mut Vec<Object>) {
    objects.drain(..).for_each(|o| o.free(v));
}

/// Owners die before their objects do.
fn objects_outlive_owners<V: Variant + GlobalAlloc + Sync>(v: &'static V, file: &str) {
    let plan = common::plan(file);
    for round in 0..3 {
        let mut objects = Tenants::new(v, 70).end();
        assert_eq!(introspect::totals::<V>().threads, 1, "{file}: only this thread is left");
        assert_eq!(
            waiting::<V>(1),
            (0, 0),
            "{file}: bytes in depots, and empty runs, of the dead"
        );
        assert!(runs::<V>(1) > 0, "{file}: objects of the dead are in runs of theirs");
        // Another owner's thread frees what they left, for which nobody will come.
        free_all(v, &mut objects);
        assert_eq!(waiting::<V>(1), (0, 0), "{file}: nothing may wait for the dead");
        let (live, most) = (introspect::totals::<V>().live(), kept(&plan));
        assert!(
            live <= most,
            "{file}: this thread keeps {live} bytes for the dead, more than {most}"
        );
        // SAFETY: an event of this thread.
        unsafe { c::trim::<V>(0) };
        assert_eq!(
            introspect::totals::<V>().live(),
            0,
            "{file}: everything was freed in round {round}"
        );
        assert_eq!(
            runs::<V>(1),
            0,
            "{file}: the dead have no object out, so they have no runs"
        );
    }
}

/// Objects are freed while their owners live, and are on their way when these die.
fn owners_die_while_objects_are_on_their_way<V: Variant + GlobalAlloc + Sync>(v: &'static V, file: &str) {
    let mut tenants = Tenants::new(v, 70);
    free_all(v, &mut tenants.objects);
    assert!(
        introspect::totals::<V>().live() > 0,
        "{file}: this thread keeps something for the living"
    );
    tenants.end();
    assert_eq!(
        waiting::<V>(1),
        (0, 0),
        "{file}: bytes in depots, and empty runs, of the dead"
    );
    // Any event will do: here a class of this thread's own is refilled and overflows.
    let mut own: Vec<Object> = (0..2000).map(|_| Object::new(v, 16)).collect();
    free_all(v, &mut own);
    assert_eq!(
        introspect::totals::<V>().live(),
        0,
        "{file}: this thread still keeps objects of the dead"
    );
    assert_eq!(
        runs::<V>(1),
        0,
        "{file}: the dead have no object out, so they have no runs"
    );
}

fn all<V: Variant + GlobalAlloc + Sync>(v: &'static V, file: &str) {
    // The first owner is this thread's, which stays.
    Object::new(v, 100).free(v);
    objects_outlive_owners(v, file);
    owners_die_while_objects_are_on_their_way(v, file);
}

#[test]
fn nothing_waits_for_owners_without_threads_behind_a_bank() {
    all(&TenantsBank, "tests/fixtures/tenants-bank.toml");
}

#[test]
fn nothing_waits_for_owners_without_threads_behind_a_ring() {
    all(&TenantsRing, "tests/fixtures/tenants-ring.toml");
}

/// Threads become owners of the node that they run on, and of no other.
#[test]
fn owners_of_another_memory_node_get_no_threads() {
    if std::fs::read_to_string("/sys/devices/system/node/online").is_ok_and(|nodes| nodes.trim() != "0") {
        return; // Here a thread may run anywhere.
    }
    let mine: Vec<Object> = (0..500).map(|_| Object::new(&NodesRing, 48)).collect();
    // Three of other threads, which are joined by as many that are not there: all of the first node.
    let tenants = Tenants::new(&NodesRing, 70);
    let of_node = |first: usize| (first..first + 2).map(runs_of).collect::<Vec<u64>>();
    let (here, there) = (of_node(0), of_node(2));
    assert!(
        here.iter().all(|bytes| *bytes > 0),
        "owners of the first node have runs of {here:?} bytes"
    );
    assert_eq!(there, [0, 0], "bytes of runs of owners of the second node");
    for object in tenants.end().into_iter().chain(mine) {
        object.free(&NodesRing);
    }
}

/// Bytes of an owner's runs.
fn runs_of(owner: usize) -> u64 {
    runs::<NodesRing>(owner) - runs::<NodesRing>(owner + 1)
}
