//! What the process knows of its shortage of memory: the epoch that asks every thread for its caches, who answered, and
//! when free pages are next looked through for old ones.
//!
//! Hot paths never look here. Events compare one word that changes only when memory is short, so that it stays in every
//! core's cache.

use super::rounds::Rounds;
use crate::sync::{AtomicU32, AtomicU64, Ordering, Sleepers, const_but_in_models, fence};

/// Milliseconds for which others are not asked again after they had nothing.
const FUTILE: u64 = 50;
/// Times that this is doubled while requests fail: to 800 ms.
const MOST_DOUBLINGS: u32 = 4;
/// Milliseconds without a failure after which it is 50 ms again.
const FORGOTTEN: u64 = 10_000;

/// What the epoch asks threads for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// All that they cache.
    Everything,
    /// What they cache of the segment that is drained.
    Segment,
}

impl Ask {
    /// How far the epoch is raised: its upper half counts what everything was asked for, the lower half the rest. (A lower
    /// half that overflows asks once for too much.)
    const fn step(self) -> u32 {
        match self {
            Ask::Everything => 1 << 16,
            Ask::Segment => 1,
        }
    }

    /// What was asked for between two epochs.
    pub const fn between(seen: u32, now: u32) -> Ask {
        if seen >> 16 == now >> 16 {
            Ask::Segment
        } else {
            Ask::Everything
        }
    }
}

/// Counts since the process started; each is exact, but they are read one by one.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reliefs {
    /// Times that the epoch was raised.
    pub epochs: u64,
    /// Times that a thread gave back its caches because it saw a new epoch.
    pub answers: u64,
    /// Times that a request found no memory and looked for some in its own caches, depots and empty runs.
    pub runs: u64,
    /// Bytes of objects that went back to their runs in all of these.
    pub object_bytes: u64,
    /// Bytes of free pages that all of these won, as far as others did not take them at once.
    pub page_bytes: u64,
    /// Times that a request waited for other threads.
    pub waits: u64,
    /// Requests that were served by a larger class so that the heap need not grow.
    pub borrowed: u64,
    /// Requests that were served by a larger class as there was no memory.
    pub larger: u64,
    /// Times that relief began with one segment.
    pub drains: u64,
    /// Times that a segment was put under quarantine.
    pub quarantines: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Passes over the free pages that gave some back to the kernel.
    pub purges: u64,
    /// Bytes that they gave back.
    pub purged_bytes: u64,
    /// Requests that found no room below the soft limit, before free pages went to the kernel.
    pub soft_limits: u64,
    /// The same of the hard limit.
    pub hard_limits: u64,
}

macro_rules! counters {
    ($($name:ident),+) => {
        /// The state. All zero at the start.
        pub struct Pressure {
            /// Raised when memory is short. Threads compare it with what they saw last.
            epoch: AtomicU32,
            /// Changes when a thread has answered; waiters sleep on it.
            answered: AtomicU32,
            sleepers: Sleepers,
            /// Requests that wait for answers.
            waiting: AtomicU32,
            /// Until when (milliseconds) nobody waits or raises the epoch again, as it brought nothing last time.
            futile_until: AtomicU64,
            /// The bytes that it did not bring.
            futile_bytes: AtomicU64,
            /// Requests that failed one after the other.
            in_vain: AtomicU32,
            /// When (milliseconds) the epoch was last raised.
            raised: AtomicU64,
            /// The same where only one segment was asked for.
            raised_part: AtomicU64,
            /// When the free pages are next looked through.
            look_at: AtomicU64,
            /// When the same is done for what may become a huge page.
            pub(super) collapse_at: AtomicU64,
            /// Where those are who look through the depots.
            pub rounds: Rounds,
            /// Whether pages are on their way to the kernel with nobody who sees to that.
            pub orphans: AtomicU32,
            /// Whether the heap has a limit.
            pub limited: AtomicU32,
            /// When (milliseconds) the control group was last asked for its limits.
            pub asked: AtomicU64,
            $( $name: AtomicU64, )+
        }

        impl Pressure {
            const_but_in_models! {
            /// No shortage yet.
            pub fn new() -> Self {
                Pressure {
                    epoch: AtomicU32::new(0),
                    answered: AtomicU32::new(0),
                    sleepers: Sleepers::new(),
                    waiting: AtomicU32::new(0),
                    futile_until: AtomicU64::new(0),
                    futile_bytes: AtomicU64::new(0),
                    in_vain: AtomicU32::new(0),
                    raised: AtomicU64::new(0),
                    raised_part: AtomicU64::new(0),
                    look_at: AtomicU64::new(0),
                    collapse_at: AtomicU64::new(0),
                    rounds: Rounds::new(),
                    orphans: AtomicU32::new(0),
                    limited: AtomicU32::new(0),
                    asked: AtomicU64::new(0),
                    $( $name: AtomicU64::new(0), )+
                }
            }
            }

            /// The counts.
            pub fn counts(&self) -> Reliefs {
                Reliefs { $( $name: self.$name.load(Ordering::Relaxed), )+ }
            }

            /// Adds to the counts.
            pub fn count(&self, by: Reliefs) {
                $( if by.$name > 0 { self.$name.fetch_add(by.$name, Ordering::Relaxed); } )+
            }
        }
    };
}
counters!(
    epochs,
    answers,
    runs,
    object_bytes,
    page_bytes,
    waits,
    borrowed,
    larger,
    drains,
    quarantines,
    failed,
    purges,
    purged_bytes,
    soft_limits,
    hard_limits
);

impl Pressure {
    /// The epoch.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Whether asking others for so many bytes brought nothing a moment ago. A request of half as much may have more luck.
    pub fn is_futile(&self, now_ms: u64, bytes: usize) -> bool {
        now_ms < self.futile_until.load(Ordering::Relaxed)
            && bytes as u64 > self.futile_bytes.load(Ordering::Relaxed) / 2
    }

    /// Raises the epoch for a request of so many bytes, unless that brought nothing a moment ago or was done in this very
    /// moment. Returns whether it was raised.
    pub fn raise(&self, now_ms: u64, ask: Ask, bytes: usize) -> bool {
        let at = match ask {
            Ask::Everything => &self.raised,
            Ask::Segment => &self.raised_part,
        };
        let last = at.load(Ordering::Relaxed);
        let first = || {
            at.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if self.is_futile(now_ms, bytes) || now_ms == last || !first() {
            return false;
        }
        self.epoch.fetch_add(ask.step(), Ordering::Relaxed);
        self.count(Reliefs {
            epochs: 1,
            ..Reliefs::default()
        });
        true
    }

    /// Nobody had so many bytes: for a while others need not ask for as many.
    pub fn futile(&self, now_ms: u64, bytes: usize) {
        self.futile_for(now_ms, FUTILE, bytes as u64);
    }

    fn futile_for(&self, now_ms: u64, ms: u64, bytes: u64) {
        if now_ms < self.futile_until.load(Ordering::Relaxed) {
            self.futile_bytes.fetch_min(bytes, Ordering::Relaxed);
        } else {
            self.futile_bytes.store(bytes, Ordering::Relaxed);
        }
        self.futile_until.fetch_max(now_ms + ms, Ordering::Relaxed);
    }

    /// A request of so many bytes failed after all that could be done. Whoever asks for as many again and again does not
    /// make everybody give up caches each time: it takes twice as long each time until the others are asked.
    pub fn failed(&self, now_ms: u64, bytes: usize) {
        if self.is_futile(now_ms, bytes) {
            return;
        }
        let since = now_ms.saturating_sub(self.futile_until.load(Ordering::Relaxed));
        let times = if since > FORGOTTEN {
            0
        } else {
            self.in_vain.load(Ordering::Relaxed)
        };
        self.in_vain.store(times + 1, Ordering::Relaxed);
        self.futile_for(now_ms, FUTILE << times.min(MOST_DOUBLINGS), bytes as u64);
    }

    /// Giving caches back brought what a request wanted.
    pub fn eased(&self) {
        if self.in_vain.load(Ordering::Relaxed) > 0 {
            self.in_vain.store(0, Ordering::Relaxed);
        }
    }

    /// Tells those who wait that a thread has given back what it had.
    pub fn answer(&self) {
        self.answered.fetch_add(1, Ordering::Release);
        // With the one in `wait`: either that thread sees this answer, or this thread sees that one.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.sleepers.wake_all(&self.answered);
        }
    }

    /// How many answers there were so far.
    pub fn answered(&self) -> u32 {
        self.answered.load(Ordering::Acquire)
    }

    /// Sleeps until there are more answers than `seen`, or for `micros`.
    pub fn wait(&self, seen: u32, micros: u32) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.sleepers.sleep(&self.answered, seen, micros);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether it is time to look through the free pages; if so, the caller does it, and nobody else for `every_ms`.
    pub fn due(&self, now_ms: u64, every_ms: u64) -> bool {
        let at = self.look_at.load(Ordering::Relaxed);
        now_ms >= at
            && self
                .look_at
                .compare_exchange(at, now_ms + every_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// In the child of a fork: whoever waited is not here.
    pub fn reset(&self) {
        self.waiting.store(0, Ordering::Relaxed);
        self.rounds.reset();
    }
}
