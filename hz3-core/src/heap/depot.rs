//! Depots: whole batches that wait between threads.
//!
//! A depot is words, each empty or holding one batch (address and count in 64 bits). It is bounded by construction, has no
//! head to fight over, and cannot suffer from ABA: a word is only ever exchanged as a whole, and whoever gets it owns the
//! batch that it names, whatever happened to the word in between.
//!
//! The words lie in shelves, each in cache lines of its own. A thread puts into its own shelf first, and takes from it first: so
//! batches of a thread that frees what it allocated come back to it, and their objects' cache lines with them, and no other
//! thread touches that shelf. What a thread does not find there it takes from the other shelves: no batch is ever out of
//! anybody's reach.

use crate::list::{Batch, BatchWord};
use crate::policy::agreed::LEAST_GRANULE;
use crate::sync::{AtomicU64, Ordering};
use core::num::NonZeroUsize;

/// Set in a word whose batch was there when somebody last looked. Objects are aligned, so their addresses leave it free.
const SEEN: u64 = 1;

const _: () = assert!(SEEN < LEAST_GRANULE as u64, "no address has this bit");

/// The shelf that a thread looks into first. Several threads may have one; any number will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Home(pub u16);

impl Home {
    /// Of whoever has none in particular.
    pub const ANY: Home = Home(0);
}

/// The depot of a pool.
#[derive(Clone, Copy)]
pub struct Depot<'a> {
    words: &'a [AtomicU64],
    shelves: NonZeroUsize,
    batches: usize,
}

impl<'a> Depot<'a> {
    /// A depot of so many shelves, which has place for so many batches. The words are the shelves, one after the other and of one
    /// length.
    #[inline]
    pub const fn new(words: &'a [AtomicU64], shelves: u32, batches: u16) -> Self {
        Depot {
            words,
            shelves: NonZeroUsize::MIN.saturating_add((shelves as usize).saturating_sub(1)),
            batches: batches as usize,
        }
    }

    /// The words of a shelf. The first ones have one more, where the batches do not come out even.
    #[inline]
    fn shelf(self, number: usize) -> &'a [AtomicU64] {
        let each = self.words.len() / self.shelves;
        let used = self.batches / self.shelves + usize::from(number < self.batches % self.shelves);
        let from = number * each;
        self.words.get(from..from + used.min(each)).unwrap_or(&[])
    }

    /// The shelves, a home's first.
    #[inline]
    fn from(self, home: Home) -> impl Iterator<Item = &'a [AtomicU64]> {
        let first = usize::from(home.0) % self.shelves;
        let all = self.shelves.get();
        (0..all).map(move |n| {
            let number = first + n;
            self.shelf(if number < all { number } else { number - all })
        })
    }

    /// All words that can hold a batch.
    #[inline]
    pub fn words(self) -> impl Iterator<Item = &'a AtomicU64> {
        self.from(Home::ANY).flatten()
    }

    /// Whether there is nothing in it, at this moment.
    pub fn is_empty(self) -> bool {
        self.words()
            .all(|word| word.load(Ordering::Relaxed) == BatchWord::NONE.0)
    }

    /// Whether a home's shelf is full, at this moment. One without words is.
    pub fn is_full(self, home: Home) -> bool {
        let shelf = self.from(home).next().unwrap_or(&[]);
        shelf
            .iter()
            .all(|word| word.load(Ordering::Relaxed) != BatchWord::NONE.0)
    }

    /// Puts a batch in. False when all words are taken: the batch is still the caller's.
    pub fn put(self, home: Home, batch: Batch) -> bool {
        let word = BatchWord::pack(batch).0;
        self.from(home).flatten().any(|w| {
            // A look first: a failing exchange would take the cache line from everybody else.
            w.load(Ordering::Relaxed) == BatchWord::NONE.0
                && w.compare_exchange(BatchWord::NONE.0, word, Ordering::Release, Ordering::Relaxed)
                    .is_ok()
        })
    }

    /// Takes a batch out, of each shelf the one most recently put in as far as that is known without a count: the fuller end
    /// first.
    pub fn take(self, home: Home) -> Option<Batch> {
        self.from(home).find_map(|shelf| shelf.iter().rev().find_map(take))
    }
}

/// Takes the batch out of one word.
pub fn take(word: &AtomicU64) -> Option<Batch> {
    if word.load(Ordering::Relaxed) == BatchWord::NONE.0 {
        return None;
    }
    batch_in(word.swap(BatchWord::NONE.0, Ordering::Acquire))
}

/// Whether the batch of one word was there when this was last asked, too. One that came since then is marked, so that the next
/// time it was.
///
/// For one caller at a time, see [`Rounds`](super::rounds::Rounds): a second one would make a batch old that has just come.
pub fn was_there(word: &AtomicU64) -> bool {
    let batch = word.load(Ordering::Relaxed);
    if batch != BatchWord::NONE.0 && batch & SEEN == 0 {
        // If it was taken meanwhile, there is nothing to mark. The exchange is part of what the putter's began, so whoever takes
        // the batch sees all that was written into it.
        let _ = word.compare_exchange(batch, batch | SEEN, Ordering::Relaxed, Ordering::Relaxed);
        return false;
    }
    batch & SEEN != 0
}

/// Takes the batch out of one word if it is an old one: see [`was_there`].
pub fn take_old(word: &AtomicU64) -> Option<Batch> {
    let batch = word.load(Ordering::Relaxed);
    if batch & SEEN == 0 {
        return None;
    }
    // Whoever finds it gets it, whatever happened to the word in between: it is an old one in any case.
    let taken = word.compare_exchange(batch, BatchWord::NONE.0, Ordering::Acquire, Ordering::Relaxed);
    taken.ok().and_then(batch_in)
}

/// The batch that a word names.
fn batch_in(word: u64) -> Option<Batch> {
    let word = BatchWord(word & !SEEN);
    (!word.is_none()).then(|| word.unpack())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn batch(n: usize) -> Batch {
        Batch {
            head: (n * 16) as *mut u8,
            count: n as u32,
        }
    }

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn is_bounded_and_gives_back_what_it_got() {
        for (length, shelves, batches) in [
            (4, 1, 4),
            (8, 1, 4),
            (32, 4, 4),
            (32, 4, 7),
            (16, 2, 9),
            (1, 4, 0),
            (0, 1, 3),
        ] {
            let words = words(length);
            let depot = Depot::new(&words, shelves, batches);
            let most = usize::from(batches).min(length);
            for home in 0..5 {
                for n in 1..=most {
                    assert!(depot.put(Home(home), batch(n)), "{n} of {batches} in {shelves} shelves");
                }
                assert!(!depot.put(Home(home), batch(99)), "{batches} in {shelves} shelves");
                assert_eq!(depot.words().count(), most);
                let taken = core::iter::from_fn(|| depot.take(Home(home + 1)));
                let mut got: Vec<usize> = taken.map(|b| b.count as usize).collect();
                got.sort_unstable();
                assert!(got.into_iter().eq(1..=most));
                assert!(depot.is_empty());
            }
        }
    }

    #[test]
    fn own_batches_come_back_first_and_others_after_them() {
        let words = words(32);
        let depot = Depot::new(&words, 4, 16);
        for n in [1, 2, 3, 4, 11, 12, 13, 14] {
            assert!(depot.put(Home(n / 10), batch(usize::from(n))));
        }
        let take = |home| depot.take(Home(home)).map(|b| b.count);
        assert_eq!(
            [take(1), take(0), take(4), take(5)],
            [Some(14), Some(4), Some(3), Some(13)]
        );
        // Nobody puts there; the next shelf is the first one.
        assert_eq!(
            [take(3), take(3), take(3), take(3)],
            [Some(2), Some(1), Some(12), Some(11)]
        );
        assert_eq!(take(0), None);
    }

    #[test]
    fn shelves_share_no_cache_line() {
        let words = words(32);
        let depot = Depot::new(&words, 4, 16);
        for home in 0..4 {
            for n in 1..=4 {
                assert!(depot.put(Home(home), batch(n)));
            }
            let used = |line: &&[AtomicU64]| line.iter().any(|w| w.load(Ordering::Relaxed) != 0);
            assert_eq!(words.chunks(8).filter(used).count(), usize::from(home) + 1);
        }
    }

    #[test]
    fn what_nobody_touches_is_old_at_the_second_look() {
        let words = words(4);
        let depot = Depot::new(&words, 1, 4);
        let look = || -> Vec<u32> {
            let old = |word: &AtomicU64| was_there(word).then(|| take_old(word)).flatten();
            words.iter().filter_map(old).map(|b| b.count).collect()
        };
        let put = |n| assert!(depot.put(Home::ANY, batch(n)));
        (1..=3).for_each(put);
        assert!(words.iter().all(|word| take_old(word).is_none()));
        assert!(look().is_empty());
        // The last one goes and comes, as a trickle takes it; and one is new.
        let top = depot.take(Home::ANY).map_or(0, |b| b.count);
        assert_eq!(top, 3, "a mark changes nothing of a batch");
        put(3);
        put(4);
        assert_eq!(look(), [1, 2]);
        assert_eq!(look(), [3, 4]);
        assert!(depot.is_empty() && look().is_empty());
    }

    #[test]
    fn a_marked_word_holds_its_place() {
        let words = words(2);
        let depot = Depot::new(&words, 1, 2);
        assert!(depot.put(Home::ANY, batch(1)) && !was_there(&words[0]));
        assert!(depot.put(Home::ANY, batch(2)) && !depot.put(Home::ANY, batch(3)));
        assert!(depot.is_full(Home::ANY));
        let taken: Vec<_> = core::iter::from_fn(|| depot.take(Home::ANY))
            .map(|b| (b.head as usize, b.count))
            .collect();
        assert_eq!(taken, [(32, 2), (16, 1)]);
    }
}
