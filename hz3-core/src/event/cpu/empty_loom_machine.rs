//! Processors as models have them.
//!
//! Loom has no processors, and does not interrupt threads. So the kernel's part is a model: see [`Cpu`]. The sequences are what
//! [`sequence`](crate::sequence) has in assembler, said once more. All else is the allocator's own: what events do to a
//! slot ([`CpuSlot`]), and emptying ([`cut_all`]).

use super::super::{Place, cut_all};
use crate::statics::CpuSlot;
use crate::statics::cpu_slot::{parts, word};
use crate::sync::{AtomicU8, AtomicUsize, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use std::vec::Vec;

/// A processor with one slot.
///
/// What the kernel promises of sequences: one that began comes to its commit only if nothing interrupted the thread meanwhile. Here
/// `interrupts` counts whatever interrupts whoever runs there: another thread's sequence begins, the kernel is asked to restart
/// sequences, or the thread moves. Its lock is the kernel's: whoever is interrupted sees what was written before, and a commit is at
/// one moment with the question whether it may be.
pub(super) struct Cpu {
    interrupts: Mutex<usize>,
    stop: AtomicU8,
    pub(super) slot: CpuSlot,
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
pub(super) struct Machine {
    pub(super) cpus: Vec<Cpu>,
    links: Vec<AtomicUsize>,
    memory: Vec<UnsafeCell<()>>,
}

// SAFETY: an object's memory is its owner's; that there is one at a time is what the tests prove.
unsafe impl Sync for Machine {}
// SAFETY: as above.
unsafe impl Send for Machine {}

pub(super) fn pointer(object: usize) -> *mut u8 {
    core::ptr::without_provenance_mut(object)
}

impl Machine {
    /// Slots for `cap` objects, of which the first one has `objects`.
    pub(super) fn new(cpus: usize, cap: u16, objects: usize) -> Arc<Machine> {
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
    pub(super) fn pop(&self, cpus: &[usize]) -> Option<usize> {
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
    pub(super) fn push(&self, cpus: &[usize], object: usize) -> bool {
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
    pub(super) fn take(&self, cpus: &[usize]) -> Option<(&CpuSlot, Vec<usize>)> {
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
    pub(super) fn put(&self, slot: &CpuSlot, objects: &[usize]) {
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
    pub(super) fn restart(&self) -> bool {
        for cpu in &self.cpus {
            cpu.interrupt();
        }
        true
    }

    /// Empties all slots. Returns the objects.
    pub(super) fn empty(&self, stop: impl Fn(u8), restart: impl Fn() -> bool) -> Vec<usize> {
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

    pub(super) fn stop(&self, value: u8) {
        for cpu in &self.cpus {
            cpu.stop.store(value, Ordering::SeqCst);
        }
    }

    pub(super) fn empty_all(&self) -> Vec<usize> {
        self.empty(|value| self.stop(value), || self.restart())
    }

    /// When all is quiet, all objects are there once: in slots, or in `had`.
    pub(super) fn has_all(&self, mut had: Vec<usize>) {
        for n in 0..self.cpus.len() {
            had.extend(self.take(&[n]).expect("an open slot").1);
        }
        had.sort_unstable();
        let all: Vec<usize> = (1..self.memory.len()).collect();
        assert_eq!(had, all);
    }
}
