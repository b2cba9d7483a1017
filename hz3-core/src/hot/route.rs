//! Whose a freed object is: four answers, one type each.
//!
//! A *pool* is the runs of one class and one owner; its number is `owner * CLASSES + class`. A tag names a pool, in the
//! form that this file's answer finds fastest. Tag 0 names none: it leads to the trap.

use crate::event;
use crate::list::{Hand, Slot, SlotOffset};
use crate::policy::{ClassId, Naming, Owner, Shape};
use crate::variant::{Route, Sentry, Variant};

/// What a tag says of the place in a row, where the owner's number stands above it.
#[inline(always)]
const fn in_row<S: Shape>(tag: usize) -> SlotOffset {
    SlotOffset::new(tag & ((1 << S::BIN_BITS) - 1))
}

/// The freeing thread's: a tag is the offset of a slot in the thread's block.
pub struct Adopt;

impl Naming for Adopt {
    #[inline(always)]
    fn tag<S: Shape>(_: Owner<S>, class: ClassId<S>) -> usize {
        SlotOffset::of(class).bytes()
    }

    #[inline(always)]
    unsafe fn pool<S: Shape>(tag: usize) -> (Owner<S>, ClassId<S>) {
        // SAFETY: the tag is the offset of a class's slot, as `tag` gives no other.
        (Owner::FIRST, unsafe { SlotOffset::new(tag).class() })
    }
}

impl Route for Adopt {
    #[inline(always)]
    unsafe fn free<V: Variant>(p: *mut u8, tag: usize) {
        let slot = V::slot(SlotOffset::new(tag));
        // SAFETY: a tag is the offset of a slot of the bank (tag 0: the trap, whose room is always 0).
        unsafe {
            if V::Sentry::refuses::<V>(p, tag, slot, || SlotOffset::new(tag).class()) {
                return event::check::refused_by::<V>(p, slot);
            }
            match Hand::lowered(slot) {
                Some(lowered) => lowered.put::<V>(p),
                None => event::overflow::overflow::<V>(p, slot),
            }
        }
    }
}

/// The processor's on which it is freed: a tag is the offset of a slot in a row.
pub struct PerCpu;

impl Naming for PerCpu {
    #[inline(always)]
    fn tag<S: Shape>(owner: Owner<S>, class: ClassId<S>) -> usize {
        Adopt::tag(owner, class)
    }

    #[inline(always)]
    unsafe fn pool<S: Shape>(tag: usize) -> (Owner<S>, ClassId<S>) {
        // SAFETY: it asks for no more than this function.
        unsafe { Adopt::pool(tag) }
    }
}

impl Route for PerCpu {
    #[inline(always)]
    unsafe fn free<V: Variant>(p: *mut u8, tag: usize) {
        let slot = V::slot(SlotOffset::new(tag));
        // SAFETY: a tag is the offset of a slot of a row (tag 0: the trap, whose room is always 0).
        unsafe {
            if V::Sentry::refuses::<V>(p, tag, slot, || SlotOffset::new(tag).class()) {
                return event::check::refused_by::<V>(p, slot);
            }
            if !V::cpu_push(tag, p) {
                event::overflow::overflow::<V>(p, slot);
            }
        }
    }
}

/// Its owner's, through a bank with one row of slots for each owner: a tag is the offset of a slot in that bank. The bank
/// of a thread that has not started is shared by all of them and never written, so the room is looked at first.
pub struct OwnerBank;

impl Naming for OwnerBank {
    #[inline(always)]
    fn tag<S: Shape>(owner: Owner<S>, class: ClassId<S>) -> usize {
        SlotOffset::in_bank(owner, class).bytes()
    }

    #[inline(always)]
    unsafe fn pool<S: Shape>(tag: usize) -> (Owner<S>, ClassId<S>) {
        // SAFETY: `tag` has put together an owner's number and the offset of a class's slot, which is below 2^BIN_BITS.
        unsafe { (Owner::new(tag >> S::BIN_BITS), in_row::<S>(tag).class()) }
    }
}

impl Route for OwnerBank {
    #[inline(always)]
    unsafe fn free<V: Variant>(p: *mut u8, tag: usize) {
        let slot = V::bank_slot(SlotOffset::new(tag));
        // SAFETY: a tag is the offset of a slot of the bank (tag 0: the trap, whose room is always 0).
        unsafe {
            if V::Sentry::refuses::<V>(p, tag, slot, || in_row::<V>(tag).class()) {
                return event::check::refused_by::<V>(p, slot);
            }
            match Hand::spared(slot) {
                Some(lowered) => lowered.put::<V>(p),
                None => event::remote::full_row::<V>(p, slot),
            }
        }
    }
}

/// Its owner's: into the thread's own slot if that is the owner, else into a ring, which is flushed sorted by pool. A
/// tag is the offset of a slot plus the owner's number from 1 on, shifted; a thread that has not started is owner 0.
pub struct OwnerRing;

impl Naming for OwnerRing {
    #[inline(always)]
    fn tag<S: Shape>(owner: Owner<S>, class: ClassId<S>) -> usize {
        owner.shifted_from_one() + SlotOffset::of(class).bytes()
    }

    #[inline(always)]
    unsafe fn pool<S: Shape>(tag: usize) -> (Owner<S>, ClassId<S>) {
        // SAFETY: as for `OwnerBank`, with owners counted from 1 on.
        unsafe { (Owner::new((tag >> S::BIN_BITS) - 1), in_row::<S>(tag).class()) }
    }
}

impl Route for OwnerRing {
    #[inline(always)]
    unsafe fn free<V: Variant>(p: *mut u8, tag: usize) {
        // SAFETY: the block is this thread's; below a row's length the difference is the offset of a slot of it.
        unsafe {
            let (bank, base) = event::thread::bank_and_base::<V>();
            let offset = tag.wrapping_sub(base);
            if offset >= 1 << V::BIN_BITS {
                return event::remote::into_ring::<V>(p, tag);
            }
            let slot: *mut Slot = bank.byte_add(offset);
            if V::Sentry::refuses::<V>(p, tag, slot, || SlotOffset::new(offset).class()) {
                return event::check::refused::<V>(p, tag);
            }
            match Hand::lowered(slot) {
                Some(lowered) => lowered.put::<V>(p),
                None => event::overflow::overflow::<V>(p, slot),
            }
        }
    }
}
