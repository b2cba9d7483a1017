//! What is told of a guard that was touched: one of the pages around large objects, behind runs, and between objects and records
//! (`hardening.guards`).

use super::account::access;
use crate::event::report::{self, Whereabouts};
use crate::policy::Pool;
use crate::policy::knobs::Guards;
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::Variant;

/// Bytes of a line, at most.
const LINE: usize = 300;

/// Somebody touched `p`. Tells it in a line, if a guard is there. The program ends where it is, whatever follows an error else: who
/// writes that far is not stopped by one page. Whether a guard is there.
pub(super) fn at_fault<V: Variant>(p: *mut u8, write: Option<bool>) -> bool {
    if V::POLICY.hardening.guards == Guards::Off {
        return false;
    }
    let Some(fence) = V::shared().heap().fence(p) else {
        return false;
    };
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    let before = fence.is_some_and(|fence| p.addr() < fence.start);
    let fault = if before { Fault::Underflow } else { Fault::Overflow };
    text.push(fault.name().to_bytes())
        .push(b": ")
        .push(access(write))
        .address(p);
    let mut place = Whereabouts::UNKNOWN;
    match fence {
        None => text.push(b", in a guard"),
        Some(fence) => {
            place.object = core::ptr::with_exposed_provenance_mut(fence.start);
            place.size = fence.bytes;
            let away = if before {
                fence.start - p.addr()
            } else {
                p.addr() - (fence.start + fence.bytes)
            };
            text.push(b", in the guard ").number(away as u64);
            text.push(if before { b" bytes before " } else { b" bytes behind " });
            // SAFETY: the number is below the count.
            let size = |pool| unsafe { Pool::<V>::new(pool) }.row().size;
            match fence.pool.map(usize::from).filter(|pool| *pool < Pool::<V>::COUNT) {
                Some(pool) => text
                    .push(b"a run of objects of ")
                    .number(u64::from(size(pool)))
                    .push(b" bytes at "),
                None => text
                    .push(b"an object of ")
                    .number(fence.bytes as u64)
                    .push(b" bytes at "),
            };
            text.address(place.object)
        }
    };
    let length = text.finish();
    report::told::<V>(fault, p, place, &mut buffer, length, || {});
    true
}
