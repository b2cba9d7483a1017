//! How much freed memory is worth keeping with its pages.
//!
//! To give a page back costs a share of a system call; to need it again costs a fault and a page of zeroes. To keep it costs
//! memory for as long as nobody needs it. Whoever hires something for an unknown time does best to buy it when the hire has
//! cost as much as the price: pages go back when they were left alone for a *window*. Which of them will be left alone is
//! learned from what happened. The measure is the *depth*: how much was taken in a row, less what was freed in between, of
//! what had been freed before.
//!
//! - What is taken while its pages are still there makes it deeper.
//! - So does what was given back and is wanted within the window: that was a mistake. Without this nothing could be learned
//!   from little, as only what was kept can be taken again.
//! - What was never used does not count: a program that grows needs nothing kept.
//!
//! The greatest depth is worth keeping: then the next row of the same length finds its pages. It is halved with each window
//! that has none as deep. What was a mistake although other pages were free and backed is kept beside it: free ranges do not
//! fit every request, so it takes more of them. That is halved with each window, too, and the policy says whether the faults
//! are worth it (`purge.spare`).
//!
//! What objects of many pages leave is *hoped for*: buffers come back, as a rule, and to learn that by mistakes would cost a fault
//! for each of their pages. It is kept until it was left alone for a window, up to two thirds of the bound. Where that was in vain for
//! more than half of it, of what is hoped for next a quarter is kept, and so on; where it was not, all of it again. So a program that
//! rests between bursts keeps little while it rests. Pages of small objects are not hoped for: where these go, a phase has ended.
//!
//! So a program whose pages come and go in rounds keeps those of a round. One whose use only wavers keeps as much as it wavers
//! by, however many pages pass. One that ends a phase keeps little.
//!
//! It stays between a thirty-second of its bound and the bound. The window is the time after which free pages go back
//! anyhow. Counts are in any unit, the same for all of one object. As all of the page heap: for the holder of the heap's lock.

/// Windows after which nothing is left to halve.
const LONG: u64 = 63;

/// How often hope is made less at the most, to a quarter each time: to less than is kept in any case.
const DOUBTS: u32 = 3;

/// What is worth keeping, and what it is learned from.
#[derive(Debug)]
pub struct Worth {
    /// Taken of what had been freed, less what was freed since.
    depth: usize,
    /// The greatest depth: in this window, and in those before, halved with each.
    deepest: [usize; 2],
    /// Wanted back while other pages were there, which did not serve; halved with each window.
    unfit: usize,
    /// When this window began, in milliseconds.
    began: u64,
    /// Given to the kernel in this half of a window and in the one before, as far as nobody wanted it back.
    gone: [usize; 2],
    /// Left by objects of many pages in this half of a window and in the one before, as far as it was not taken since.
    hoped: [usize; 2],
    /// All that they left then.
    left: [usize; 2],
    /// How often in a row that was in vain.
    doubts: u32,
    /// When this half began, in milliseconds.
    half: u64,
}

impl Worth {
    /// Nothing is known.
    pub const UNKNOWN: Worth = Worth {
        depth: 0,
        deepest: [0; 2],
        unfit: 0,
        began: 0,
        gone: [0; 2],
        hoped: [0; 2],
        left: [0; 2],
        doubts: 0,
        half: 0,
    };

    /// So much was taken with its pages.
    #[inline]
    pub fn taken(&mut self, n: usize) {
        self.depth += n;
        self.deepest[0] = self.deepest[0].max(self.depth);
        let mut left = n;
        for hoped in &mut self.hoped {
            let fulfilled = left.min(*hoped);
            *hoped -= fulfilled;
            left -= fulfilled;
        }
    }

    /// So much was freed.
    #[inline]
    pub fn freed(&mut self, n: usize) {
        self.depth = self.depth.saturating_sub(n);
    }

    /// So much of what was freed was an object's of many pages.
    pub fn hope(&mut self, n: usize, now: u64, window: u64) {
        self.forget(now, window);
        self.hoped[0] += n;
        self.left[0] += n;
    }

    /// Whether it may be a mistake that something is gone: then [`missed`](Self::missed) wants to know what is taken.
    #[inline]
    pub fn regrets(&self) -> bool {
        self.gone != [0; 2]
    }

    /// So much was given to the kernel because it was not worth keeping.
    pub fn gave(&mut self, n: usize, now: u64, window: u64) {
        self.forget(now, window);
        self.gone[0] += n;
    }

    /// So much was taken whose pages were not there. So many others were; 0 if nothing is to be kept for that.
    pub fn missed(&mut self, n: usize, others: usize, now: u64, window: u64) {
        self.forget(now, window);
        let mut left = n;
        for gone in self.gone.iter_mut().rev() {
            let mistaken = left.min(*gone);
            *gone -= mistaken;
            left -= mistaken;
        }
        self.taken(n - left);
        self.unfit += (n - left).min(others);
    }

    /// What is worth keeping at the time `now`, of at most `most`.
    pub fn reckon(&mut self, most: usize, now: u64, window: u64) -> usize {
        let windows = now.saturating_sub(self.began) / window.max(1);
        if windows > 0 {
            let [this, before] = self.deepest;
            let passed = windows.min(LONG) as u32;
            self.deepest = [0, this.max(before / 2) >> (passed - 1)];
            // What was taken long ago is no longer the beginning of a row.
            self.depth >>= passed;
            self.unfit >>= passed;
            self.began = now;
        }
        self.forget(now, window);
        let hoped = (self.hoped[0] + self.hoped[1]).min(most / 3 * 2) >> (2 * self.doubts);
        (self.deepest[0].max(self.deepest[1]) + self.unfit)
            .max(hoped)
            .clamp(most / 32, most)
    }

    /// Forgets what is older than a window.
    fn forget(&mut self, now: u64, window: u64) {
        let halves = now.saturating_sub(self.half) / (window / 2).max(1);
        if halves > 0 {
            // What is forgotten now was hoped for in vain, as far as it is still there.
            let both = usize::from(halves > 1);
            let (hoped, left) = (self.hoped[1] + both * self.hoped[0], self.left[1] + both * self.left[0]);
            if left > 0 {
                self.doubts = if hoped * 2 > left {
                    (self.doubts + 1).min(DOUBTS)
                } else {
                    0
                };
            }
            for counted in [&mut self.gone, &mut self.hoped, &mut self.left] {
                *counted = [0, if halves == 1 { counted[0] } else { 0 }];
            }
            self.half = now;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MOST: usize = 3200;
    const LEAST: usize = MOST / 32;
    const WINDOW: u64 = 1000;

    /// A heap of which only the backed free pages are known.
    struct Pool {
        worth: Worth,
        backed: usize,
        now: u64,
    }

    impl Pool {
        const fn new() -> Self {
            Pool {
                worth: Worth::UNKNOWN,
                backed: 0,
                now: 10_000,
            }
        }

        /// Takes so much. Returns what was not there.
        fn take(&mut self, n: usize) -> usize {
            let there = n.min(self.backed);
            self.backed -= there;
            self.worth.taken(there);
            if self.worth.regrets() && there < n {
                self.worth.missed(n - there, self.backed, self.now, WINDOW);
            }
            n - there
        }

        /// Frees so much; what is not worth keeping goes.
        fn free(&mut self, n: usize) {
            self.backed += n;
            self.worth.freed(n);
            let keep = self.worth.reckon(MOST, self.now, WINDOW);
            if self.backed > keep {
                self.worth.gave(self.backed - keep, self.now, WINDOW);
                self.backed = keep;
            }
        }

        /// Rounds that take `size` in tens and free it again, at a time of their own. Returns what was missing in each.
        fn rounds(&mut self, size: usize, pause: u64, n: usize) -> std::vec::Vec<usize> {
            (0..n)
                .map(|_| {
                    let missing = (0..size / 10).map(|_| self.take(10)).sum();
                    self.now += pause;
                    (0..size / 10).for_each(|_| self.free(10));
                    if pause > WINDOW {
                        // What nobody wanted for so long goes in any case.
                        self.backed = 0;
                        self.now += pause;
                    }
                    missing
                })
                .collect()
        }
    }

    #[test]
    fn rounds_within_the_bound_are_kept() {
        for size in [200, 1000, 2500, MOST] {
            // However they lie to the windows.
            for pause in [0, 5, 130, 330, 470] {
                let missing = Pool::new().rounds(size, pause, 40);
                assert_eq!(missing[0], size);
                assert!(missing[10..].iter().all(|&n| n == 0), "{size}, {pause} ms: {missing:?}");
            }
        }
    }

    #[test]
    fn rounds_beyond_the_bound_miss_what_is_beyond() {
        let missing = Pool::new().rounds(MOST * 2, 5, 40);
        assert!(missing[10..].iter().all(|&n| n == MOST), "{missing:?}");
    }

    #[test]
    fn what_is_wanted_long_after_is_no_mistake() {
        let missing = Pool::new().rounds(1000, 5 * WINDOW, 10);
        assert!(missing[1..].iter().all(|&n| n >= 1000 - LEAST), "{missing:?}");
    }

    #[test]
    fn a_program_that_grows_keeps_little() {
        let mut pool = Pool::new();
        assert_eq!((0..1000).map(|_| pool.take(10)).sum::<usize>(), 10_000);
        pool.free(10_000);
        assert_eq!(pool.backed, LEAST);
    }

    #[test]
    fn what_many_pages_leave_is_kept_for_a_window() {
        let mut pool = Pool::new();
        let leave = |pool: &mut Pool, n: usize| {
            pool.take(n);
            pool.worth.freed(n);
            pool.worth.hope(n, pool.now, WINDOW);
            pool.backed += n;
        };
        leave(&mut pool, 1000);
        let keep = |pool: &mut Pool, later| pool.worth.reckon(MOST, pool.now + later, WINDOW);
        assert_eq!(keep(&mut pool, 0), 1000);
        // What is taken is not hoped for any more. What was learned of it by then is kept in its own right.
        assert_eq!(pool.take(400), 0);
        assert_eq!(keep(&mut pool, 0), 600);
        assert_eq!(keep(&mut pool, WINDOW / 2), 600);
        assert_eq!(keep(&mut pool, WINDOW), 400);
        let mut pool = Pool::new();
        leave(&mut pool, 2 * MOST);
        assert_eq!(keep(&mut pool, 0), MOST / 3 * 2);
    }

    #[test]
    fn bursts_with_rests_between_leave_less_and_less() {
        let mut pool = Pool::new();
        let mut kept = std::vec::Vec::new();
        let mut burst = |rest: u64| {
            for _ in 0..20 {
                pool.take(100);
            }
            for _ in 0..20 {
                pool.worth.hope(100, pool.now, WINDOW);
                pool.free(100);
            }
            kept.push(pool.backed);
            if rest > WINDOW {
                pool.backed = 0;
            }
            pool.now += rest;
        };
        for _ in 0..4 {
            burst(2 * WINDOW);
        }
        // Those that follow soon find their pages, after a few.
        for _ in 0..6 {
            burst(WINDOW / 10);
        }
        assert_eq!(kept[..4], [2000, 500, 125, LEAST]);
        assert!(kept[6..].iter().all(|n| *n == 2000), "{kept:?}");
    }

    #[test]
    fn however_much_passes_only_the_waver_counts() {
        let mut pool = Pool::new();
        pool.take(100_000);
        for _ in 0..10_000 {
            pool.free(300);
            pool.take(300);
        }
        pool.free(100_000);
        assert_eq!(pool.backed, 300);
    }

    #[test]
    fn a_row_is_a_row_whatever_is_freed_in_between() {
        let mut pool = Pool::new();
        pool.take(2000);
        for _ in 0..10 {
            pool.free(2000);
            for _ in 0..200 {
                pool.take(12);
                pool.free(2);
            }
        }
        assert_eq!(pool.take(0), 0);
        pool.free(2000);
        assert!((2000..2100).contains(&pool.backed), "{}", pool.backed);
    }

    #[test]
    fn time_lowers_it() {
        let mut pool = Pool::new();
        pool.rounds(2000, 5, 20);
        let mut keep = |later| pool.worth.reckon(MOST, pool.now + later, WINDOW);
        assert_eq!(keep(WINDOW), 2000);
        assert_eq!(keep(2 * WINDOW), 1000);
        assert_eq!(keep(4 * WINDOW), 250);
        assert_eq!(keep(1000 * WINDOW), LEAST);
    }
}
