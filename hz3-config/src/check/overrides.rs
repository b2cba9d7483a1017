//! Rows that set a value by hand for the classes of a range.

use crate::diagnostic::Sink;
use crate::knob::{RangeRow, Setting};

/// The entry of each class, or none. Reports entries that hold no class, and entries that overlap.
pub(super) fn rows<'a>(
    name: &str,
    setting: &'a Setting<Vec<RangeRow>>,
    sizes: &[u32],
    sink: &mut Sink,
) -> Vec<Option<&'a RangeRow>> {
    let mut of_class: Vec<Option<&RangeRow>> = vec![None; sizes.len()];
    for row in &setting.value {
        let (from, to) = (row.from.value, row.to.value);
        if from > to {
            let message = format!("this entry of `{name}` goes backwards: from {from} to {to}");
            sink.error(row.at, message, "", format!("did you mean `from = {to}, to = {from}`?"));
            continue;
        }
        let start = sizes.partition_point(|size| u64::from(*size) < from);
        let end = sizes.partition_point(|size| u64::from(*size) <= to);
        if start == end {
            let message = format!("this entry of `{name}` has no effect: no class has {from} to {to} bytes");
            let below = start.checked_sub(1).map(|i| sizes[i]);
            let help = match (below, sizes.get(start)) {
                (Some(below), Some(above)) => {
                    format!("the nearest classes have {below} and {above} bytes")
                }
                (Some(near), None) => format!("the nearest class has {near} bytes"),
                (None, near) => format!("the nearest class has {} bytes", near.unwrap_or(&0)),
            };
            sink.error(row.at, message, "", help);
            continue;
        }
        for (size, slot) in sizes[start..end].iter().zip(&mut of_class[start..end]) {
            if slot.is_some() {
                let message = format!("two entries of `{name}` hold the class of {size} bytes");
                sink.error(row.at, message, "", "let their ranges not overlap");
                break;
            }
            *slot = Some(row);
        }
    }
    of_class
}
