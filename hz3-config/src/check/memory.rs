//! Address space, and limits that refer to it.

use crate::diagnostic::Sink;
use crate::knob::{Setting, Settings, bytes};
use crate::plan::{Commit, Guards, PAGE, Thp, USER_SPACE, Unit};

/// Bytes of a huge page.
const HUGE_PAGE: u64 = 2 << 20;
/// The fewest segments that an arena may have.
const SEGMENTS_LEAST: u64 = 4;

/// Checks what no single knob's range says.
pub(super) fn check(settings: &Settings, sink: &mut Sink) {
    let arena = &settings.arena;
    segment(settings, sink);
    page(settings, sink);
    unit(settings, sink);
    let size = arena.size.value;
    if let Some(base) = arena.base.value
        && arena.base.ok
        && arena.size.ok
        && base + size > USER_SPACE
    {
        let message = format!(
            "an arena of {} at {base:#x} ends at {:#x}, above user space, which ends at {USER_SPACE:#x}",
            bytes(size),
            base + size
        );
        sink.error(arena.base.at, message, "", "choose a lower base, or \"kernel\"");
    }
    let spread = &settings.hardening.spread;
    if spread.ok && spread.value > 0 {
        if arena.base.ok && arena.base.value.is_some() {
            let message = "`hardening.spread` draws the arena's place, but `arena.base` says it";
            sink.error(spread.at, message, "", "remove one of the two");
        }
        if arena.size.ok && spread.value / 2 < size {
            let message = format!(
                "`hardening.spread` is {}, which leaves an arena of {} hardly a choice",
                bytes(spread.value),
                bytes(size)
            );
            let help = format!(
                "take at least {}; \"64TiB\" is all that there is",
                bytes(size.saturating_mul(2))
            );
            sink.error(spread.at, message, "", help);
        }
    }
    let guards = &settings.hardening.guards;
    if guards.ok && arena.commit.ok && guards.value != Guards::Off && arena.commit.value == Commit::Whole {
        let message =
            "`hardening.guards` needs parts of the arena without access, but `arena.commit` makes all of it accessible";
        sink.error(guards.at, message, "", "remove one of the two");
    }
    if guards.ok && arena.thp.ok && guards.value != Guards::Off && arena.thp.value == Thp::Dense {
        let message = "with `hardening.guards` there are pages without access in every segment, so that none is a huge page, as \
                       `arena.thp` wants";
        sink.error(arena.thp.at, message, "", "remove one of the two");
    }
    let (soft, hard) = (&arena.soft_limit, &arena.hard_limit);
    if soft.ok && hard.ok && hard.value > 0 && soft.value > hard.value {
        let message = format!(
            "`arena.soft_limit` is {}, above `arena.hard_limit`, {}",
            bytes(soft.value),
            bytes(hard.value)
        );
        sink.error(soft.at.or(hard.at), message, "", "lower it, or raise the hard limit");
    }
    let budget = &settings.pressure.budget;
    if budget.ok && arena.size.ok && settings.pressure.enabled.value && budget.value > size {
        let message = format!(
            "`pressure.budget` is {}, but the arena has {}: it can never be exceeded",
            bytes(budget.value),
            bytes(size)
        );
        sink.error(budget.at, message, "", "lower it, or enlarge `arena.size`");
    }
}

/// Whether anything fits into the quarantine of what is larger than the largest class.
pub(super) fn kept(settings: &Settings, sizes: &[u32], sink: &mut Sink) {
    let (kept, largest) = (
        &settings.hardening.quarantine_large,
        sizes.last().copied().map_or(0, u64::from),
    );
    let least = 4 * (largest + u64::from(PAGE));
    if kept.ok && (1..least).contains(&kept.value) {
        let message = format!(
            "`hardening.quarantine_large` is {}, of which an object may take a quarter: none above the largest class has room",
            bytes(kept.value)
        );
        sink.error(kept.at, message, "", format!("take at least {}, or 0", bytes(least)));
    }
}

/// Segments of another length than most configs have, and what is made of whole segments.
fn segment(settings: &Settings, sink: &mut Sink) {
    let arena = &settings.arena;
    let segment = &arena.segment;
    power_of_two("arena.segment", segment, segment.value, sink);
    if !segment.ok || !segment.value.is_power_of_two() {
        return;
    }
    let length = bytes(segment.value);
    if arena.thp.ok && arena.thp.value == Thp::Dense && segment.value != HUGE_PAGE {
        let message = format!(
            "`arena.thp = \"dense\"` makes one huge page of a segment, and a segment has {length}, not {}",
            bytes(HUGE_PAGE)
        );
        let help = format!(
            "set `arena.segment` to \"{}\", or `arena.thp` to another word",
            bytes(HUGE_PAGE)
        );
        sink.error(segment.at.or(arena.thp.at), message, "", help);
    }
    let (size, least) = (&arena.size, SEGMENTS_LEAST * segment.value);
    if size.ok && size.value < least {
        let message = format!(
            "an arena of {} has too few segments of {length}: {SEGMENTS_LEAST} are the least",
            bytes(size.value)
        );
        let help = format!("take an arena of {} at least, or smaller segments", bytes(least));
        sink.error(segment.at.or(size.at), message, "", help);
    } else if size.ok && !size.value.is_multiple_of(segment.value) {
        let message = format!(
            "an arena of {} is no multiple of a segment, {length}",
            bytes(size.value)
        );
        let near = size.value.next_multiple_of(segment.value);
        sink.error(
            size.at.or(segment.at),
            message,
            "",
            format!("did you mean \"{}\"?", bytes(near)),
        );
    }
    if let Some(base) = arena.base.value
        && arena.base.ok
        && !base.is_multiple_of(segment.value)
    {
        let message = format!("an arena at {base:#x} does not begin with a segment, as {length} do not divide that");
        let near = base.next_multiple_of(segment.value);
        sink.error(
            arena.base.at.or(segment.at),
            message,
            "",
            format!("did you mean {near:#x}?"),
        );
    }
}

/// Larger pages of the kernel's, and what is made of single pages of the heap's.
fn page(settings: &Settings, sink: &mut Sink) {
    let (page, hardening) = (&settings.arena.page, &settings.hardening);
    if let Some(most) = page.value {
        power_of_two("arena.page", page, most, sink);
    }
    if !page.ok || page.value == Some(u64::from(PAGE)) {
        return;
    }
    let takes_away =
        |key: &str| format!("`{key}` takes the access away from pages of 4 KiB, and a kernel with larger ones cannot");
    let mut refuse = |on: bool, at, key: &str| {
        if on {
            let help = format!("set `arena.page` to \"4KiB\", or remove `{key}`");
            sink.error(at, takes_away(key), "", help);
        }
    };
    let (guards, guarded, kept) = (&hardening.guards, &hardening.guarded_bytes, &hardening.quarantine_large);
    refuse(
        guarded.ok && guarded.value > 0,
        guarded.at.or(page.at),
        "hardening.guarded_bytes",
    );
    refuse(
        guards.ok && guards.value != Guards::Off,
        guards.at.or(page.at),
        "hardening.guards",
    );
    refuse(
        kept.ok && kept.value > 0,
        kept.at.or(page.at),
        "hardening.quarantine_large",
    );
}

/// Purging by whole huge pages, and what leaves none.
fn unit(settings: &Settings, sink: &mut Sink) {
    let (unit, arena) = (&settings.purge.unit, &settings.arena);
    if !unit.ok || unit.value != Unit::Huge {
        return;
    }
    let mut refuse = |on: bool, at, why: &str| {
        if on {
            sink.error(
                unit.at.or(at),
                format!("`purge.unit` keeps huge pages whole, but {why}"),
                "",
                "remove one of the two",
            );
        }
    };
    let (guards, thp, page, segment) = (&settings.hardening.guards, &arena.thp, &arena.page, &arena.segment);
    refuse(
        guards.ok && guards.value != Guards::Off,
        guards.at,
        "with `hardening.guards` there are pages without access in every segment, so that none is a huge page",
    );
    refuse(
        segment.ok && segment.value != HUGE_PAGE,
        segment.at,
        "a segment, as `arena.segment` has it, is not one",
    );
    refuse(thp.ok && thp.value == Thp::Never, thp.at, "`arena.thp` is against them");
    refuse(
        page.ok && page.value != Some(u64::from(PAGE)),
        page.at,
        "where `arena.page` is larger than 4 KiB a huge page is larger than a segment",
    );
}

fn power_of_two<T>(name: &str, setting: &Setting<T>, value: u64, sink: &mut Sink) {
    if setting.ok && !value.is_power_of_two() {
        let near = bytes(value.next_power_of_two());
        let message = format!("`{name}` must be a power of two, not {}", bytes(value));
        sink.error(setting.at, message, "", format!("did you mean \"{near}\"?"));
    }
}
