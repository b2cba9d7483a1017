//! Something that threads do one at a time, and that a signal handler, which must not wait, may ask for.

use super::atomic::{AtomicU32, Ordering, const_but_in_models};

/// Who does it, and whether it was asked for. All zero at the start.
pub struct Requests {
    /// Somebody does it.
    busy: AtomicU32,
    /// It was asked for, and nobody has begun since.
    wanted: AtomicU32,
}

impl Requests {
    const_but_in_models! {
        /// Nobody wants it.
        pub fn new() -> Self {
            Requests {
                busy: AtomicU32::new(0),
                wanted: AtomicU32::new(0),
            }
        }
    }

    /// Asks for it. An exchange, as others may have asked, too: whoever takes the word sees what happened before all of them did.
    pub fn ask(&self) {
        self.wanted.swap(1, Ordering::AcqRel);
    }

    /// Whether it was asked for, and nobody has begun since.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) != 0
    }

    /// Whether it was asked for; the caller has to see to that now.
    pub fn take(&self) -> bool {
        self.wanted.swap(0, Ordering::Acquire) != 0
    }

    /// Does it, alone. Waits as long as somebody else does. Whoever called this looks whether it was asked for meanwhile.
    pub fn alone<R>(&self, pause: impl Fn(), f: impl FnOnce() -> R) -> R {
        while self.busy.swap(1, Ordering::AcqRel) != 0 {
            pause();
        }
        let result = f();
        self.end();
        result
    }

    /// Does it if it was asked for, and nobody else does: whoever does sees to the rest. `f` says whether it could be done; if
    /// not it stays asked for.
    pub fn answer(&self, mut f: impl FnMut() -> bool) {
        let mut could = true;
        while could && self.is_asked() && self.busy.swap(1, Ordering::AcqRel) == 0 {
            if self.take() {
                could = f();
                if !could {
                    self.ask();
                }
            }
            self.end();
        }
    }

    /// It is done. An exchange, as whoever asked meanwhile, and found this thread busy, has written the word before: so its
    /// question is seen after this.
    fn end(&self) {
        self.busy.swap(0, Ordering::AcqRel);
    }

    /// In the child of a fork: whoever did it is not here.
    pub fn reset(&self) {
        self.busy.store(0, Ordering::Relaxed);
    }
}
