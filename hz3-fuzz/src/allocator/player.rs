//! Plays programs.

mod calls;
mod questions;

use super::entries::Entries;
use super::model::{Object, Owners};
use super::program::{Kind, Op, Program, SLOTS};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle, scope};

/// The most children that a program makes.
const FORKS: u32 = 3;

/// What an allocator promises beyond what the C standard does.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// hz3's own: `errno` is set where a call fails and left alone where not, and 16 bytes are the least alignment.
    pub strict: bool,
    /// No request that fits into what programs may hold at a time fails.
    pub serves: bool,
}

impl Promise {
    /// That of any malloc.
    pub fn plain() -> Self {
        Self {
            strict: false,
            serves: true,
        }
    }

    /// That of a variant.
    pub fn of_variant() -> Self {
        Self {
            strict: true,
            serves: true,
        }
    }

    /// That of a variant whose arena may become full.
    pub fn limited() -> Self {
        Self {
            strict: true,
            serves: false,
        }
    }
}

/// What the threads of a program share.
struct World<'a> {
    entries: &'a Entries,
    promise: Promise,
    slots: Vec<Mutex<Option<Object>>>,
    owners: Owners,
    /// Bytes that were asked for and not given back.
    live: AtomicUsize,
    seeds: AtomicU32,
    forks: AtomicU32,
    /// Whether one thread acts at a time.
    in_turn: bool,
}

/// Plays a program, and frees everything that it leaves.
///
/// # Panics
///
/// If the allocator breaks a promise.
pub fn play(program: &Program, entries: &Entries, promise: Promise) {
    let world = World {
        entries,
        promise,
        slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
        owners: Owners::default(),
        live: AtomicUsize::new(0),
        seeds: AtomicU32::new(1),
        forks: AtomicU32::new(0),
        in_turn: !program.free,
    };
    let ends = program.ops.iter().any(|op| op.kind == Kind::ThreadEnds);
    if program.free {
        scope(|scope| together(scope, &world, program));
    } else if program.threads == 1 && !ends {
        program.ops.iter().for_each(|op| world.step(op));
    } else {
        scope(|scope| in_turn(scope, &world, program));
    }
    world.free_all();
    assert!(world.owners.is_empty(), "the model has objects that nobody holds");
}

impl World<'_> {
    fn slot(&self, at: usize) -> MutexGuard<'_, Option<Object>> {
        self.slots[at % SLOTS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free_all(&self) {
        for at in 0..SLOTS {
            if let Some(object) = self.slot(at).take() {
                self.release(object, at as u8);
            }
        }
    }

    /// One operation, on the thread that it is for.
    fn step(&self, op: &Op) {
        match op.kind {
            Kind::ThreadEnds => {}
            Kind::Fork => self.fork(),
            Kind::Trim | Kind::Info | Kind::Dump => self.ask(op),
            Kind::Churn => self.churn(op),
            _ => (0..op.count).for_each(|i| self.at_slot(op, &mut self.slot(op.slot + i))),
        }
    }

    /// A child sees what its parent saw, and can go on. Slots that another thread was about to change are nobody's there.
    fn fork(&self) {
        if self.forks.fetch_add(1, Relaxed) >= FORKS {
            return;
        }
        // SAFETY: the child calls the allocator, whose promise that is, and ends without running anything of this process's.
        match unsafe { libc::fork() } {
            0 => {
                self.as_child();
                // SAFETY: it ends the process.
                unsafe { libc::_exit(0) }
            }
            -1 => {}
            child => {
                let mut status = 0;
                // SAFETY: the child is this process's, and `status` can be written.
                while unsafe { libc::waitpid(child, &mut status, 0) } == -1 {}
                assert!(status == 0, "the child of a fork ended with status {status:#x}");
            }
        }
    }

    fn as_child(&self) {
        for (at, slot) in self.slots.iter().enumerate() {
            let Ok(mut slot) = slot.try_lock() else { continue };
            let Some(object) = *slot else { continue };
            // SAFETY: nobody is about to change it, so it is as it was written.
            unsafe { object.verify(object.at, object.size, "in a child") };
            if at % 3 == 0 {
                self.release_alone(object, at as u8);
                *slot = None;
            }
        }
        for n in 0..200usize {
            let size = n * n % 5000;
            // SAFETY: an allocation asks for nothing; the object is this function's.
            unsafe {
                let p = (self.entries.malloc)(size);
                assert!(!p.is_null() || !self.promise.serves, "malloc({size}) fails in a child");
                if !p.is_null() {
                    p.write_bytes(n as u8, size);
                    if n % 4 != 0 {
                        (self.entries.free)(p);
                    }
                }
            }
        }
        // What was not freed is as it was.
        for slot in &self.slots {
            if let Ok(slot) = slot.try_lock()
                && let Some(object) = *slot
            {
                // SAFETY: as above.
                unsafe { object.verify(object.at, object.size, "in a child that went on") };
            }
        }
    }
}

/// All threads at once. Where a thread ends, another one goes on with the rest of what it does.
fn together<'s>(scope: &'s Scope<'s, '_>, world: &'s World<'_>, program: &'s Program) {
    let threads: Vec<_> = (0..program.threads)
        .map(|number| {
            scope.spawn(move || {
                let own: Vec<&Op> = program.ops.iter().filter(|op| op.thread == number).collect();
                for part in own.split(|op| op.kind == Kind::ThreadEnds) {
                    let part = part.to_vec();
                    let life = scope.spawn(move || part.into_iter().for_each(|op| world.step(op)));
                    joined(life);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(joined);
}

fn joined(thread: ScopedJoinHandle<'_, ()>) {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// A thread that does what it is told, and says when it has.
struct Worker<'s> {
    tell: Sender<&'s [Op]>,
    done: Receiver<()>,
    thread: ScopedJoinHandle<'s, ()>,
}

impl<'s> Worker<'s> {
    fn start(scope: &'s Scope<'s, '_>, world: &'s World<'_>) -> Self {
        let (tell, told) = channel::<&'s [Op]>();
        let (say, done) = channel();
        let thread = scope.spawn(move || {
            for ops in told {
                ops.iter().for_each(|op| world.step(op));
                if say.send(()).is_err() {
                    return;
                }
            }
        });
        Self { tell, done, thread }
    }

    fn end(self) {
        drop(self.tell);
        joined(self.thread);
    }
}

/// One thread at a time, in the order of the program.
fn in_turn<'s>(scope: &'s Scope<'s, '_>, world: &'s World<'_>, program: &'s Program) {
    let mut workers: Vec<Option<Worker<'s>>> = (0..program.threads).map(|_| None).collect();
    for ops in program
        .ops
        .chunk_by(|a, b| a.thread == b.thread && b.kind != Kind::ThreadEnds)
    {
        let worker = &mut workers[ops[0].thread];
        if ops[0].kind == Kind::ThreadEnds
            && let Some(worker) = worker.take()
        {
            worker.end();
        }
        let active = worker.get_or_insert_with(|| Worker::start(scope, world));
        let done = active.tell.send(ops).is_ok() && active.done.recv().is_ok();
        if !done && let Some(worker) = worker.take() {
            // It panicked: so does this one.
            worker.end();
        }
    }
    workers.into_iter().flatten().for_each(Worker::end);
}
