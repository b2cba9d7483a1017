//! What is told of a wild pointer that has led `free` to a tag that is not memory: its page lies in the arena's range, where no segment
//! ever was (see [`tag_table`](crate::heap::tag_table)).

use crate::event::report::{self, Whereabouts};
use crate::os::PAGE;
use crate::statics::Shared;
use crate::statics::errors::Fault;
use crate::text::Text;
use crate::variant::Variant;

/// Bytes of a line, at most.
const LINE: usize = 300;

/// Somebody read at `at`, and had `argument` as the first argument of a call. If the tag of that pointer would lie there, ends the
/// process with a line, unless the config says that errors are no end: then the fault is one.
pub(super) fn at_fault<V: Variant>(at: *const u8, argument: usize) {
    let Some(page) = V::shared().heap().page_of_tag(at) else {
        return;
    };
    if argument & !(PAGE - 1) != page {
        return;
    }
    let p = core::ptr::with_exposed_provenance_mut(argument);
    let mut buffer = [0u8; LINE];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
    text.push(Fault::Foreign.name().to_bytes()).push(b": ").address(p);
    text.push(b": not an address that malloc gave: in the heap's range, where no memory ever was");
    let length = text.finish();
    report::end::<V>(Fault::Foreign, p, Whereabouts::UNKNOWN, &mut buffer, length);
}
