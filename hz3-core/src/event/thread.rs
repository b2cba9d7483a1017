//! A thread's block, its start and its end.

use super::{central, class, magazine};
use crate::hot::Slot;
use crate::list::{self, Batch, BatchWord};
use crate::os;
use crate::statics::Shared;
use crate::sync::{AtomicU32, Lock, Ordering};
use crate::variant::Variant;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr;

/// What a thread is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum State {
    /// Its block is all zero.
    New = 0,
    /// It has caches.
    Running = 1,
    /// Its exit was reported, or nobody will report it: every operation goes to central, so that nothing is left behind.
    Uncached = 2,
}

/// The part of a block that only events use.
#[repr(C)]
pub struct Meta {
    state: State,
    /// Times that the exit was reported.
    exits: u32,
    /// Bytes by which the magazines may still grow, all together.
    pub(super) growth: usize,
    /// Where the search for idle magazines goes on.
    pub(super) hand: usize,
    /// Neighbours in the list of threads with caches.
    next: *mut Meta,
    prev: *mut Meta,
    /// The block, for the child of a fork.
    bank: *mut Slot,
    spares: *mut BatchWord,
}

/// A thread block: `SLOTS` is the number of classes and one for the trap. All zero in a new thread.
#[repr(C, align(64))]
pub struct Block<const SLOTS: usize> {
    bank: [Slot; SLOTS],
    spares: [BatchWord; SLOTS],
    meta: Meta,
}

/// A thread block, whatever its number of slots. Pointers in, pointers out: the block is never borrowed.
pub trait ThreadBlock: 'static {
    /// Events' part.
    ///
    /// `this` is a thread block.
    unsafe fn meta(this: *mut Self) -> *mut Meta;
    /// The spare magazines; the one of class `c` is number `c + 1`, like its slot.
    ///
    /// `this` is a thread block.
    unsafe fn spares(this: *mut Self) -> *mut BatchWord;
}

impl<const SLOTS: usize> ThreadBlock for Block<SLOTS> {
    #[inline]
    unsafe fn meta(this: *mut Self) -> *mut Meta {
        // SAFETY: the caller's contract.
        unsafe { &raw mut (*this).meta }
    }

    #[inline]
    unsafe fn spares(this: *mut Self) -> *mut BatchWord {
        // SAFETY: the caller's contract.
        unsafe { (&raw mut (*this).spares).cast() }
    }
}

/// The threads that have caches.
pub struct Threads {
    /// Guards the list.
    pub lock: Lock,
    first: UnsafeCell<*mut Meta>,
    /// pthread key + 1; 0 if there is none.
    key: AtomicU32,
}

// SAFETY: `first` is only touched while `lock` is held.
unsafe impl Sync for Threads {}

impl Threads {
    /// No threads.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Threads {
            lock: Lock::new(),
            first: UnsafeCell::new(ptr::null_mut()),
            key: AtomicU32::new(0),
        }
    }

    /// Remembers the key whose destructor reports thread exits.
    pub fn set_key(&self, key: Option<os::Key>) {
        self.key.store(key.map_or(0, |k| k + 1), Ordering::Relaxed);
    }

    fn key(&self) -> Option<os::Key> {
        self.key.load(Ordering::Relaxed).checked_sub(1)
    }

    unsafe fn link(&self, meta: *mut Meta) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; `meta` is in no list.
        unsafe {
            let first = *self.first.get();
            (*meta).prev = ptr::null_mut();
            (*meta).next = first;
            if !first.is_null() {
                (*first).prev = meta;
            }
            *self.first.get() = meta;
        }
    }

    unsafe fn unlink(&self, meta: *mut Meta) {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; `meta` is in the list.
        unsafe {
            let (prev, next) = ((*meta).prev, (*meta).next);
            if prev.is_null() {
                *self.first.get() = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
    }

    /// How many threads have caches.
    pub fn count(&self) -> usize {
        let _guard = self.lock.lock();
        let mut n = 0;
        // SAFETY: the lock is held, and blocks leave the list before their threads end.
        let mut at = unsafe { *self.first.get() };
        while !at.is_null() {
            n += 1;
            // SAFETY: as above.
            at = unsafe { (*at).next };
        }
        n
    }

    /// In the child of a fork: forgets all threads but this one, and returns the first of the others; they are linked
    /// by their `next`.
    pub unsafe fn keep_only(&self, mine: *mut Meta) -> Vanished {
        // SAFETY: no other thread exists, so the list is ours.
        unsafe {
            let mut at = *self.first.get();
            let mut others = ptr::null_mut();
            *self.first.get() = ptr::null_mut();
            while !at.is_null() {
                let following = (*at).next;
                if at == mine {
                    (*at).next = ptr::null_mut();
                    (*at).prev = ptr::null_mut();
                    *self.first.get() = at;
                } else {
                    (*at).next = others;
                    others = at;
                }
                at = following;
            }
            Vanished(others)
        }
    }
}

/// Threads that exist in the parent of a fork only.
pub struct Vanished(*mut Meta);

impl Vanished {
    /// Takes all they had in their caches and gives it back, after looking at every object: on machines that reorder
    /// stores, the copy of a list may be older than what points to it.
    pub unsafe fn take_back<V: Variant>(self) {
        let mut at = self.0;
        while !at.is_null() {
            // SAFETY: the blocks are copies of those threads' memory, and nobody else knows them here.
            unsafe {
                for id in 0..V::CLASSES {
                    let slot = (*at).bank.add(id + 1);
                    let spare = (*at).spares.add(id + 1);
                    for head in [(*slot).head, (*spare).unpack().head] {
                        let list = checked::<V>(id, head);
                        if list.count > 0 {
                            central::<V>(id).give::<V>(class::<V>(id), list.head);
                        }
                    }
                }
                at = (*at).next;
            }
        }
    }
}

/// The objects of a list up to the first that cannot be one of class `id`.
unsafe fn checked<V: Variant>(id: usize, head: *mut u8) -> Batch {
    let tag = (id + 1) * size_of::<Slot>();
    let most = u32::from(u16::MAX);
    let mut out = Batch::EMPTY;
    let mut p = head;
    // SAFETY: a page with the class's tag belongs to an open run of the class, so it is mapped; links of a list that is
    // not torn lead to such pages or to null.
    unsafe {
        while out.count < most && (p as usize).is_multiple_of(16) && crate::hot::tag_of::<V>(p) == tag {
            let following = list::next(p);
            out.push(p);
            p = following;
        }
    }
    out
}

/// Makes sure that this thread may use its caches, or says that it must not.
#[inline]
pub unsafe fn state<V: Variant>() -> State {
    // SAFETY: the block is this thread's.
    unsafe { (*V::Thread::meta(V::thread())).state }
}

/// A thread's first event.
///
/// This thread's state is `New`.
#[cold]
#[inline(never)]
pub unsafe fn start<V: Variant>() {
    super::process::start::<V>();
    let block = V::thread();
    // SAFETY: the block is this thread's, and the process has started.
    unsafe {
        let meta = V::Thread::meta(block);
        let Some(key) = V::shared().threads().key() else {
            (*meta).state = State::Uncached;
            return;
        };
        let bank = V::slot(0);
        (*meta).bank = bank;
        (*meta).spares = V::Thread::spares(block);
        for id in 0..V::CLASSES {
            let first = class::<V>(id).batch_first;
            let slot = bank.add(id + 1);
            (*slot).room = u32::from(first);
            (*slot).cap = first;
        }
        (*meta).growth = V::POLICY.growth;
        (*meta).state = State::Running;
        V::shared().threads().link(meta);
        // May allocate; this thread is ready for that.
        os::arm_key(key, meta.cast());
    }
}

/// The key's destructor: gives everything back that this thread has. What the thread still allocates and frees after
/// that goes to central one by one.
pub unsafe extern "C" fn exit<V: Variant>(_: *mut c_void) {
    let block = V::thread();
    // SAFETY: the C library calls this in the thread that armed the key, whose block it is.
    unsafe {
        let meta = V::Thread::meta(block);
        if (*meta).state != State::Running {
            return;
        }
        (*meta).exits += 1;
        if (*meta).exits == 1
            && let Some(key) = V::shared().threads().key()
        {
            // Once more around: other keys' destructors may still want to allocate.
            os::arm_key(key, meta.cast());
            return;
        }
        (*meta).state = State::Uncached;
        flush::<V>();
        V::shared().threads().unlink(meta);
    }
}

/// Gives back all that this thread caches. Afterwards its rooms are 0 if it is uncached, or those of a new thread.
pub unsafe fn flush<V: Variant>() {
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let running = (*meta).state == State::Running;
        for id in 0..V::CLASSES {
            let first = class::<V>(id).batch_first;
            magazine::empty::<V>(id, if running { first } else { 0 });
        }
        (*meta).growth = V::POLICY.growth;
    }
}
