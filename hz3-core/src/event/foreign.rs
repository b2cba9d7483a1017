//! Pointers whose page has no tag: null, large objects, objects outside of the arena, and what is not ours at all.

use super::sample;
use crate::heap::Place;
use crate::heap::large::Large;
use crate::heap::segment::LARGE;
use crate::os::{self, Malloc};
use crate::policy::knobs::Foreign;
use crate::policy::{Naming, Pool};
use crate::statics::Shared;
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
    let _timer = V::Stats::time::<V>(Kind::Untagged);
    let heap = V::shared().heap();
    // SAFETY: the object, if it is one, is the caller's.
    unsafe {
        match heap.find_large(p) {
            Some(Large::Pages(run)) if (*run).pool != LARGE => by_pool::<V>(p, Pool::new((*run).pool as usize)),
            Some(what) => {
                sample::ends::<V>(p);
                heap.give_large(&V::POLICY, p, what, super::large::seat::<V>());
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

/// What was called with a pointer that is not ours, for the message.
#[derive(Clone, Copy)]
enum Called {
    Free,
    Realloc,
    Usable,
}

/// What is to be done with a pointer that is not ours.
enum Fate {
    /// It goes to whose malloc it can be of.
    Theirs(Malloc),
    /// Nothing.
    Nothing,
}

/// What the policy says of `p`, which is not ours. Ends the process with a message where it says so, and where `p` is
/// nobody's: it lies in the heap, or no malloc gives such addresses.
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
                None => refuse(called, p, place),
            }
        }
        _ => refuse(called, p, place),
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
    // SAFETY: the object is the caller's.
    unsafe {
        match V::shared().heap().find_large(p) {
            Some(Large::Pages(run)) if (*run).pool != LARGE => Pool::<V>::new((*run).pool as usize).row().size as usize,
            Some(what) => sample::class_bytes::<V>(p).unwrap_or_else(|| crate::heap::Heap::large_bytes(what)),
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

/// Ends the process: says what was called, with which pointer, and what that looks like.
#[cold]
#[inline(never)]
fn refuse(called: Called, p: *mut u8, place: Place) -> ! {
    let mut buffer = [0u8; 400];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(match called {
        Called::Free => b"free(",
        Called::Realloc => b"realloc(",
        Called::Usable => b"malloc_usable_size(",
    });
    text.address(p).push(b"): not an address that malloc gave: ");
    match place {
        Place::Elsewhere => elsewhere(&mut text, p as usize),
        Place::Records => drop(text.push(b"among the heap's own records")),
        Place::Free | Place::Unopened => drop(text.push(b"in free memory of the heap; was it freed before?")),
        Place::Small => drop(text.push(b"in a run of small objects")),
        Place::Large(start, bytes) => {
            text.number((p as usize).wrapping_sub(start) as u64);
            text.push(b" bytes behind the beginning of an object of ")
                .number(bytes as u64);
            text.push(b" bytes");
        }
    }
    if !(p as usize).is_multiple_of(16) {
        text.push(b", and no multiple of 16");
    }
    let length = text.finish();
    os::die(buffer.get(..length).unwrap_or(&buffer))
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
