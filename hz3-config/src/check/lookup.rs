//! The tables from a size to its class.

use super::narrow;
use crate::diagnostic::Sink;
use crate::knob::Settings;
use crate::plan::{ClassId, CoarseLookup, LookupPlan};

/// The most that `"auto"` gives, in bytes of size.
const AUTO_FINE_MAX: u32 = 32 << 10;
/// Bytes of both tables that no variant may exceed: half of a common L1 data cache.
const TABLES_MAX: usize = 16 << 10;
/// Bytes of an entry: a slot offset.
const ENTRY: usize = 2;

/// The tables; `None` if something was reported or not understood.
pub(super) fn plan(settings: &Settings, sizes: &[u32], sink: &mut Sink) -> Option<LookupPlan> {
    let setting = &settings.lookup.fine_max;
    let largest = *sizes.last()?;
    let fine_max = setting.value.map_or(largest.min(AUTO_FINE_MAX), narrow);
    if !setting.ok {
        return None;
    }
    if fine_max > largest {
        let message = format!("`lookup.fine_max` is {fine_max}, but the largest class has {largest} bytes");
        sink.error(setting.at, message, "", format!("write {largest}, or \"auto\""));
        return None;
    }
    // The classes are rising, so one walk over them answers every size in turn.
    let class = |size: u32| narrow16(sizes.partition_point(|class| *class < size));
    let granule = narrow(settings.classes.granule.value);
    let fine: Vec<ClassId> = (0..=fine_max / granule).map(|i| class(i * granule)).collect();
    let coarse = (fine_max < largest).then(|| {
        // A granule above `fine_max` may not hold the end of a class in its middle, nor that of the fine table.
        let above = sizes.iter().filter(|size| **size > fine_max);
        let shift = above.fold(fine_max.trailing_zeros(), |shift, size| {
            shift.min(size.trailing_zeros())
        });
        let table = (1..=largest >> shift).map(|i| class(i << shift)).collect();
        CoarseLookup {
            shift,
            max: largest,
            table,
        }
    });
    let entries = fine.len() + coarse.as_ref().map_or(0, |coarse| coarse.table.len());
    let bytes = entries * ENTRY;
    if bytes > TABLES_MAX {
        let shift = coarse.as_ref().map_or(granule.ilog2(), |coarse| coarse.shift);
        let message = format!(
            "the lookup takes {bytes} bytes ({} fine and {} coarse entries of {ENTRY}): {TABLES_MAX} is the most",
            fine.len(),
            entries - fine.len(),
        );
        let help = if fine.len() * ENTRY > TABLES_MAX {
            "lower `lookup.fine_max`, or leave it to \"auto\"".to_owned()
        } else {
            let least = 1u32 << shift;
            format!("one class above {fine_max} bytes is no multiple of more than {least}: space them more evenly")
        };
        let at = setting.at.or(settings.classes.steps.at);
        sink.error(at, message, "", help);
        return None;
    }
    Some(LookupPlan {
        granule,
        fine_max,
        fine,
        coarse,
        bytes: narrow(bytes as u64),
    })
}

fn narrow16(index: usize) -> ClassId {
    ClassId(u16::try_from(index).unwrap_or(u16::MAX))
}
