//! How much freed memory is worth keeping with its pages.
//!
//! To give a page back costs a share of a system call; to need it again costs a fault and a page of zeroes. To keep it costs
//! memory for as long as nobody needs it. Which of the two is dearer shows afterwards, so it is learned:
//!
//! - What is taken while its pages are still there was rightly kept: as much more is worth keeping.
//! - What was given back and is wanted within the window was a mistake: as much more is worth keeping, too. Without this
//!   nothing could be learned from little: only what was kept can be taken again.
//! - Whatever is freed lowers it by a sixteenth of its size, and a window in which nothing was freed halves it. So a program
//!   that ends a phase keeps little.
//!
//! It stays between a thirty-second of its bound and the bound. The window is the time after which free pages go back
//! anyhow. Counts are in any unit, the same for all of one object. As all of the page heap: for the holder of the heap's lock.

/// Windows that a clock's first reading is away from 0 at least: nothing is old at the start.
const LONG: u32 = 63;

/// What is worth keeping, and what it is learned from.
#[derive(Debug)]
pub struct Worth {
    keep: usize,
    /// Taken with its pages, or wanted back, since `keep` was last reckoned.
    wanted: usize,
    /// Freed since then, but for what did not make a sixteenth.
    freed: usize,
    /// Given to the kernel in this half of a window and in the one before, as far as nobody wanted it back.
    gone: [usize; 2],
    /// When this half began, in milliseconds.
    half: u64,
    /// When `keep` was last reckoned.
    reckoned: u64,
}

impl Worth {
    /// Nothing is known.
    pub const UNKNOWN: Worth = Worth {
        keep: 0,
        wanted: 0,
        freed: 0,
        gone: [0; 2],
        half: 0,
        reckoned: 0,
    };

    /// So much was taken with its pages.
    #[inline]
    pub fn taken(&mut self, n: usize) {
        self.wanted += n;
    }

    /// So much was freed.
    #[inline]
    pub fn freed(&mut self, n: usize) {
        self.freed += n;
    }

    /// Whether it may be a mistake that something is gone: then [`missed`](Self::missed) wants to know what is taken.
    #[inline]
    pub fn regrets(&self) -> bool {
        self.gone != [0; 2]
    }

    /// So much was given to the kernel because it was not worth keeping.
    pub fn gave(&mut self, n: usize, now: u64, window: u64) {
        self.pass(now, window);
        self.gone[0] += n;
    }

    /// So much was taken whose pages were not there.
    pub fn missed(&mut self, n: usize, now: u64, window: u64) {
        self.pass(now, window);
        let mut left = n;
        for gone in self.gone.iter_mut().rev() {
            let mistaken = left.min(*gone);
            *gone -= mistaken;
            left -= mistaken;
        }
        self.wanted += n - left;
    }

    /// What is worth keeping at the time `now`, of at most `most`.
    pub fn reckon(&mut self, most: usize, now: u64, window: u64) -> usize {
        let idle = (now.saturating_sub(self.reckoned) / window.max(1)).min(u64::from(LONG));
        self.reckoned = now;
        self.keep = ((self.keep >> idle) + self.wanted)
            .saturating_sub(self.freed / 16)
            .clamp(most / 32, most);
        // What does not make a sixteenth counts the next time.
        (self.wanted, self.freed) = (0, self.freed % 16);
        self.keep
    }

    /// Forgets what is older than a window.
    fn pass(&mut self, now: u64, window: u64) {
        let halves = now.saturating_sub(self.half) / (window / 2).max(1);
        if halves > 0 {
            self.gone = [0, if halves == 1 { self.gone[0] } else { 0 }];
            self.half = now;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MOST: usize = 3200;
    const WINDOW: u64 = 1000;

    /// Rounds that take `size` and free it again; what is not worth keeping goes. Returns what was not there in each.
    fn rounds(worth: &mut Worth, size: usize, pause: u64, n: usize) -> std::vec::Vec<usize> {
        let (mut backed, mut now) = (0, 10_000);
        (0..n)
            .map(|_| {
                let (there, missing) = (size.min(backed), size - size.min(backed));
                worth.taken(there);
                if worth.regrets() {
                    worth.missed(missing, now, WINDOW);
                }
                backed += missing;
                now += pause;
                for _ in 0..size / 10 {
                    worth.freed(10);
                    worth.reckon(MOST, now, WINDOW);
                }
                let gone = backed.saturating_sub(worth.reckon(MOST, now, WINDOW));
                worth.gave(gone, now, WINDOW);
                backed -= gone;
                if pause > WINDOW {
                    // What nobody wanted for so long goes in any case.
                    (backed, now) = (0, now + pause);
                }
                missing
            })
            .collect()
    }

    #[test]
    fn rounds_within_the_bound_are_kept() {
        for size in [200, 1000, 2500, MOST * 15 / 16] {
            let mut worth = Worth::UNKNOWN;
            let missing = rounds(&mut worth, size, 5, 20);
            assert_eq!(missing[0], size);
            assert!(missing[10..].iter().all(|&n| n == 0), "{size}: {missing:?}");
        }
    }

    #[test]
    fn what_is_wanted_long_after_is_no_mistake() {
        let mut worth = Worth::UNKNOWN;
        let missing = rounds(&mut worth, 1000, 5 * WINDOW, 10);
        assert!(missing[1..].iter().all(|&n| n >= 1000 - MOST / 32), "{missing:?}");
    }

    #[test]
    fn a_phase_that_ends_keeps_little() {
        let mut worth = Worth::UNKNOWN;
        rounds(&mut worth, 2000, 5, 20);
        for _ in 0..100 {
            worth.freed(1000);
            worth.reckon(MOST, 10_000, WINDOW);
        }
        assert_eq!(worth.reckon(MOST, 10_000, WINDOW), MOST / 32);
    }

    #[test]
    fn time_alone_lowers_it() {
        let mut worth = Worth::UNKNOWN;
        rounds(&mut worth, 2000, 5, 20);
        let (before, later) = (worth.reckon(MOST, 11_000, WINDOW), worth.reckon(MOST, 13_500, WINDOW));
        assert_eq!(later, (before >> 2).max(MOST / 32));
    }
}
