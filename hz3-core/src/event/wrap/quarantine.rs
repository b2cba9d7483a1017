//! The quarantine: freed objects that a thread keeps from being served again (`hardening.quarantine`). Which of them leave it, for
//! new ones to come, is drawn at random, so that nobody knows when an address is served again.
//!
//! It lies in what is mapped for the thread beside its block, behind the thread's room. Objects above the largest class do not come
//! here.

use crate::event::{foreign, thread};
use crate::heap::chance::Dice;
use crate::list;
use crate::os;
use crate::policy::Policy;
use crate::policy::agreed::ADDRESS_BITS;
use crate::statics::{Meta, State, ThreadBlock};
use crate::variant::{Room, Variant};
use core::mem::size_of;

/// Bytes of the objects of which a quarantine has one entry each, on average, when it is full by bytes and by entries.
const AVERAGE: usize = 128;
/// A single object takes no more than this part of it.
const SHARE: usize = 4;

impl Policy {
    /// How many objects a thread's quarantine can hold.
    const fn quarantined(&self) -> usize {
        let bytes = self.hardening.quarantine;
        if bytes == 0 {
            0
        } else if bytes / AVERAGE < 16 {
            16
        } else {
            bytes / AVERAGE
        }
    }
}

/// A freed object: its address, and above that its bytes in granules of the variant's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
struct Entry(u64);

impl Entry {
    /// Bytes of the largest object that an entry can name.
    const fn largest(granule: usize) -> usize {
        ((1 << (u64::BITS - ADDRESS_BITS)) - 1) * granule
    }

    fn new(p: *mut u8, bytes: usize, granule: usize) -> Self {
        Entry(p as u64 | ((bytes / granule) as u64) << ADDRESS_BITS)
    }

    fn object(self) -> *mut u8 {
        (self.0 & ((1 << ADDRESS_BITS) - 1)) as *mut u8
    }

    fn bytes(self, granule: usize) -> usize {
        (self.0 >> ADDRESS_BITS) as usize * granule
    }
}

/// A thread's quarantine; the entries lie behind it. All zero at first.
#[repr(C)]
pub struct Quarantine {
    /// Bytes of the objects in it.
    bytes: usize,
    /// Objects in it.
    used: usize,
    /// What draws; the seed is 0 as long as it was not drawn itself.
    dice: Dice,
}

/// Bytes that a thread's quarantine takes beside its objects.
pub const fn room<V: Variant>() -> usize {
    match V::POLICY.quarantined() {
        0 => 0,
        entries => size_of::<Quarantine>() + entries * size_of::<Entry>(),
    }
}

/// A thread begins with the room that another one had: its quarantine is empty, and draws for itself. What entries there were is not looked
/// at again.
///
/// # Safety
/// The room is the calling thread's, and nobody else knows it.
pub unsafe fn begin<V: Variant>(body: *mut u8) {
    if room::<V>() > 0 {
        // SAFETY: it lies behind the room, which has a length that keeps it aligned.
        unsafe { body.add(V::Room::bytes::<V>()).cast::<Quarantine>().write_bytes(0, 1) };
    }
}

/// The quarantine of a thread that has caches, and its entries.
///
/// # Safety
/// The variant has quarantines; `meta` is a thread's with caches, or a copy of one.
unsafe fn of<V: Variant>(meta: *const Meta) -> (*mut Quarantine, *mut Entry) {
    // SAFETY: it lies behind the room, which has a length that keeps it aligned.
    unsafe {
        let quarantine: *mut Quarantine = (*meta).body.add(V::Room::bytes::<V>()).cast();
        (quarantine, quarantine.add(1).cast())
    }
}

/// Frees an object of a class: now or later.
///
/// # Safety
/// `p` is an object of `bytes` bytes that nobody uses any more. The calling thread has its block.
#[inline(always)]
pub unsafe fn put<V: Variant>(p: *mut u8, bytes: usize) {
    let most = V::POLICY.hardening.quarantine;
    // SAFETY: the block is this thread's, and the object goes to one place.
    unsafe {
        if thread::state::<V>() != State::Running || bytes > most / SHARE || bytes > Entry::largest(V::GRANULE) {
            return V::free(p);
        }
        let (own, entries) = of::<V>(V::Thread::meta(V::thread()));
        if (*own).bytes + bytes > most {
            make_room::<V>(own, entries, bytes);
        }
        let (used, comes) = ((*own).used, Entry::new(p, bytes, V::GRANULE));
        (*own).bytes += bytes;
        if used > 0 && ((*own).bytes > most - most / SHARE || used >= V::POLICY.quarantined()) {
            // One object for one: so the rest of the room is seldom spent, and how many have to leave is no question, as a rule.
            let drawn = entries.add(draw(own, used));
            let leaves = *drawn;
            *drawn = comes;
            list::keep_order();
            (*own).bytes -= leaves.bytes(V::GRANULE);
            return release::<V>(leaves);
        }
        *entries.add(used) = comes;
        list::keep_order();
        (*own).used = used + 1;
    }
}

/// This is the child of a fork: it draws for itself from now on, so that it does not draw what its parent does.
///
/// # Safety
/// The calling thread has its block.
pub unsafe fn in_child<V: Variant>() {
    // SAFETY: the block is this thread's, and has a quarantine as long as it is running.
    unsafe {
        if room::<V>() > 0 && thread::state::<V>() == State::Running {
            (*of::<V>(V::Thread::meta(V::thread())).0).dice = Dice(0);
        }
    }
}

/// Draws one of the `used` entries in use.
///
/// # Safety
/// The quarantine is this thread's.
#[inline(always)]
unsafe fn draw(own: *mut Quarantine, used: usize) -> usize {
    // SAFETY: as the caller says.
    unsafe {
        if (*own).dice.0 == 0 {
            (*own).dice.0 = os::secret_bits() | 1;
        }
        ((*own).dice.bits() as u32 as usize * used) >> 32
    }
}

/// Frees an object that has left the quarantine.
///
/// # Safety
/// The object is nobody's.
#[inline(always)]
unsafe fn release<V: Variant>(leaves: Entry) {
    // SAFETY: the object is free, and goes to one place.
    unsafe {
        // Its first word is soon a link, and the words beside that are at hand. The others are looked at when it is served: they may lie
        // in lines of the cache that nobody else wants now.
        let whole = !V::POLICY.marks() || super::begins_whole::<V>(leaves.object(), leaves.bytes(V::GRANULE));
        if whole {
            V::free(leaves.object());
        }
    }
}

/// Frees objects of the quarantine, which ones is drawn, until so many bytes fit. The last one takes the place of one that leaves: but
/// first it leaves its own, so that the child of a fork never finds an object twice.
///
/// # Safety
/// The quarantine is this thread's, and may hold so many bytes.
#[cold]
#[inline(never)]
unsafe fn make_room<V: Variant>(own: *mut Quarantine, entries: *mut Entry, bytes: usize) {
    // SAFETY: it is not empty as long as its bytes are too many; all indexes are below the number of entries in use; whoever leaves is
    // freed once.
    unsafe {
        while (*own).bytes + bytes > V::POLICY.hardening.quarantine {
            let last = (*own).used - 1;
            let drawn = entries.add(draw(own, last + 1));
            let (leaves, stays) = (*drawn, *entries.add(last));
            (*own).used = last;
            list::keep_order();
            *drawn = stays;
            (*own).bytes -= leaves.bytes(V::GRANULE);
            list::keep_order();
            release::<V>(leaves);
        }
    }
}

/// Gives all that this thread has in its quarantine back to its runs. Returns the bytes.
///
/// # Safety
/// The calling thread is running: it has caches.
pub unsafe fn flush<V: Variant>() -> usize {
    if room::<V>() == 0 {
        return 0;
    }
    // SAFETY: the block is this thread's; what is taken out is given back once.
    unsafe {
        let bytes = (*of::<V>(V::Thread::meta(V::thread())).0).bytes;
        each::<V>(|p| foreign::home::<V>(p));
        bytes
    }
}

/// Takes all out that this thread has in its quarantine, and looks at it: `give` is called with each object that is whole. It may be an
/// event of this thread, and come here again.
///
/// # Safety
/// The calling thread is running, and the variant has quarantines.
#[inline(always)]
unsafe fn each<V: Variant>(give: impl Fn(*mut u8)) {
    // SAFETY: the block is this thread's; what is taken out is given once.
    unsafe {
        let (own, entries) = of::<V>(V::Thread::meta(V::thread()));
        while (*own).used > 0 {
            let last = (*own).used - 1;
            let entry = *entries.add(last);
            (*own).used = last;
            (*own).bytes -= entry.bytes(V::GRANULE);
            list::keep_order();
            if is_whole::<V>(entry) {
                give(entry.object());
            }
        }
    }
}

/// This thread is about to end: what is in its quarantine goes where all goes that it frees, which takes less than to give object by object
/// back to runs. What its lists hold then leaves with it.
///
/// # Safety
/// The calling thread is running: it has caches.
pub unsafe fn leave<V: Variant>() {
    if room::<V>() > 0 {
        // SAFETY: the block is this thread's; what is free goes to one place.
        unsafe { each::<V>(|p| V::free(p)) };
    }
}

/// Whether nobody wrote to an object of the quarantine, as far as that can be told. If somebody did, it is reported.
///
/// # Safety
/// The entry is of this thread's quarantine.
#[inline(always)]
unsafe fn is_whole<V: Variant>(entry: Entry) -> bool {
    // SAFETY: the object is free, and the quarantine's.
    unsafe { !V::POLICY.marks() || super::is_whole::<V>(entry.object(), entry.bytes(V::GRANULE)) }
}

/// The process ends, or the library is unloaded: looks at all that is in this thread's quarantine.
pub fn at_exit<V: Variant>() {
    // SAFETY: this is called as any function of the variant's is, by a thread of the C library's; the block is this thread's.
    unsafe {
        if room::<V>() == 0 || !V::POLICY.marks() || thread::state::<V>() != State::Running {
            return;
        }
        let (own, entries) = of::<V>(V::Thread::meta(V::thread()));
        for i in 0..(*own).used {
            is_whole::<V>(*entries.add(i));
        }
    }
}

/// Takes back what a thread had in its quarantine that does not exist any more: `give` is called with each object.
///
/// # Safety
/// As for [`Room::take_back`].
pub unsafe fn take_back<V: Variant>(meta: *const Meta) {
    if room::<V>() == 0 {
        return;
    }
    // SAFETY: the quarantine is that of a thread that is gone, and its entries in use are objects that nobody else has.
    unsafe {
        let (own, entries) = of::<V>(meta);
        for i in 0..(*own).used {
            foreign::home::<V>((*entries.add(i)).object());
        }
    }
}

/// Bytes of the objects in a thread's quarantine, for whoever counts: the thread may change them meanwhile.
///
/// # Safety
/// `meta` is a thread's with caches.
pub unsafe fn held<V: Variant>(meta: *const Meta) -> usize {
    if room::<V>() == 0 {
        return 0;
    }
    // SAFETY: the thread has its room until it leaves the list of threads.
    unsafe { (&raw const (*of::<V>(meta).0).bytes).read_volatile() }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::agreed::{GRANULE, LEAST_GRANULE};
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn an_entry_is_what_was_put_in(
            granule in prop::sample::select(vec![LEAST_GRANULE, GRANULE]),
            at in 1usize..1 << (ADDRESS_BITS - 4),
            granules in 1usize..=Entry::largest(1),
        ) {
            let entry = Entry::new((at * granule) as *mut u8, granules * granule, granule);
            prop_assert_eq!(entry.object() as usize, at * granule);
            prop_assert_eq!(entry.bytes(granule), granules * granule);
        }
    }
}
