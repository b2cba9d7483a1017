//! What the objects of the program have on beside their bytes, where `[hardening]` asks for it: a canary behind them, a bit that says
//! that they are in use, what they are filled with, and a quarantine that they go through when they are freed.
//!
//! An object is *sealed* when it leaves for the program and *opened* when it comes back; in between, nothing but the functions of
//! [`crate::abi`] that the program calls touches it. Everything else, hot paths and events, knows free objects only. So all of this
//! holds in every mode of ownership and every tag space, for any object, wherever it lies.

pub mod canary;
pub mod fill;
pub mod quarantine;

use super::foreign::{self, Called};
use super::report;
use crate::heap::run::Run;
use crate::heap::{Place, check};
use crate::os::{self, PAGE};
use crate::policy::knobs::{DoubleFree, Fill};
use crate::policy::{Naming, Policy, Pool, tag_of};
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::variant::Variant;
use core::ptr;
use fill::Found;

impl Policy {
    /// Whether objects have anything on.
    pub const fn wraps(&self) -> bool {
        let hardening = &self.hardening;
        self.marks()
            || hardening.canary
            || hardening.quarantine > 0
            || !matches!(hardening.fill_new, Fill::Off)
            || matches!(hardening.double_free, DoubleFree::Exact)
    }

    /// Whether an object that is freed is looked at, beyond its bit.
    const fn looks(&self) -> bool {
        self.marks() || self.hardening.canary || self.hardening.quarantine > 0
    }

    /// Bytes that each object has more than was asked for.
    pub const fn extra(&self) -> usize {
        if self.hardening.canary { canary::WORD } else { 0 }
    }

    /// Whether new objects are zero.
    pub const fn zeroes(&self) -> bool {
        matches!(self.hardening.fill_new, Fill::Zero)
    }
}

/// The memory of an object.
#[derive(Clone, Copy)]
pub struct Body {
    /// Bytes that it can hold.
    pub bytes: usize,
    /// Whether it is an object of a class, in a run.
    pub class: bool,
}

/// The memory of the object at `p`; None if it is not ours.
///
/// # Safety
/// `p` is an object that nobody frees meanwhile, or a pointer that is not ours.
#[inline(always)]
pub unsafe fn body<V: Variant>(p: *mut u8) -> Option<Body> {
    let tag = tag_of::<V>(p);
    if tag == 0 {
        // SAFETY: as the caller says.
        return unsafe { untagged::<V>(p) };
    }
    // SAFETY: a tag other than 0 names a pool.
    let bytes = unsafe { V::Route::pool::<V>(tag) }.1.row().size as usize;
    Some(Body { bytes, class: true })
}

/// # Safety
/// As for [`body`]; the page of `p` has no tag.
#[cold]
#[inline(never)]
unsafe fn untagged<V: Variant>(p: *mut u8) -> Option<Body> {
    // SAFETY: as the caller says.
    let (bytes, class) = unsafe { foreign::bytes::<V>(p) }?;
    Some(Body { bytes, class })
}

/// What a new object is to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// What new objects are filled with.
    New,
    /// Zeroes.
    Zero,
    /// What it holds already.
    Kept,
}

/// Makes a free object the program's, with `n` bytes that were asked for. False if it was written to while it was free: that was
/// reported, and it is nobody's from now on.
///
/// # Safety
/// The object is the caller's, free until now; `n + extra` bytes fit.
#[inline(always)]
#[must_use]
pub unsafe fn seal<V: Variant>(p: *mut u8, body: Body, n: usize, contents: Contents) -> bool {
    // SAFETY: the object is the caller's, and everything that is written lies in it.
    unsafe {
        let mut zero = 0;
        let value = value::<V>(p);
        if V::POLICY.marks() && body.class {
            match fill::look::<V>(p, body.bytes, value) {
                Found::Something => {}
                Found::Zero => zero = body.bytes,
                Found::Written => {
                    written::<V>(p);
                    return false;
                }
            }
        }
        if V::POLICY.hardening.canary {
            let filled = match contents {
                Contents::Zero => true,
                Contents::New => !matches!(V::POLICY.hardening.fill_new, Fill::Off),
                Contents::Kept => false,
            };
            // Where new objects are filled nobody counts on what else is in them.
            if filled && zero == 0 {
                canary::write_new(p, body.bytes, n, value);
            } else {
                canary::write(p, body.bytes, n, value);
            }
        }
        in_use::<V>(p);
        hold::<V>(p, n, contents, zero);
    }
    true
}

/// The value of an object of the process's secret, where one is needed.
#[inline(always)]
fn value<V: Variant>(p: *const u8) -> u64 {
    if V::POLICY.marks() || V::POLICY.hardening.canary {
        V::secret().of(p)
    } else {
        0
    }
}

/// Says that the program has an object.
#[inline(always)]
fn in_use<V: Variant>(p: *mut u8) {
    if let Some(in_use) = V::in_use() {
        in_use.begins(&V::POLICY, p);
    }
}

/// Makes an object hold what it is to. Behind link and mark the first `zero` bytes of it are zero.
///
/// # Safety
/// The object is the caller's, with `n` bytes for the program.
#[inline(always)]
pub unsafe fn hold<V: Variant>(p: *mut u8, n: usize, contents: Contents, zero: usize) {
    // SAFETY: so many bytes are the object's.
    unsafe {
        match contents {
            Contents::Zero => ptr::write_bytes(p, 0, if zero > 0 { n.min(fill::HEAD) } else { n }),
            Contents::New => fill::new::<V>(p, 0, n, zero),
            Contents::Kept => {}
        }
    }
}

/// Gives an object its canary and its bit. What it holds stays.
///
/// # Safety
/// The object is the caller's, with `n` bytes for the program; `n + extra` bytes fit.
#[inline(always)]
pub unsafe fn begin<V: Variant>(p: *mut u8, body: Body, n: usize) {
    if V::POLICY.hardening.canary {
        // SAFETY: the object is the caller's.
        unsafe { canary::write(p, body.bytes, n, V::secret().of(p)) };
    }
    in_use::<V>(p);
}

/// Whose a pointer is that the program passed.
#[derive(Clone, Copy)]
pub enum Whose {
    /// The program's: the object's memory, and how many bytes of it are in use by the program.
    Its(Body, usize),
    /// Another malloc's, or nobody's.
    Foreign,
    /// It is no object of the program's, or was written behind. That was reported, and it is to be left alone.
    Wrong,
}

/// Looks at an object that the program passed. With [`Called::Free`] it gives it back.
///
/// # Safety
/// `p` is an object of the caller's, or a pointer that is not ours; not null.
#[inline(always)]
pub unsafe fn open<V: Variant>(p: *mut u8, called: Called) -> Whose {
    if let Some(in_use) = V::in_use() {
        let is = match called {
            Called::Free => in_use.ends(p),
            Called::Realloc | Called::Usable => in_use.has(p),
        };
        if !is {
            return not_in_use::<V>(p, called);
        }
    }
    if !V::POLICY.looks() && matches!(called, Called::Free) {
        // Whoever frees it finds out what it is.
        return Whose::Its(Body { bytes: 0, class: true }, 0);
    }
    // SAFETY: as the caller says.
    unsafe {
        let Some(body) = body::<V>(p) else {
            return Whose::Foreign;
        };
        if !V::POLICY.hardening.canary {
            return Whose::Its(body, body.bytes);
        }
        if matches!(called, Called::Free) && body.class && !neighbour_is_whole::<V>(p, body.bytes) {
            broken::<V>(p.wrapping_sub(body.bytes));
        }
        match canary::asked(p, body.bytes, V::secret().of(p)) {
            Some(asked) => Whose::Its(body, asked),
            None => broken::<V>(p),
        }
    }
}

/// Whether the canary of the object before `p` is as it was, as far as that is known: what is written before an object ends there, and
/// the neighbour may stay in use for long. Only where bits say which objects are in use.
///
/// # Safety
/// `p` is an object of a class of `bytes` bytes, the caller's.
#[inline(always)]
unsafe fn neighbour_is_whole<V: Variant>(p: *mut u8, bytes: usize) -> bool {
    let Some(in_use) = V::in_use() else { return true };
    let before = p.wrapping_sub(bytes);
    // What ends on the page of `p` is of its run, if an object of the class begins there. (Without a tag that is not known. The
    // shortest objects have a mark where the canary's word is, as soon as they are free.)
    let tag = tag_of::<V>(p);
    if (p as usize).is_multiple_of(PAGE) || bytes == fill::HEAD || tag == 0 {
        return true;
    }
    // Whether there is one nobody can foretell: a branch that depends on it costs more than to look. So its word is read in any case.
    // SAFETY: it lies right before `p`, on its page, and that is a run's.
    let sealed = unsafe { canary::is_sealed(before, bytes, V::secret().of(before)) };
    if sealed | !(in_use.surely_has(before) & (tag_of::<V>(before) == tag)) {
        return true;
    }
    // SAFETY: as the caller says; what is on the pages of both is of one run.
    unsafe { is_sealed_now::<V>(before, bytes) }
}

/// Whether an object of a class that was in use has its canary. It may have been served for the first time meanwhile.
///
/// # Safety
/// An object of `bytes` bytes lies at `p`, in a run that stays.
#[cold]
#[inline(never)]
unsafe fn is_sealed_now<V: Variant>(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: the object was the program's when its bit was looked at, which comes first. Its word is one of a canary's from when it was
    // first served, whatever its owner does meanwhile.
    unsafe { V::in_use().is_none_or(|in_use| !in_use.surely_has(p)) || canary::is_sealed(p, bytes, V::secret().of(p)) }
}

/// Takes back an object that was opened.
///
/// # Safety
/// The object is nobody's any more. The calling thread has its block.
#[inline(always)]
pub unsafe fn take_back<V: Variant>(p: *mut u8, body: Body) {
    // SAFETY: the object is the caller's, who gives it away.
    unsafe {
        if V::POLICY.marks() {
            if body.class {
                fill::freed::<V>(p, body.bytes);
            } else {
                left::<V>(p, body.bytes);
            }
        }
        if V::POLICY.hardening.quarantine > 0 && body.class {
            quarantine::put::<V>(p, body.bytes);
        } else {
            V::free(p);
        }
    }
}

/// An object that is no class's is about to be freed by what knows nothing of fillings.
///
/// # Safety
/// The object is the caller's; nobody uses it any more.
#[cold]
#[inline(never)]
pub unsafe fn left<V: Variant>(p: *mut u8, bytes: usize) {
    // What waits before it is served again loses all that it held.
    if V::ward().is_none() || !V::POLICY.keeps_large(bytes) {
        // SAFETY: as the caller says.
        unsafe { emptied::<V>(p, bytes) }
    }
}

/// Fills a freed object that is no class's, where those are filled.
///
/// # Safety
/// As for [`left`].
pub unsafe fn emptied<V: Variant>(p: *mut u8, bytes: usize) {
    if V::POLICY.marks() {
        // SAFETY: as the caller says.
        unsafe { fill::freed_pages::<V>(p, bytes) }
    }
}

/// A free object was written to.
#[cold]
#[inline(never)]
fn written<V: Variant>(p: *mut u8) {
    report::found::<V>(Fault::UseAfterFree, p, &|text| {
        text.push(b": it was written to after it was freed");
    });
}

/// Whether nobody wrote to a free object of a class that is in no list, as far as that can be told. If somebody did, it is reported.
///
/// # Safety
/// The object is the caller's, of `bytes` bytes, and free; free objects are marked.
#[inline(always)]
unsafe fn is_whole<V: Variant>(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller says.
    let whole = unsafe {
        let value = V::secret().of(p);
        fill::begins_whole::<V>(p, bytes, value) && fill::look::<V>(p, bytes, value) != Found::Written
    };
    if !whole {
        written::<V>(p);
    }
    whole
}

/// As [`is_whole`], of the first words only: see [`fill::begins_whole`].
///
/// # Safety
/// As for [`is_whole`].
#[inline(always)]
unsafe fn begins_whole<V: Variant>(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller says.
    let whole = unsafe { fill::begins_whole::<V>(p, bytes, V::secret().of(p)) };
    if !whole {
        written::<V>(p);
    }
    whole
}

/// The canary of an object is not as it was.
#[cold]
#[inline(never)]
fn broken<V: Variant>(p: *mut u8) -> Whose {
    report::found::<V>(Fault::Overflow, p, &|text| {
        text.push(b": more was written than was asked for, or it is not where an object begins");
    });
    Whose::Wrong
}

/// The program passed a pointer to which it has no object.
#[cold]
#[inline(never)]
fn not_in_use<V: Variant>(p: *mut u8, called: Called) -> Whose {
    let heap = V::shared().heap();
    let fault = match heap.place(p) {
        Place::Elsewhere => return Whose::Foreign,
        place @ (Place::Records | Place::Free | Place::Unopened | Place::Guard | Place::Large(..)) => {
            _ = foreign::refuse::<V>(called, p, place);
            return Whose::Wrong;
        }
        Place::Small => heap.run_around(p).map_or(Fault::Interior, |run| {
            // SAFETY: the descriptor lies in the header of a segment that is there. It may change meanwhile: then the name of the
            // fault is wrong.
            unsafe { in_run::<V>(run, p) }
        }),
    };
    report::found::<V>(fault, p, &|text| {
        text.push(match fault {
            Fault::DoubleFree => b": it is not in use; it was freed before",
            _ => b": no object begins there",
        });
    });
    Whose::Wrong
}

/// What is wrong with a pointer into a run to which the program has no object.
///
/// # Safety
/// `run` is a descriptor in the header of a segment that is there.
unsafe fn in_run<V: Variant>(run: *mut Run, p: *mut u8) -> Fault {
    // SAFETY: the descriptor can be read; nothing is followed.
    unsafe {
        let pool = usize::from((*run).pool);
        if pool >= Pool::<V>::COUNT {
            return Fault::DoubleFree;
        }
        if check::is_object(run, Pool::<V>::new(pool).row(), p) {
            Fault::DoubleFree
        } else {
            Fault::Interior
        }
    }
}

/// Draws the process's secret: to be called when it starts, before any object leaves the heap.
pub fn begin_process<V: Variant>() {
    if V::POLICY.wraps() {
        V::secret().draw(os::secret_bits(), os::secret_bits());
    }
}
