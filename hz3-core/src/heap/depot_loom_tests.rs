//! Every order in which threads can meet in a depot, within loom's model of memory.

use crate::heap::demand::Demand;
use crate::heap::depot::{Depot, Home, take_old, was_there};
use crate::heap::rounds::Rounds;
use crate::list::Batch;
use crate::sync::AtomicU64;
use crate::sync::explore::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// A depot of `words` words in shelves, and for each of `batches` batches the memory of its objects: whoever owns the batch
/// may write there, and nobody else.
struct Market {
    words: Vec<AtomicU64>,
    shelves: u32,
    objects: Vec<UnsafeCell<usize>>,
}

// SAFETY: the objects of a batch are only reached by its owner; that a batch has one owner is what the tests prove.
unsafe impl Sync for Market {}

const MADE: usize = 1;
const TAKEN: usize = 2;

impl Market {
    fn new(words: usize, batches: usize) -> Arc<Market> {
        Market::shelfed(words, 1, batches)
    }

    fn shelfed(words: usize, shelves: u32, batches: usize) -> Arc<Market> {
        Arc::new(Market {
            shelves,
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            objects: (0..batches).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    fn depot(&self) -> Depot<'_> {
        Depot::new(&self.words, self.shelves, self.words.len() as u16)
    }

    /// Fills batch `n` and puts it in, from the home of that number; says whether there was room.
    fn put(&self, n: usize) -> bool {
        // SAFETY: batch `n` is put by one thread, which owns it until the depot has it.
        self.objects[n].with_mut(|o| unsafe { *o = MADE });
        self.depot().put(
            Home(n as u16),
            Batch {
                head: ((n + 1) * 16) as *mut u8,
                count: n as u32 + 1,
            },
        )
    }

    fn take(&self) -> Option<usize> {
        self.take_at(0)
    }

    /// Takes a batch for a home. It must be whole, filled by its putter and taken by nobody before.
    fn take_at(&self, home: u16) -> Option<usize> {
        self.depot().take(Home(home)).map(|batch| self.owned(batch))
    }

    /// Looks at all words, as a round does. Returns the batches that were old.
    fn look(&self) -> Vec<usize> {
        let old = |word: &AtomicU64| was_there(word).then(|| take_old(word)).flatten();
        let batches = self.words.iter().filter_map(old);
        batches.map(|batch| self.owned(batch)).collect()
    }

    /// A batch was taken out.
    fn owned(&self, batch: Batch) -> usize {
        let n = batch.head as usize / 16 - 1;
        assert_eq!(batch.count as usize, n + 1, "address and count of different batches");
        // SAFETY: the depot has given the batch to this thread alone.
        self.objects[n].with_mut(|o| unsafe {
            assert_eq!(*o, MADE, "taken twice, or before it was filled");
            *o = TAKEN;
        });
        n
    }

    /// What is still inside, when no other thread is left.
    fn drain(&self) -> Vec<usize> {
        std::iter::from_fn(|| self.take()).collect()
    }
}

/// Two threads put, one takes: every batch that found room is delivered exactly once, the others are still their
/// putters'.
#[test]
fn two_put_and_one_takes() {
    explore(Some(4), || {
        let market = Market::new(2, 2);
        let putters: Vec<_> = (0..2)
            .map(|n| {
                let market = market.clone();
                thread::spawn(move || market.put(n))
            })
            .collect();
        let mut got: Vec<usize> = (0..2).filter_map(|_| market.take()).collect();
        let put: Vec<bool> = putters.into_iter().map(|t| t.join().unwrap()).collect();
        assert_eq!(put, [true, true], "two words hold two batches");
        got.extend(market.drain());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

/// One word, two batches: the depot never holds more than it may, and refuses nothing without cause.
#[test]
fn one_word_holds_one_batch() {
    explore(None, || {
        let market = Market::new(1, 2);
        let other = {
            let market = market.clone();
            thread::spawn(move || market.put(1))
        };
        let mine = market.put(0);
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one batch has room, and only one");
        assert_eq!(market.drain(), [usize::from(theirs)]);
    });
}

/// Two threads want the same batch: one gets it.
#[test]
fn two_take_and_one_gets() {
    explore(None, || {
        let market = Market::new(2, 1);
        assert!(market.put(0));
        let other = {
            let market = market.clone();
            thread::spawn(move || market.take())
        };
        let mine = market.take();
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} and {theirs:?}");
    });
}

/// A word that is emptied and filled again while somebody looks at it still gives whole batches to one taker each: the
/// place where an ABA fault would show. A batch taken is put again under the same address.
#[test]
fn batches_go_around() {
    explore(Some(3), || {
        let market = Market::new(1, 2);
        assert!(market.put(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let market = market.clone();
                thread::spawn(move || {
                    let Some(n) = market.take() else { return Vec::new() };
                    if market.put(n) { Vec::new() } else { std::vec![n] }
                })
            })
            .collect();
        let mine = market.put(1);
        let mut owned: Vec<usize> = if mine { Vec::new() } else { std::vec![1] };
        for other in others {
            owned.extend(other.join().unwrap());
        }
        owned.extend(market.drain());
        owned.sort_unstable();
        assert_eq!(owned, [0, 1], "each batch has exactly one owner in the end");
    });
}

/// Two threads with a shelf each put a batch and take one, their own first. No batch is out of the other's reach, and each is
/// taken once.
#[test]
fn each_finds_its_own_or_the_others() {
    explore(Some(4), || {
        let market = Market::shelfed(2, 2, 2);
        let other = {
            let market = market.clone();
            thread::spawn(move || (market.put(1), market.take_at(1), market.take_at(1)))
        };
        let mine = (market.put(0), market.take_at(0));
        let theirs = other.join().unwrap();
        assert!(mine.0 && theirs.0, "two words hold two batches");
        let taken = [mine.1, theirs.1, theirs.2];
        let mut got: Vec<usize> = taken.into_iter().flatten().chain(market.drain()).collect();
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

/// A batch is put in while another thread says that it empties the depot, and does: the batch is found, or the next one who
/// empties depots knows that there is one.
#[test]
fn nothing_waits_unknown() {
    explore(None, || {
        let market = Market::new(1, 2);
        let demand = Arc::new(Demand::new());
        assert!(market.put(0));
        demand.stored();
        let other = {
            let (market, demand) = (market.clone(), demand.clone());
            thread::spawn(move || demand.clear() && market.take().is_some())
        };
        let put = market.put(1);
        if put {
            demand.stored();
        }
        let emptied = other.join().unwrap();
        let known = demand.clear();
        assert!(known || market.drain().is_empty(), "put: {put}, emptied: {emptied}");
    });
}

/// One thread puts a batch and takes one while another looks twice, as two rounds do: whoever takes a batch finds it whole,
/// marked or not, and each is taken once.
#[test]
fn old_batches_have_one_taker() {
    explore(Some(3), || {
        let market = Market::new(2, 2);
        assert!(market.put(0));
        let other = {
            let market = market.clone();
            thread::spawn(move || (market.put(1), market.take()))
        };
        let mut got = market.look();
        assert!(got.is_empty(), "nothing is old at the first look");
        got.extend(market.look());
        let (put, taken) = other.join().unwrap();
        assert!(put, "two words hold two batches");
        got.extend(taken);
        got.extend(market.drain());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

/// A batch is taken and comes back while a look is under way: it may be marked, and is whole for whoever takes it.
#[test]
fn a_mark_may_meet_the_same_batch_again() {
    explore(None, || {
        let market = Market::new(1, 1);
        assert!(market.put(0));
        let other = {
            let market = market.clone();
            thread::spawn(move || market.take().map(|n| market.put(n)))
        };
        let mut got = market.look();
        let back = other.join().unwrap();
        assert!(got.is_empty() && back == Some(true));
        got.extend(market.look());
        got.extend(market.look());
        assert_eq!(got, [0], "old at the second look, or the third");
    });
}

/// Two threads go on with a round, as often as it is open: one at a time, and each place once.
#[test]
fn one_at_a_time_walks_a_round() {
    explore(None, || {
        let rounds = Arc::new(Rounds::default());
        let walked = Arc::new(Walked(UnsafeCell::new(Vec::new())));
        rounds.begin();
        let walk = |rounds: &Rounds, walked: &Walked| {
            rounds.begin();
            if let Some(place) = rounds.enter() {
                // SAFETY: whoever is in the round is alone in it, as loom proves here.
                walked.0.with_mut(|w| unsafe { (*w).push(place) });
                rounds.leave((place < 2).then_some(place + 1));
            }
        };
        let other = {
            let (rounds, walked) = (rounds.clone(), walked.clone());
            thread::spawn(move || walk(&rounds, &walked))
        };
        walk(&rounds, &walked);
        other.join().unwrap();
        // SAFETY: the other thread has ended.
        let places = walked.0.with(|w| unsafe { (*w).clone() });
        assert!(places == [0] || places == [0, 1], "{places:?}");
    });
}

/// The places that were walked, for whoever is in the round.
struct Walked(UnsafeCell<Vec<u32>>);

// SAFETY: only reached inside of a round; that this is enough is what the test proves.
unsafe impl Sync for Walked {}
// SAFETY: as above.
unsafe impl Send for Walked {}
