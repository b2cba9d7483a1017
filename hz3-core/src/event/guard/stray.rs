//! What is told of a wild pointer that has led whoever looked for its tag to a place that is not memory: its page lies in the arena's
//! range, where no segment ever was (see [`tag_table`](crate::heap::tag_table)), or, where tags cover all addresses of a process, it
//! is no address of a process.

use crate::event::report::{self, Whereabouts};
use crate::os::PAGE;
use crate::policy::agreed::ADDRESS_BITS;
use crate::policy::{PageIndex, Space, Tag};
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::sync::Ordering;
use crate::text::Text;
use crate::variant::Variant;

/// Bytes of a line, at most.
const LINE: usize = 300;

/// Somebody touched `at`, or an address that cannot be one, and had these values in registers. If the tag of a pointer among them would
/// lie there, ends the process with a line, unless the config says that errors are no end: then the fault is one.
pub(super) fn at_fault<V: Variant>(at: Option<*const u8>, mut registers: impl Iterator<Item = usize> + Clone) {
    let (p, why): (_, &[u8]) = if let Some(page) = at.and_then(|at| V::shared().heap().page_of_tag(at)) {
        let Some(p) = registers.find(|value| value & !(PAGE - 1) == page) else {
            return;
        };
        (p, b"in the heap's range, where no memory ever was")
    } else {
        let Some(p) = beyond::<V>(at, registers) else {
            return;
        };
        (p, b"no program has such addresses")
    };
    let p = core::ptr::with_exposed_provenance_mut(p);
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(Fault::Foreign.name().to_bytes()).push(b": ").address(p);
    text.push(b": not an address that malloc gave: ").push(why);
    let length = text.finish();
    report::end::<V>(Fault::Foreign, p, Whereabouts::UNKNOWN, &mut buffer, length);
}

/// The pointer beyond all addresses of a process whose tag was looked for, where tags cover those. Whoever looks has in registers, beside
/// the pointer, where the table begins and which page's tag it is: that tells him from all others.
fn beyond<V: Variant>(at: Option<*const u8>, mut registers: impl Iterator<Item = usize> + Clone) -> Option<usize> {
    if V::Space::table_bytes::<V>() == 0 {
        return None;
    }
    let table = V::flat_table().load(Ordering::Relaxed).addr();
    let all = registers.clone();
    let has = |wanted: usize| all.clone().any(|value| value == wanted);
    let leads_there = |p: usize| {
        let (page, offset) = (p / PAGE, PageIndex::of(0, p).cell(V::Tag::BYTES));
        let cell = table.wrapping_add(offset);
        let looked_for = has(cell) || has(table) && (has(page) || has(offset));
        // Of what is no address the processor does not say which it is.
        looked_for && at.map_or(cell >> ADDRESS_BITS != 0, |at| at.addr() == cell)
    };
    registers.find(|p| p >> ADDRESS_BITS != 0 && leads_there(*p))
}
