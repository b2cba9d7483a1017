//! A slot of a processor, and how it goes from one of its states to another.
//!
//! A slot's word is changed by restartable sequences of whoever runs on the processor (see [`sequence`](crate::sequence)), which
//! take or put one object, or take the list as a whole. Then zero stands there: no object, and room for none, so that everybody
//! else falls into an event. Whoever has taken a list alone may write the slot's length and put another word there. So a slot is
//! one of three:
//!
//! - **closed**: word and length are 0. It becomes open by an exchange of the length.
//! - **open**: the word is not 0. Room and length of the list are `cap` together.
//! - **taken**: the word is 0, and the length is not.
//!
//! What the sequences themselves do is in assembler; the models of `event/cpu` say it once more, and all else they run as it is here.

use crate::sync::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// A slot of a processor.
#[repr(C)]
pub struct CpuSlot {
    /// The first free object in the upper 48 bits, and how many more the list may take.
    pub(crate) word: AtomicU64,
    _none: AtomicU32,
    /// How many objects the list may hold; whoever has taken the list writes it.
    cap: AtomicU16,
    /// An event of this slot happened since somebody last looked for lists that lie idle.
    pub(crate) recent: AtomicU8,
}

#[cfg(not(loom))]
const _: () = {
    use crate::list::Slot;
    use core::mem::offset_of;
    assert!(size_of::<CpuSlot>() == size_of::<Slot>());
    assert!(
        offset_of!(CpuSlot, cap) == offset_of!(Slot, cap),
        "readers find a length in the same place"
    );
};

/// What a word says: the first object, and how many more the list may take.
#[inline]
pub(crate) fn parts(word: u64) -> (*mut u8, u32) {
    ((word >> 16) as *mut u8, word as u32 & 0xffff)
}

/// The other way round.
#[inline]
pub(crate) fn word(head: *mut u8, room: u32) -> u64 {
    (head as u64) << 16 | u64::from(room)
}

impl CpuSlot {
    /// A closed one, as a row of zeroes has them.
    #[cfg(all(test, loom))]
    pub(crate) fn closed() -> Self {
        CpuSlot {
            word: AtomicU64::new(0),
            _none: AtomicU32::new(0),
            cap: AtomicU16::new(0),
            recent: AtomicU8::new(0),
        }
    }

    /// How many objects the list may hold; 0 where the slot is closed.
    #[inline]
    pub(crate) fn cap(&self) -> u16 {
        self.cap.load(Ordering::Acquire)
    }

    /// Opens the slot for so many objects. False if it is not closed.
    #[inline]
    pub(crate) fn open(&self, cap: u16) -> bool {
        if self
            .cap
            .compare_exchange(0, cap, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return false;
        }
        self.recent.store(1, Ordering::Relaxed);
        // Whoever made the length is the one who may write the word.
        self.word.store(u64::from(cap), Ordering::Release);
        true
    }

    /// Lets the list hold so many objects; with 0 the slot is closed. For whoever has taken the list.
    #[inline]
    pub(crate) fn set_cap(&self, cap: u16) {
        self.cap.store(cap, Ordering::Release);
    }

    /// Puts a list of so many objects there. For whoever has taken the list.
    #[inline]
    pub(crate) fn put(&self, head: *mut u8, count: u32) {
        // Read now: a signal handler that interrupted an event and forked has a child in which the slot was put back meanwhile.
        let cap = u32::from(self.cap());
        let room = cap - count.min(cap);
        self.word.store(word(head, room), Ordering::Release);
    }

    /// Cuts the list off, if there is one, while nobody may take it as a whole. Returns the word that was there, or 0. Whose the list is
    /// [`is_cut_off`](Self::is_cut_off) says later.
    #[inline]
    pub(crate) fn cut_off(&self) -> u64 {
        if parts(self.word.load(Ordering::Relaxed)).0.is_null() {
            return 0;
        }
        self.word.swap(0, Ordering::SeqCst)
    }

    /// Whether a list that was cut off is the caller's, now that all sequences are over that had begun by then: else one of them has
    /// committed, and the list is the processor's.
    #[inline]
    pub(crate) fn is_cut_off(&self) -> bool {
        self.word.load(Ordering::SeqCst) == 0
    }

    /// Puts the slot back, without a list, if somebody had taken that who is gone.
    #[inline]
    pub(crate) fn mend(&self) {
        let cap = self.cap.load(Ordering::Relaxed);
        if cap != 0 && self.word.load(Ordering::Relaxed) == 0 {
            self.word.store(u64::from(cap), Ordering::Relaxed);
        }
    }

    /// The first object and the length of the list, as of a moment ago; null where there is none, or somebody has taken it.
    #[inline]
    pub(crate) fn seen(&self) -> (*mut u8, u32) {
        let (head, room) = parts(self.word.load(Ordering::Relaxed));
        let cap = u32::from(self.cap.load(Ordering::Relaxed));
        (head, if head.is_null() { 0 } else { cap.saturating_sub(room) })
    }
}
