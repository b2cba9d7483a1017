//! A list that an event has taken out of a processor's slot.

use crate::event::check;
use crate::list::{self, Batch, Slot};
use crate::policy::{ClassId, Pool};
use crate::statics::cpu_slot::parts;
use crate::statics::{CpuSlot, Row};
use crate::variant::Variant;
use core::ptr;

/// The list of a slot, whose word is zero until this is put back: every way to get rid of it does that.
#[must_use]
pub(super) struct Taken {
    slot: *const CpuSlot,
    /// The row that the slot is in.
    pub row: *const Row,
    list: Batch,
    cap: u16,
}

impl Taken {
    /// Takes the list of this processor's slot. None if it is closed, or another has it.
    ///
    /// # Safety
    /// `slot` is the slot of a class. The calling thread has its block.
    pub unsafe fn of<V: Variant>(slot: *mut Slot) -> Option<Taken> {
        // SAFETY: the offset is that of a slot of a class; what was taken is put back by whoever gets this.
        unsafe {
            let (row, word) = V::cpu_take(slot.addr());
            (word != 0).then(|| Self::checked::<V>(row, slot.addr(), word))
        }
    }

    /// What was taken from the slot at an offset of a row.
    ///
    /// # Safety
    /// The word was taken there, and zero was put in its place.
    pub unsafe fn checked<V: Variant>(row: *mut u8, offset: usize, word: u64) -> Taken {
        let slot: *const CpuSlot = row.wrapping_add(offset).cast();
        let (head, room) = parts(word);
        // SAFETY: the slot lies in the row. It is ours, so nobody changes its length.
        let cap = unsafe { (*slot).cap() };
        let mut list = Batch {
            head,
            count: u32::from(cap).saturating_sub(room),
        };
        if head.is_null() != (list.count == 0) {
            // SAFETY: the offset is that of a class's slot.
            unsafe {
                let id = list::SlotOffset::new(offset).class::<V>();
                check::disagrees::<V>(id, room, u32::from(cap));
            }
            list = Batch::EMPTY;
        }
        Taken {
            slot,
            row: row.cast(),
            list,
            cap,
        }
    }

    /// Objects of the list.
    pub fn count(&self) -> u32 {
        self.list.count
    }

    /// How many it may hold.
    pub fn cap(&self) -> u16 {
        self.cap
    }

    /// The objects.
    pub fn batch(&self) -> Batch {
        self.list
    }

    /// The slot's other words.
    pub fn slot(&self) -> &CpuSlot {
        // SAFETY: rows are there as long as threads use them.
        unsafe { &*self.slot }
    }

    /// Lets the list hold so many objects.
    pub fn set_cap(&mut self, cap: u16) {
        self.cap = cap;
        self.slot().set_cap(cap);
    }

    /// Puts it back as it is. Returns how many objects it may hold.
    pub fn put_back(self) -> u16 {
        let (list, cap) = (self.list, self.cap);
        self.put(list);
        cap
    }

    /// Puts another list there, of as many objects as it may hold at the most.
    pub fn put(self, list: Batch) {
        self.slot().put(list.head, list.count);
    }

    /// Puts it back without its first object, which is the caller's.
    ///
    /// # Safety
    /// The list is not empty, and of class `id`.
    pub unsafe fn pop<V: Variant>(self, id: ClassId<V>) -> *mut u8 {
        let mut list = self.list;
        // SAFETY: the list is ours, and not empty.
        let p = unsafe { check::pop::<V>(Pool::of(crate::policy::Owner::FIRST, id), &mut list) };
        self.put(list);
        p
    }

    /// Puts it back with `p` in front.
    ///
    /// # Safety
    /// The list has room. `p` is the caller's, and of the slot's class.
    pub unsafe fn push<V: Variant>(self, p: *mut u8) {
        let mut list = self.list;
        // SAFETY: the object is the caller's.
        unsafe { list.push::<V>(p) };
        self.put(list);
    }

    /// Closes the slot, whose word is zero and stays so. The objects are the caller's.
    pub fn close(self) {
        self.slot().set_cap(0);
    }

    /// Takes the objects out, and puts the list back empty.
    pub fn empty(self) -> Batch {
        let list = self.list;
        self.put(Batch {
            head: ptr::null_mut(),
            count: 0,
        });
        list
    }
}
