//! What is told of a guarded object that was used wrongly: what was done, to which object, who made it and who freed it.

use crate::event::report::{self, Whereabouts};
use crate::heap::pen::{Calls, Found, Harm, Life, Pen};
use crate::os;
use crate::policy::knobs::OnError;
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::Variant;
use core::ptr;

/// Bytes of a line, at most; what is longer is cut off.
const LINE: usize = 700;

/// What was done, for a text.
pub(super) fn access(write: Option<bool>) -> &'static [u8] {
    match write {
        Some(true) => b"a write at ",
        Some(false) => b"a read at ",
        None => b"an access at ",
    }
}

/// Somebody touched `p`, an address in the pen. The handler sees to what follows.
pub(super) fn at_fault<V: Variant>(pen: &Pen, p: *mut u8, write: Option<bool>) {
    tell::<V>(pen, p, None, access(write), &[]);
}

/// `p`, an address in the pen, was freed, and that was wrong, or something beside the object was written. Ends the process, unless the
/// config says that it goes on.
pub(super) fn at_free<V: Variant>(pen: &Pen, p: *mut u8, harm: Harm, calls: &[usize]) {
    tell::<V>(pen, p, Some(harm), b"found by free(", calls);
    if V::POLICY.hardening.on_error == OnError::Abort {
        os::abort();
    }
}

const fn fault(harm: Harm) -> Fault {
    match harm {
        Harm::Overflow => Fault::Overflow,
        Harm::Underflow => Fault::Underflow,
        Harm::AfterFree => Fault::UseAfterFree,
        Harm::DoubleFree => Fault::DoubleFree,
        Harm::NotItsAddress => Fault::Interior,
        Harm::Nowhere => Fault::Foreign,
    }
}

fn tell<V: Variant>(pen: &Pen, p: *mut u8, harm: Option<Harm>, did: &[u8], calls: &[usize]) {
    let found = pen.find(p);
    let harm = harm.or(found.map(|found| found.harm)).unwrap_or(Harm::Nowhere);
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(fault(harm).name().to_bytes())
        .push(b": ")
        .push(did)
        .address(p);
    if did.ends_with(b"(") {
        text.push(b")");
    }
    let place = describe(&mut text, p, found.as_ref());
    let length = text.finish();
    report::told::<V>(fault(harm), p, place, &mut buffer, length, || {
        if !calls.is_empty() {
            stack(b"here, in thread ", os::thread_number(), calls);
        }
        if let Some(found) = &found {
            let by = |what: &[u8], who: Calls, calls: &[usize]| stack(what, who.by, calls);
            by(b"allocated by thread ", found.cell.born, found.born);
            if found.cell.life == Life::Gone {
                by(b"freed by thread ", found.cell.ended, found.ended);
            }
        }
    });
}

/// Says where `p` is, seen from the object.
fn describe(text: &mut Text, p: *mut u8, found: Option<&Found<'_>>) -> Whereabouts {
    let Some(found) = found.filter(|found| found.cell.life != Life::Never) else {
        text.push(b", where no object has been yet");
        return Whereabouts::UNKNOWN;
    };
    let cell = &found.cell;
    let (from, size) = (p.addr().wrapping_sub(cell.at.addr()) as isize, cell.asked as isize);
    let (bytes, where_to) = match from {
        ..0 => (from.unsigned_abs(), b" bytes before".as_slice()),
        _ if from >= size => ((from - size) as usize, b" bytes behind".as_slice()),
        _ => (from as usize, b" bytes into".as_slice()),
    };
    text.push(b", ").number(bytes as u64).push(where_to);
    text.push(b" a guarded object of ").number(cell.asked as u64);
    text.push(b" bytes at ").address(cell.at);
    if cell.life == Life::Gone {
        text.push(b", which was freed");
    }
    Whereabouts {
        object: cell.at,
        size: cell.asked,
    }
}

/// A line of who did it, and one for each call: where it is in memory, and in which file.
fn stack(what: &[u8], who: u32, calls: &[usize]) {
    line(|text| _ = text.push(b"  ").push(what).number(u64::from(who)).push(b":"));
    if calls.is_empty() {
        line(|text| _ = text.push(b"    no call is known"));
    }
    for call in calls {
        line(|text| {
            text.push(b"    ").address(ptr::without_provenance(*call));
            if let os::Mapped::In(mapping) = os::mapped_at(*call) {
                let offset = call - mapping.start + mapping.offset;
                text.push(b" (").push(mapping.name()).push(b"+");
                text.address(ptr::without_provenance(offset)).push(b")");
            }
        });
    }
}

/// Writes one line.
fn line(write: impl FnOnce(&mut Text)) {
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(b"hz3: ");
    write(&mut text);
    text.push(b"\n");
    let length = text.finish().min(buffer.len() - 1);
    os::complain(&[buffer.get(..length).unwrap_or(&buffer)]);
}
