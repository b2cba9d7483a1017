//! What a process knows of its helper thread.

use super::stage::{FORBIDDEN, NONE, REFUSED, Stage, THERE};
use crate::os::{self, Access};
use crate::sync::Gate;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Bytes of its stack. What it runs does not recurse, and its frames are small: it touches two pages.
pub(crate) const STACK: usize = 64 << 10;

/// What the process knows of its helper.
pub struct Helper {
    pub(crate) stage: Stage,
    /// Its number; the kernel makes it 0 when the thread has left its stack.
    pub(crate) number: AtomicU32,
    /// Not 0: it has to end at once. It sleeps on this word.
    dismissed: AtomicU32,
    /// Its stack, mapped for the first one and kept for those to come.
    pub(crate) stack: AtomicPtr<u8>,
    /// The process whose helper it is; 0 before the first look.
    pub(crate) process: AtomicU32,
    /// On whose behalf it acts.
    credentials: [AtomicU32; 4],
    /// What it goes through for a step.
    pub gate: Gate,
}

impl Helper {
    /// None has been started.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Helper {
            stage: Stage::new(),
            number: AtomicU32::new(0),
            dismissed: AtomicU32::new(0),
            stack: AtomicPtr::new(core::ptr::null_mut()),
            process: AtomicU32::new(0),
            credentials: [const { AtomicU32::new(0) }; 4],
            gate: Gate::new(),
        }
    }

    /// Sleeps, unless it is dismissed. Returns whether it is.
    pub(crate) fn nap(&self, ms: u32) -> bool {
        os::futex_wait_for(&self.dismissed, 0, ms.saturating_mul(1000));
        self.is_dismissed()
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed) != 0
    }

    /// Tells it to end.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(1, Ordering::Relaxed);
        os::futex_wake(&self.dismissed);
    }

    /// Waits until the kernel says that it has left its stack. It has decided to end: all that it does before is to go through
    /// the gate, if it was told to end in the middle of a step.
    pub(crate) fn wait_until_gone(&self) {
        while self.number.load(Ordering::Acquire) != 0 {
            os::wait_for_bare_thread(&self.number);
        }
    }

    /// Whether one was there and has left its stack; the kernel may not have taken it out of the process yet.
    pub(crate) fn has_ended(&self) -> bool {
        !self.stack.load(Ordering::Relaxed).is_null() && self.number.load(Ordering::Acquire) == 0
    }

    /// Whether it acts on behalf of somebody else than the calling thread.
    pub(crate) fn is_strange(&self) -> bool {
        let known = self.credentials.iter().map(|id| id.load(Ordering::Relaxed));
        !known.eq(os::credentials())
    }

    /// In the child of a fork, where it is not. Returns whether it was there, and may have left something half done.
    pub fn forget(&self) -> bool {
        self.process.store(os::process_number(), Ordering::Relaxed);
        self.stage.set(NONE);
        self.number.swap(0, Ordering::Relaxed) != 0
    }

    /// Starts it. Returns what there is then.
    pub(crate) fn start(&'static self, run: extern "C" fn() -> !) -> u32 {
        // A filter may end the process for what a thread wants, or for wanting one. Nobody gets rid of it again.
        if os::is_filtered() {
            return FORBIDDEN;
        }
        let mut stack = self.stack.load(Ordering::Acquire);
        if stack.is_null() {
            stack = os::map(0, STACK, Access::ReadWrite);
            if stack.is_null() {
                return REFUSED;
            }
            self.stack.store(stack, Ordering::Release);
        }
        self.dismissed.store(0, Ordering::Relaxed);
        for (known, id) in self.credentials.iter().zip(os::credentials()) {
            known.store(id, Ordering::Relaxed);
        }
        // SAFETY: the stack is the helper's for good, and no helper is on it, as the number is 0. What it runs uses statics
        // and system calls only.
        if unsafe { os::start_bare_thread(run, stack.add(STACK), &self.number) } {
            THERE
        } else {
            REFUSED
        }
    }
}
