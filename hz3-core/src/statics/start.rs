//! How far a process has come.

use crate::sync::{AtomicU32, Lock, Ordering, const_but_in_models};

/// `Start::stage` of a process with an arena.
const STARTED: u32 = 1;

/// How far the process has come. All zero at the beginning.
pub struct Start {
    /// Held by the thread that starts the process. Taken before all others.
    pub lock: Lock,
    /// The process of that thread; 0 if there is none.
    starter: AtomicU32,
    stage: AtomicU32,
    registered: AtomicU32,
}

impl Start {
    const_but_in_models! {
        /// Nothing has happened yet.
        pub fn new() -> Self {
            Start {
                lock: Lock::new(),
                starter: AtomicU32::new(0),
                stage: AtomicU32::new(0),
                registered: AtomicU32::new(0),
            }
        }
    }

    /// Whether the process has started. Whoever sees that sees all that was done for it.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.stage.load(Ordering::Acquire) == STARTED
    }

    /// Whether the caller is the first to ask.
    pub(crate) fn registers(&self) -> bool {
        self.registered.swap(1, Ordering::Relaxed) == 0
    }

    /// Starts the process by `begin`, unless it has started; see [`alone`](Self::alone).
    pub(crate) fn once(&self, process: u32, anew: impl FnOnce(), begin: impl FnOnce()) {
        self.alone(process, anew, || {
            if !self.is_done() {
                begin();
                self.stage.store(STARTED, Ordering::Release);
            }
        });
    }

    /// Runs `f`, which is a part of the process's start, under the lock of that. `process` is this process's number.
    ///
    /// This may be a copy of a process that was forked without our handlers: whoever was starting it is not here, and may have
    /// left anything half done. Then `anew` is called first, by one thread, while all others wait: it makes whatever `f` uses
    /// what it is before a start.
    pub(crate) fn alone(&self, process: u32, anew: impl FnOnce(), f: impl FnOnce()) {
        let starter = self.starter.load(Ordering::Relaxed);
        let change = |from, to| {
            self.starter
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if starter != 0 && starter != process && change(starter, process) {
            // Whoever was starting it held the lock.
            anew();
            self.lock.renew();
        }
        let _guard = self.lock.lock();
        self.starter.store(process, Ordering::Relaxed);
        f();
        self.starter.store(0, Ordering::Relaxed);
    }

    /// What is left of a start in a copy of that process, which was forked without our handlers.
    #[cfg(all(test, loom))]
    pub(super) fn leave_half_done(&self, process: u32) {
        self.lock.acquire();
        self.starter.store(process, Ordering::Relaxed);
    }
}
