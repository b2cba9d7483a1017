//! How much of the budget of a lone thread a thread has now.
//!
//! Threads share `cache.thread_bytes` evenly, down to a floor. That floor holds for as many threads as `cache.crowd_bytes` has
//! floors. More threads share `crowd_bytes`, and each has at least [`CROWD_LEAST`]: most of them sleep, and one that sleeps has no
//! events. Nobody can take what it has, and it keeps what its share was when it last had one.
//!
//! Where a share is less than twice what all classes open with, the threads are a *crowd*. Then nothing is kept back for classes
//! that are closed, one that lies idle is closed, and one that would open with more than an eighth of the share is not opened: its
//! objects come and go one by one, from and to their runs.
//!
//! Shares are looked at by events that make a list longer, or wish to.

use crate::policy::agreed::CROWD_LEAST;
use crate::statics::Shared;
use crate::variant::Variant;

/// What part of a crowded thread's share one class may open with.
const PART: usize = 8;

/// A thread's share, at this moment.
#[derive(Clone, Copy)]
pub struct Share {
    /// Bytes of a lone thread's budget that are others' now.
    pub lent: usize,
    /// Bytes that a class may open with, where threads are a crowd.
    crowd: Option<usize>,
}

impl Share {
    /// That of the calling thread, as of any other.
    #[inline]
    pub fn now<V: Variant>() -> Share {
        Self::among::<V>(|| V::shared().threads().running())
    }

    /// That of each of so many who have caches, threads or processors.
    #[inline(always)]
    pub fn among<V: Variant>(count: impl FnOnce() -> usize) -> Share {
        let cache = &V::POLICY.cache;
        let (alone, all) = (cache.thread_bytes, cache.crowd_bytes);
        let floor = if cache.thread_floor == 0 {
            alone
        } else {
            cache.thread_floor
        };
        if floor == alone && all == 0 {
            return Share { lent: 0, crowd: None };
        }
        let threads = count().max(1);
        // Divided only where the result is no constant.
        let evenly = if threads < alone / floor {
            alone / threads
        } else {
            floor
        };
        let bytes = if all == 0 || threads <= all / floor {
            evenly
        } else {
            (all.max(alone) / threads).max(CROWD_LEAST).min(evenly)
        };
        Share {
            lent: alone - bytes,
            crowd: (bytes < floor && bytes < 2 * V::FIRST as usize).then_some(bytes / PART),
        }
    }

    /// Whether the threads are a crowd.
    pub fn is_crowd(self) -> bool {
        self.crowd.is_some()
    }

    /// Whether a class may open with a list of so many bytes.
    pub fn opens(self, bytes: usize) -> bool {
        self.crowd.is_none_or(|most| bytes <= most)
    }
}
