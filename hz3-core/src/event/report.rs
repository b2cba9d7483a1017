//! Reports of errors: one line on standard error, the program's function if it has set one (`hz3_on_error`), and the end of the
//! process, or not (`hardening.on_error`).
//!
//! A report takes no lock for which it would wait, allocates nothing, and can be made in a signal handler. Whoever makes one
//! holds no lock: the program's function may allocate.

use crate::heap::central::Neighbour;
use crate::heap::run::{LARGE, Run};
use crate::os;
use crate::policy::Pool;
use crate::policy::knobs::OnError;
use crate::statics::Shared;
use crate::statics::errors::{Error, Fault};
use crate::text::Text;
use crate::variant::Variant;
use core::ptr;

/// Bytes of a report, at most; what is longer is cut off.
const LONGEST: usize = 512;

/// Where an object lies, as a report tells it.
#[derive(Clone, Copy)]
pub struct Whereabouts {
    /// Where it begins; null if that is not known.
    pub object: *mut u8,
    /// Bytes that it can hold; 0 if that is not known.
    pub size: usize,
}

impl Whereabouts {
    /// Nothing is known.
    pub const UNKNOWN: Whereabouts = Whereabouts {
        object: ptr::null_mut(),
        size: 0,
    };
}

/// Reports an error that has to do with `p`: what it is, the pointer, what `more` adds, and the object's class and neighbours.
/// Returns if the config says that the program goes on. Then `p` is to be left alone for good.
#[cold]
#[inline(never)]
pub fn found<V: Variant>(fault: Fault, p: *mut u8, more: &dyn Fn(&mut Text)) {
    let mut buffer = [0u8; LONGEST];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(fault.name().to_bytes());
    if !p.is_null() {
        text.push(b": ").address(p);
    }
    more(&mut text);
    let place = describe::<V>(&mut text, p);
    let length = text.finish();
    end::<V>(fault, p, place, &mut buffer, length);
}

/// Ends a report whose text, of so many bytes, stands in the buffer.
pub fn end<V: Variant>(fault: Fault, p: *mut u8, place: Whereabouts, buffer: &mut [u8], length: usize) {
    told::<V>(fault, p, place, buffer, length, || {});
    if V::POLICY.hardening.on_error == OnError::Abort {
        os::abort();
    }
}

/// Writes a report whose text, of so many bytes, stands in the buffer, then what `more` has to say, and tells the program.
pub fn told<V: Variant>(
    fault: Fault,
    p: *mut u8,
    place: Whereabouts,
    buffer: &mut [u8],
    length: usize,
    more: impl FnOnce(),
) {
    // The text is cut off where the buffer ends, with a zero.
    let line = buffer.get(..length.min(buffer.len().saturating_sub(1))).unwrap_or(&[]);
    os::complain(&[b"hz3: ", line, b"\n"]);
    more();
    let error = Error {
        fault,
        name: fault.name().as_ptr(),
        pointer: p.cast(),
        object: place.object.cast(),
        size: place.size,
        text: buffer.as_ptr().cast(),
    };
    V::shared().errors().tell(&error, os::thread_number());
}

/// Says what lies at `p` if it is a run of small objects: which object it is, of how many and how large ones, and what is beside
/// it. Nothing is said of anything else.
fn describe<V: Variant>(text: &mut Text, p: *mut u8) -> Whereabouts {
    let Some(run) = V::shared().heap().run_around(p) else {
        return Whereabouts::UNKNOWN;
    };
    // SAFETY: the descriptor lies in the header of a segment that is there. It may change meanwhile: then numbers are wrong in a
    // text for people, and none of them is followed.
    unsafe {
        let number = usize::from((*run).pool);
        if (*run).pool == LARGE || number >= Pool::<V>::COUNT {
            return Whereabouts::UNKNOWN;
        }
        let size = Pool::<V>::new(number).row().size.max(1) as usize;
        let base = Run::base(run);
        let first = base.add(Run::bytes_to(run, 0, size));
        let from = (p as usize).wrapping_sub(first as usize);
        let (index, carved) = (from / size, usize::from((*run).carved));
        if from > usize::MAX / 2 || index >= usize::from((*run).capacity) {
            text.push(b", in the unused part of a run of objects of ")
                .number(size as u64);
            text.push(b" bytes at ").address(base);
            return Whereabouts::UNKNOWN;
        }
        let object = first.add(index * size);
        if from != index * size {
            text.push(b", ").number((from - index * size) as u64);
            text.push(b" bytes behind the beginning of ");
        } else {
            text.push(b", ");
        }
        text.push(b"object ").number(index as u64).push(b" of ");
        text.number(u64::from((*run).capacity))
            .push(b" of ")
            .number(size as u64);
        text.push(b" bytes each in the run at ").address(base);
        if index >= carved {
            text.push(b", never handed out");
        } else {
            beside::<V>(text, run, Pool::new(number), object);
        }
        Whereabouts { object, size }
    }
}

/// Says of both neighbours of an object whether they are free, as far as the run knows; what threads keep is in use to it.
///
/// # Safety
/// `run` is a descriptor in the header of a segment that is there, and `pool` what it said; `object` is a place in the run.
unsafe fn beside<V: Variant>(text: &mut Text, run: *mut Run, pool: Pool<V>, object: *mut u8) {
    let (class, size) = (pool.row(), pool.row().size as usize);
    for (name, at) in [
        (&b"; before it "[..], object.wrapping_sub(size)),
        (b"; behind it ", object.wrapping_add(size)),
    ] {
        // SAFETY: as the caller says.
        let Some(state) = (unsafe { super::central::<V>(pool).try_look::<V>(run, class, at) }) else {
            continue;
        };
        text.push(name).address(at).push(match state {
            Neighbour::Fresh => b", never handed out",
            Neighbour::Home => b", free",
            Neighbour::Out => b", in use or kept by a thread",
        });
    }
}
