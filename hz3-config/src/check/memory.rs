//! Address space, and limits that refer to it.

use crate::diagnostic::Sink;
use crate::knob::{Setting, Settings, bytes};
use crate::plan::USER_SPACE;

/// Checks what no single knob's range says.
pub(super) fn check(settings: &Settings, sink: &mut Sink) {
    let arena = &settings.arena;
    power_of_two("arena.segment", &arena.segment, sink);
    power_of_two("arena.page", &arena.page, sink);
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

fn power_of_two(name: &str, setting: &Setting<u64>, sink: &mut Sink) {
    if setting.ok && !setting.value.is_power_of_two() {
        let near = bytes(setting.value.next_power_of_two());
        let message = format!("`{name}` must be a power of two, not {}", bytes(setting.value));
        sink.error(setting.at, message, "", format!("did you mean \"{near}\"?"));
    }
}
