//! What is told of an object above the largest class that was touched after it was freed (`hardening.quarantine_large`).

use super::account::access;
use crate::event::report::{self, Whereabouts};
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::Variant;

/// Bytes of a line, at most.
const LINE: usize = 300;

/// Somebody touched `p`. If an object waits there, tells it in a line. Whether one does.
pub(super) fn at_fault<V: Variant>(p: *mut u8, write: Option<bool>) -> bool {
    let Some(inmate) = V::ward().and_then(|ward| ward.around(p)) else {
        return false;
    };
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(Fault::UseAfterFree.name().to_bytes())
        .push(b": ")
        .push(access(write))
        .address(p);
    text.push(b", ").number((p.addr() - inmate.p.addr()) as u64);
    text.push(b" bytes into an object of ").number(inmate.bytes as u64);
    text.push(b" bytes at ").address(inmate.p).push(b", which was freed");
    let place = Whereabouts {
        object: inmate.p,
        size: inmate.bytes,
    };
    let length = text.finish();
    report::told::<V>(Fault::UseAfterFree, p, place, &mut buffer, length, || {});
    true
}
