//! The threads that have caches.

use super::block::Meta;
use super::owners::Owners;
use crate::heap::depot::Home;
use crate::os;
use crate::policy::agreed::{OWNERS_MAX, SHELVES_MAX};
use crate::sync::{AtomicU32, Guard, Guarded, Lock, Ordering, const_but_in_models};
use core::ops::Range;
use core::ptr;

struct List {
    first: *mut Meta,
    /// Threads of each owner.
    of_shard: [u32; OWNERS_MAX],
    /// Threads of each home.
    of_home: [u32; SHELVES_MAX],
}

/// The threads that have caches.
pub struct Threads {
    /// Guards the list.
    pub lock: Lock,
    list: Guarded<List>,
    /// pthread key + 1; 0 if there is none.
    key: AtomicU32,
    /// Their number, for whoever does not hold the lock.
    running: AtomicU32,
    /// The owners that have threads, likewise.
    pub owners: Owners,
}

// SAFETY: the threads in a list are there as long as they are in it, whoever looks at them.
unsafe impl Send for List {}

impl Threads {
    /// Byte offset of the pointer to the first thread.
    pub(crate) const FIRST: usize = core::mem::offset_of!(Threads, list) + core::mem::offset_of!(List, first);

    const_but_in_models! {
        /// No threads.
        pub fn new() -> Self {
            let list = List {
                first: ptr::null_mut(),
                of_shard: [0; OWNERS_MAX],
                of_home: [0; SHELVES_MAX],
            };
            Threads {
                lock: Lock::new(),
                list: Guarded::new(list),
                key: AtomicU32::new(0),
                running: AtomicU32::new(0),
                owners: Owners::new(),
            }
        }
    }

    /// Remembers the key whose destructor reports thread exits.
    pub fn set_key(&self, key: Option<os::Key>) {
        self.key.store(key.map_or(0, |k| k + 1), Ordering::Relaxed);
    }

    pub(crate) fn key(&self) -> Option<os::Key> {
        self.key.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Adds a thread. Returns the owner, of those of `shards`, that has the fewest threads: the thread is one of its. Of the
    /// first `homes` it gets the one that has the fewest, too.
    ///
    /// # Safety
    /// `meta` is the calling thread's, in no list, and is taken out of this one before the thread ends. `shards` has one
    /// owner at least, and ends at [`OWNERS_MAX`] at most.
    pub(crate) unsafe fn link(&self, meta: *mut Meta, shards: Range<usize>, homes: usize) -> usize {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; `meta` is in no list.
        unsafe {
            self.list.with(|list| {
                (*meta).prev = ptr::null_mut();
                (*meta).next = list.first;
                if !list.first.is_null() {
                    (*list.first).prev = meta;
                }
                list.first = meta;
                let shard = emptiest(&list.of_shard, shards);
                (*meta).shard = shard as u16;
                (*meta).home = Home(emptiest(&list.of_home, 0..homes) as u16);
                list.count(meta, 1);
                self.running.fetch_add(1, Ordering::Relaxed);
                self.owners.settle(shard);
                shard
            })
        }
    }

    /// Takes a thread out. Returns whether it was the last one of its owner.
    ///
    /// # Safety
    /// `meta` is in the list.
    pub(crate) unsafe fn unlink(&self, meta: *mut Meta) -> bool {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; `meta` is in the list.
        unsafe {
            self.list.with(|list| {
                let (prev, next) = ((*meta).prev, (*meta).next);
                if prev.is_null() {
                    list.first = next;
                } else {
                    (*prev).next = next;
                }
                if !next.is_null() {
                    (*next).prev = prev;
                }
                let last = list.count(meta, u32::MAX) == 0;
                self.running.fetch_sub(1, Ordering::Relaxed);
                if last {
                    self.owners.desert((*meta).shard as usize);
                }
                last
            })
        }
    }

    /// How many threads have caches, or had a moment ago: for a choice that may be late.
    #[inline]
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed) as usize
    }

    /// How many threads have caches.
    pub fn count(&self) -> usize {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        unsafe { self.list.with(|list| list.of_shard.iter().map(|n| *n as usize).sum()) }
    }

    /// Calls `f` with every thread that has caches. `f` must not allocate or lock.
    pub fn for_each(&self, f: impl FnMut(*const Meta)) {
        let guard = self.lock.lock();
        self.visit(&guard, f);
    }

    /// As [`for_each`](Self::for_each), if that needs no waiting. False if it does.
    pub fn try_for_each(&self, f: impl FnMut(*const Meta)) -> bool {
        let guard = self.lock.try_lock();
        guard.as_ref().map(|guard| self.visit(guard, f)).is_some()
    }

    fn visit(&self, _: &Guard<'_>, mut f: impl FnMut(*const Meta)) {
        // SAFETY: the lock is held, and threads leave the list before they end.
        unsafe {
            let mut at = self.list.with(|list| list.first);
            while !at.is_null() {
                f(at);
                at = (*at).next;
            }
        }
    }

    /// In the child of a fork: forgets all threads but this one, and returns the others. Owners that have none now are
    /// deserted.
    ///
    /// # Safety
    /// No other thread is in the variant's code, as in the child of a fork; `mine` is null or the calling thread's.
    pub(crate) unsafe fn keep_only(&self, mine: *mut Meta) -> Vanished {
        // SAFETY: no other thread exists, so the list is ours.
        unsafe {
            self.list.with(|list| {
                let mut at = list.first;
                let mut others = ptr::null_mut();
                let before = list.of_shard;
                list.first = ptr::null_mut();
                list.of_shard = [0; OWNERS_MAX];
                list.of_home = [0; SHELVES_MAX];
                self.running.store(0, Ordering::Relaxed);
                while !at.is_null() {
                    let following = (*at).next;
                    if at == mine {
                        (*at).next = ptr::null_mut();
                        (*at).prev = ptr::null_mut();
                        list.first = at;
                        list.count(at, 1);
                        self.running.store(1, Ordering::Relaxed);
                    } else {
                        (*at).next = others;
                        others = at;
                    }
                    at = following;
                }
                let mut deserted = [false; OWNERS_MAX];
                for (owner, deserted) in deserted.iter_mut().enumerate() {
                    *deserted = before.get(owner) > Some(&0) && list.of_shard.get(owner) == Some(&0);
                    if *deserted {
                        self.owners.desert(owner);
                    }
                }
                Vanished {
                    first: others,
                    deserted,
                }
            })
        }
    }
}

/// The first of those `among` that has the fewest threads.
fn emptiest(threads: &[u32], among: Range<usize>) -> usize {
    let counted = threads.iter().enumerate().take(among.end).skip(among.start);
    counted
        .min_by_key(|&(_, threads)| *threads)
        .map_or(0, |(number, _)| number)
}

impl List {
    /// Adds to the numbers of threads of a thread's home and owner, modulo 2^32. Returns the owner's.
    ///
    /// # Safety
    /// The caller holds the lock; `meta` is a thread's that exists.
    unsafe fn count(&mut self, meta: *const Meta, n: u32) -> u32 {
        // SAFETY: the caller holds the lock; owners are numbered below the number of counters.
        unsafe {
            if let Some(threads) = self.of_home.get_mut(usize::from((*meta).home.0)) {
                *threads = threads.wrapping_add(n);
            }
            let Some(threads) = self.of_shard.get_mut((*meta).shard as usize) else {
                return 0;
            };
            *threads = threads.wrapping_add(n);
            *threads
        }
    }
}

/// Threads that exist in the parent of a fork only, linked by their `next`.
pub(crate) struct Vanished {
    /// The first of them.
    pub(crate) first: *mut Meta,
    /// Owners that have no other threads.
    pub(crate) deserted: [bool; OWNERS_MAX],
}
