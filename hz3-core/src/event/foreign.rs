//! Pointers whose page has no tag: null, large objects, objects outside of the arena, and what is not ours at all.

use super::report::{self, Whereabouts};
use super::{guard, owners, sample, ward};
use crate::heap::Place;
use crate::heap::large::Large;
use crate::heap::run::LARGE;
use crate::os::{self, Malloc};
use crate::policy::knobs::Foreign;
use crate::policy::{Naming, Pool, tag_of};
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::{Kind, Route, Stats, Variant};
use core::ptr;

/// Frees `p`.
///
/// # Safety
/// `p` is null, or an object of this variant that nobody uses any more, or a pointer that is not ours. The calling thread
/// has its block: it is any thread of the C library's, not the helper.
#[cold]
#[inline(never)]
pub unsafe fn free<V: Variant>(p: *mut u8) {
    if p.is_null() {
        return;
    }
    if V::catch_up() {
        // SAFETY: as the caller says.
        return unsafe { V::free(p) };
    }
    let _timer = V::Stats::time::<V>(Kind::Untagged);
    // SAFETY: the object, if it is one, is the caller's.
    if unsafe { guard::free::<V>(p) } {
        return;
    }
    let heap = V::shared().heap();
    // SAFETY: the object, if it is one, is the caller's.
    unsafe {
        match ward::find::<V>(p) {
            Some(Large::Pages(run)) if (*run).pool != LARGE => by_pool::<V>(p, Pool::new((*run).pool as usize)),
            Some(what) => {
                sample::ends::<V>(p);
                if !ward::keep::<V>(p, what) {
                    heap.give_large(&V::POLICY, p, what, super::large::seat::<V>());
                }
                if V::POLICY.has_helper() {
                    super::helper::look::<V>();
                }
            }
            None => not_ours::<V>(p),
        }
    }
}

/// Frees an object of a class that lies outside of the arena, so that its page has no tag.
///
/// # Safety
/// `p` is an object of this variant that nobody uses any more, and of this pool. The calling thread has its block: it is
/// any thread of the C library's, not the helper.
unsafe fn by_pool<V: Variant>(p: *mut u8, pool: Pool<V>) {
    // SAFETY: the object is the caller's; this is the tag that its page would have.
    unsafe { V::Route::free::<V>(p, V::Route::tag(pool.owner(), pool.class())) }
}

/// Gives an object of a class back to its run, wherever it lies.
///
/// # Safety
/// `p` is an object of a class of this variant that nobody uses any more.
pub unsafe fn home<V: Variant>(p: *mut u8) {
    let tag = tag_of::<V>(p);
    // SAFETY: a tag other than 0 names a pool; the object is the caller's, and goes to its run.
    unsafe {
        if tag != 0 {
            let (owner, id) = V::Route::pool::<V>(tag);
            owners::one_to_runs::<V>(Pool::of(owner, id), p);
        } else if let Some(Large::Pages(run)) = V::shared().heap().find_large(p)
            && (*run).pool != LARGE
        {
            owners::one_to_runs::<V>(Pool::new((*run).pool as usize), p);
        }
    }
}

/// Bytes that the object at `p`, whose page has no tag, can hold, and whether it is one of a class, in a run; None if it is not ours.
///
/// # Safety
/// `p` is an object that nobody frees meanwhile, or a pointer that is not ours.
pub unsafe fn bytes<V: Variant>(p: *mut u8) -> Option<(usize, bool)> {
    // SAFETY: the object is the caller's, so that its run stays.
    unsafe {
        match ward::find::<V>(p)? {
            Large::Pages(run) if (*run).pool != LARGE => {
                Some((Pool::<V>::new((*run).pool as usize).row().size as usize, true))
            }
            what => {
                let bytes = sample::class_bytes::<V>(p).unwrap_or_else(|| crate::heap::Heap::large_bytes(what));
                Some((bytes, false))
            }
        }
    }
}

/// What was called with a pointer that is not ours, for the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// `free`.
    Free,
    /// `realloc`.
    Realloc,
    /// `malloc_usable_size`.
    Usable,
}

/// What is to be done with a pointer that is not ours.
pub(super) enum Fate {
    /// It goes to whose malloc it can be of.
    Theirs(Malloc),
    /// Nothing.
    Nothing,
}

/// What the policy says of `p`, which is not ours. Reports it where it says so, and where `p` is nobody's: it lies in the heap,
/// or no malloc gives such addresses.
fn fate<V: Variant>(called: Called, p: *mut u8) -> Fate {
    // Ours is aligned to 16 like the C library's; whoever serves the process that we are linked into may do with less.
    let align = if V::INTERPOSES { 16 } else { 8 };
    if V::POLICY.hardening.foreign == Foreign::Ignore {
        return Fate::Nothing;
    }
    let place = V::shared().heap().place(p);
    match V::POLICY.hardening.foreign {
        Foreign::Libc if place == Place::Elsewhere && (p as usize).is_multiple_of(align) => {
            let malloc = if V::INTERPOSES {
                Malloc::of_c_library()
            } else {
                Some(Malloc::of_process())
            };
            match malloc {
                Some(malloc) => Fate::Theirs(malloc),
                None => refuse::<V>(called, p, place),
            }
        }
        _ => refuse::<V>(called, p, place),
    }
}

/// # Safety
/// `p` is not null, and not an object of this variant.
unsafe fn not_ours<V: Variant>(p: *mut u8) {
    if let Fate::Theirs(malloc) = fate::<V>(Called::Free, p) {
        // SAFETY: not ours and not null: it can only be theirs.
        unsafe { malloc.free(p) }
    }
}

/// Bytes that the object at `p`, whose page has no tag, can hold. Of what is not ours the C library tells, if the policy
/// asks it; 0 if it is to be left alone.
///
/// # Safety
/// `p` is an object that nobody frees meanwhile, or a pointer that is not ours.
#[cold]
#[inline(never)]
pub unsafe fn usable<V: Variant>(p: *mut u8) -> usize {
    if let Some(asked) = guard::asked::<V>(p) {
        return asked;
    }
    // SAFETY: the object is the caller's.
    unsafe {
        match bytes::<V>(p) {
            Some((bytes, _)) => bytes,
            None => match fate::<V>(Called::Usable, p) {
                Fate::Theirs(malloc) => malloc.usable(p),
                Fate::Nothing => 0,
            },
        }
    }
}

/// Makes `p`, which is not ours, `n` bytes long. It stays whose it is: others may have it, and free it by other names. If it
/// is to be left alone, a new object of ours gets the first `known` bytes of it. Null with `errno` set if there is no memory,
/// or if nobody knows how long `p` is (`known` is 0).
///
/// # Safety
/// `p` is not ours; if it is another malloc's, nobody uses it any more if the result is not null. `p` has `known` bytes.
/// The calling thread has its block: it is any thread of the C library's, not the helper.
#[cold]
pub unsafe fn resize<V: Variant>(p: *mut u8, n: usize, known: usize) -> *mut u8 {
    // SAFETY: it is not ours, so it can only be theirs; of an object that is left alone so many bytes can be read as
    // `known` says.
    unsafe {
        match fate::<V>(Called::Realloc, p) {
            Fate::Theirs(malloc) => malloc.realloc(p, n),
            Fate::Nothing if known == 0 => {
                os::set_errno(os::ENOMEM);
                ptr::null_mut()
            }
            Fate::Nothing => {
                let q = V::malloc(n);
                if !q.is_null() {
                    ptr::copy_nonoverlapping(p, q, known.min(n));
                }
                q
            }
        }
    }
}

/// Reports what was called, with which pointer, and what that looks like. If the program goes on, nothing is done with it.
#[cold]
#[inline(never)]
pub(super) fn refuse<V: Variant>(called: Called, p: *mut u8, place: Place) -> Fate {
    let mut buffer = [0u8; 400];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(match called {
        Called::Free => b"free(",
        Called::Realloc => b"realloc(",
        Called::Usable => b"malloc_usable_size(",
    });
    text.address(p).push(b"): not an address that malloc gave: ");
    let mut around = Whereabouts::UNKNOWN;
    let fault = match place {
        Place::Elsewhere => {
            elsewhere(&mut text, p as usize);
            Fault::Foreign
        }
        Place::Records => {
            text.push(b"among the heap's own records");
            Fault::Foreign
        }
        Place::Free | Place::Unopened => {
            text.push(b"in free memory of the heap; was it freed before?");
            Fault::DoubleFree
        }
        Place::Guard => {
            text.push(b"in a guard of the heap, which nobody may touch");
            Fault::Foreign
        }
        Place::Small => {
            text.push(b"in a run of small objects");
            Fault::Interior
        }
        Place::Large(start, bytes) if start == p as usize => {
            text.push(b"an object of ").number(bytes as u64);
            text.push(b" bytes that was freed before");
            around = Whereabouts { object: p, size: bytes };
            Fault::DoubleFree
        }
        Place::Large(start, bytes) => {
            text.number((p as usize).wrapping_sub(start) as u64);
            text.push(b" bytes behind the beginning of an object of ")
                .number(bytes as u64);
            text.push(b" bytes");
            around = Whereabouts {
                object: start as *mut u8,
                size: bytes,
            };
            Fault::Interior
        }
    };
    if !(p as usize).is_multiple_of(V::GRANULE) {
        text.push(b", and no multiple of ").number(V::GRANULE as u64);
    }
    let length = text.finish();
    report::end::<V>(fault, p, around, &mut buffer, length);
    Fate::Nothing
}

/// Says what the process has at an address outside of the heap.
fn elsewhere(text: &mut Text, address: usize) {
    let local = 0u8;
    match os::mapped_at(address) {
        os::Mapped::Unknown => text.push(b"outside of the heap"),
        os::Mapped::Nothing => text.push(b"nothing is mapped there"),
        os::Mapped::In(m) if (m.start..m.end).contains(&(&raw const local).addr()) => {
            text.push(b"on the stack of this thread")
        }
        os::Mapped::In(m) if m.name().is_empty() => text.push(b"in a mapping that is not the heap's"),
        os::Mapped::In(m) => text.push(b"in ").push(m.name()),
    };
}
