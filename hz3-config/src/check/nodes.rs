//! Owners of memory nodes.

use crate::diagnostic::Sink;
use crate::knob::Settings;
use crate::plan::{Ownership, Partition};

/// Checks what no single knob's range says.
pub(super) fn check(settings: &Settings, sink: &mut Sink) {
    let (group, partition) = (&settings.ownership, &settings.hardening.partition);
    let (nodes, shards) = (group.nodes.value, group.shards.value);
    if !group.nodes.ok || nodes <= 1 || group.mode.value == Ownership::Adopt {
        return;
    }
    if group.shards.ok && !shards.is_multiple_of(nodes) {
        let message =
            format!("{shards} owners cannot be cut into {nodes} parts of one length: `ownership.nodes` says so");
        let help = format!("set `ownership.shards` to {}", shards.next_multiple_of(nodes));
        sink.error(group.nodes.at, message, "", help);
    }
    if partition.ok && partition.value != Partition::Off {
        let message = "`ownership.nodes` gives each node segments of its own, and `hardening.partition` each group";
        sink.error(group.nodes.at, message, "", "remove one of the two");
    }
}
