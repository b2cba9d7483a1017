//! What fits into a page tag.

use super::{narrow, owners};
use crate::diagnostic::Sink;
use crate::knob::Settings;
use crate::plan::{SLOT_BYTES, TagPlan};

/// The tag's fields; `None` if something was reported or not understood.
pub(super) fn plan(settings: &Settings, classes: usize, sink: &mut Sink) -> Option<TagPlan> {
    let group = &settings.tag;
    let before = sink.len();
    let width = group.width.value;
    if !(group.width.ok && group.bin_bits.ok && group.dst_bits.ok) {
        return None;
    }
    // Slots 1 to `classes`; slot 0 is the trap.
    let last = classes as u64 * u64::from(SLOT_BYTES);
    let needed = u64::from(u64::BITS - last.leading_zeros());
    let calculation = format!(
        "{classes} classes put the last slot at byte {classes} × {SLOT_BYTES} = {last}, which takes {needed} bits"
    );
    let bin_bits = group.bin_bits.value.unwrap_or(needed);
    if bin_bits < needed {
        let message = format!("`tag.bin_bits = {bin_bits}` is too few: {calculation}");
        sink.error(group.bin_bits.at, message, "", format!("write {needed} or \"auto\""));
    }
    let shards = owners(settings);
    let last_owner = settings.ownership.mode.value.first_owner() + shards - 1;
    let dst_needed = u64::from(u64::BITS - last_owner.leading_zeros());
    let dst_bits = group.dst_bits.value.unwrap_or(dst_needed);
    if dst_bits < dst_needed {
        let message = format!("`tag.dst_bits = {dst_bits}` is too few: {shards} shards take {dst_needed} bits");
        sink.error(
            group.dst_bits.at,
            message,
            "",
            format!("write {dst_needed} or \"auto\""),
        );
    }
    if sink.len() == before && bin_bits + dst_bits > width {
        let message = format!(
            "a tag of {width} bits cannot hold {bin_bits} bits of slot offset and {dst_bits} of owner: {calculation}"
        );
        let help = if width == 16 {
            "set `tag.width = 32`"
        } else {
            "use fewer bits for the fields"
        };
        let at = group.bin_bits.at.or(group.width.at).or(settings.classes.steps.at);
        sink.error(at, message, "", help);
    }
    (sink.len() == before).then(|| TagPlan {
        width: narrow(width),
        dst_bits: narrow(dst_bits),
        bin_bits: narrow(bin_bits),
        space: group.space.value,
    })
}
