//! Every order in which threads can meet in the table of sampled objects, within loom's model of memory.

use super::live::Live;
use crate::sync::explore::explore;
use crate::sync::{AtomicUsize, Guarded, Lock, Ordering};
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

/// Places of the table: two buckets.
const PLACES: usize = 4;

/// The table, the lock of whoever changes it, and what is known of the object at each place.
struct Table {
    live: Live,
    keys: Vec<AtomicUsize>,
    lock: Lock,
    numbers: Vec<Guarded<usize>>,
}

impl Table {
    fn new() -> Arc<Table> {
        let table = Arc::new(Table {
            live: Live::new(),
            keys: (0..PLACES).map(|_| AtomicUsize::new(0)).collect(),
            lock: Lock::new(),
            numbers: (0..PLACES).map(|_| Guarded::new(0)).collect(),
        });
        // SAFETY: the keys live as long as the table.
        unsafe { table.live.open(table.keys.as_ptr().cast_mut(), PLACES) };
        table
    }

    /// Object `n` is made, of which so much is known.
    fn born(&self, n: usize, known: usize) -> bool {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        unsafe {
            self.live
                .add(object(n), |place| self.numbers[place].with(|k| *k = known))
        }
    }

    /// What is known of an object of the caller's.
    fn known(&self, n: usize) -> Option<usize> {
        let place = self.live.find(object(n))?;
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        Some(unsafe { self.numbers[place].with(|k| *k) })
    }

    /// The caller ends its object.
    fn ends(&self, n: usize) -> Option<usize> {
        let place = self.live.find(object(n))?;
        let _guard = self.lock.lock();
        self.live.take(place);
        // SAFETY: the lock is held.
        Some(unsafe { self.numbers[place].with(|k| *k) })
    }
}

fn object(n: usize) -> *const u8 {
    ((n + 1) * 4096) as *const u8
}

/// Whoever has a sampled object finds what is known of it, and whoever has another one finds nothing, whatever is added and
/// taken out beside it.
#[test]
fn each_finds_its_own() {
    explore(Some(3), || {
        let table = Table::new();
        assert!(table.born(0, 10));
        let other = {
            let table = table.clone();
            thread::spawn(move || {
                let made = table.born(1, 11);
                assert_eq!(table.live.find(object(2)), None, "nobody sampled it");
                assert_eq!(table.ends(1), made.then_some(11));
                assert_eq!(table.live.find(object(1)), None);
            })
        };
        assert_eq!(table.known(0), Some(10));
        assert_eq!(table.ends(0), Some(10));
        assert_eq!(table.live.find(object(0)), None);
        other.join().unwrap();
    });
}

/// An object ends, and its address comes to another thread by way of the heap, whose lock or list orders the two: there it is a
/// new object, of which nothing is known, or only what is new.
#[test]
fn an_address_comes_back_as_another_object() {
    explore(Some(3), || {
        let table = Table::new();
        let free = Arc::new(AtomicUsize::new(0));
        assert!(table.born(0, 10));
        let other = {
            let (table, free) = (table.clone(), free.clone());
            thread::spawn(move || {
                if free.load(Ordering::Acquire) == 0 {
                    return;
                }
                assert_eq!(table.live.find(object(0)), None, "it is another object");
                assert!(table.born(0, 20));
                assert_eq!(table.ends(0), Some(20));
            })
        };
        let third = {
            let table = table.clone();
            thread::spawn(move || table.born(3, 13).then(|| table.ends(3)))
        };
        assert_eq!(table.ends(0), Some(10));
        free.store(1, Ordering::Release);
        other.join().unwrap();
        assert!(third.join().unwrap().is_none_or(|known| known == Some(13)));
    });
}
