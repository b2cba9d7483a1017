//! Whether there is a helper thread, and who starts it and ends it.

use crate::sync::{AtomicU32, Ordering, const_but_in_models};

/// There is none.
pub(crate) const NONE: u32 = 0;
/// It is there, or being started.
pub(crate) const THERE: u32 = 1;
/// It is about to end, unless somebody wants it.
pub(crate) const LEAVING: u32 = 2;
/// There is none, and it could not be started a moment ago.
pub(crate) const REFUSED: u32 = 3;
/// There is none, and there must not be.
pub(crate) const FORBIDDEN: u32 = 4;

/// Whether there is a helper.
pub(crate) struct Stage(AtomicU32);

impl Stage {
    const_but_in_models! {
        /// There is none.
        pub(crate) fn new() -> Self {
            Stage(AtomicU32::new(NONE))
        }
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whatever it was. (An exchange, as others exchange the word, too.)
    pub(crate) fn set(&self, to: u32) {
        self.0.swap(to, Ordering::AcqRel);
    }

    pub(crate) fn change(&self, from: u32, to: u32) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// There is something for it to do. It is there, but was told to end, or is about to; or there is none: as `seen` says.
    /// `gone` waits until none is there, and `start` starts one, and returns what there is then.
    pub(crate) fn wake(&self, seen: u32, gone: impl Fn(), start: impl FnOnce() -> u32) {
        if seen == THERE {
            gone();
        }
        // If it leaves, it may still be told to stay, unless it has left since it was seen.
        let stays = seen == LEAVING && self.change(LEAVING, THERE);
        if stays || !self.change(NONE, THERE) {
            return;
        }
        // If it has left, its stack is not free yet, for as long as it takes it to get a processor once more. This may be the
        // last event before the process comes to rest, so nobody would start another one later.
        gone();
        let now = start();
        // (Where it is there it may have left again already.)
        if now != THERE {
            self.set(now);
        }
    }

    /// What the helper does as long as it is there. `nap` sleeps, and says whether it was told to end; `rest` looks around, and
    /// says whether it has found nothing to do for long; `same` says whether nothing has come since then.
    pub(crate) fn live(&self, mut nap: impl FnMut() -> bool, mut rest: impl FnMut() -> bool, same: impl Fn() -> bool) {
        while !nap() {
            if rest() {
                self.set(LEAVING);
                // What comes back from now on has events that find it leaving. Where an event found it still there, it has to
                // stay.
                if same() && self.change(LEAVING, NONE) {
                    // Whatever becomes of this from here on, another one may be there.
                    return;
                }
                self.set(THERE);
            }
        }
        self.set(NONE);
    }
}
