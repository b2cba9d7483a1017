//! An allocator's statistics in the text format of Prometheus, which scrapers of OpenMetrics read, too.
//!
//! Nothing is allocated but by whom it is written to. One allocator of a process is told: a name of a metric may stand in an
//! exposition only once.

use crate::Allocator;
use crate::core::abi::introspect;
use crate::core::variant::KINDS;
use ::core::fmt::{self, Write};
use ::core::sync::atomic::Ordering;

/// Writes the metrics of an allocator. The text ends with a line, and further metrics of the program's may follow.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// # fn main() -> std::fmt::Result {
/// let mut body = String::new();
/// hz3::prometheus::encode::<hz3::Hz3>(&mut body)?;
/// assert!(body.contains("\nhz3_live_bytes{variant=\"default\"} "));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What the writer says.
pub fn encode<A: Allocator>(out: &mut impl Write) -> fmt::Result {
    let now = introspect::totals::<A>();
    let mut text = Text { out, variant: A::NAME };
    let gauges = [
        ("live_bytes", "Bytes of objects that the program has.", now.live()),
        (
            "taken_bytes",
            "Bytes of segments and huge objects that were taken from the system.",
            now.taken,
        ),
        ("run_free_bytes", "Bytes of free objects in runs.", now.run_free),
        ("pages_free_bytes", "Bytes of free pages.", now.pages_free),
        (
            "pages_dirty_bytes",
            "Bytes of free pages that are still backed by memory.",
            now.pages_dirty,
        ),
        ("large_bytes", "Bytes of objects above the largest class.", now.large),
        ("huge_bytes", "Bytes of objects of whole segments.", now.huge),
        (
            "huge_dirty_bytes",
            "Bytes of freed huge objects that are still backed by memory.",
            now.huge_dirty,
        ),
        (
            "ring_objects",
            "Objects on their way to their owners.",
            now.ring_objects,
        ),
        ("segments", "Segments of pages.", now.segments),
        (
            "outside_segments",
            "Segments and huge objects outside of the arena.",
            now.outside,
        ),
        (
            "high_bytes",
            "The most bytes of the arena that were ever in use at once.",
            now.high,
        ),
        (
            "reserved_bytes",
            "Bytes of the arena's range of addresses.",
            now.reserved,
        ),
        ("committed_bytes", "Bytes that count against limits.", now.committed),
        ("soft_limit_bytes", "The soft limit; 0 is none.", now.soft_limit),
        ("hard_limit_bytes", "The hard limit; 0 is none.", now.hard_limit),
        (
            "quarantine_bytes",
            "Bytes of freed objects that threads keep from being served again.",
            now.quarantine,
        ),
        (
            "quarantine_large_bytes",
            "Bytes of freed objects above the largest class that wait before they are served again.",
            now.quarantine_large,
        ),
        (
            "in_use_bytes",
            "Bytes of address space of the bits that say which objects are in use.",
            now.in_use,
        ),
        ("threads", "Threads with caches.", now.threads),
        (
            "recorder_bytes",
            "Bytes of what is recorded of the program's calls.",
            now.recorder,
        ),
    ];
    for (name, help, value) in gauges {
        text.family(name, "gauge", help)?;
        text.value(name, None, value)?;
    }
    text.family("cached_bytes", "gauge", "Bytes of free objects that wait in caches.")?;
    text.value("cached_bytes", Some(("place", "magazines")), now.magazines)?;
    text.value("cached_bytes", Some(("place", "depots")), now.depots)?;
    text.family(
        "relief_total",
        "counter",
        "What relief and purging did, by kind; bytes where the kind says so.",
    )?;
    for (kind, n) in introspect::reliefs::<A>() {
        text.value("relief_total", Some(("kind", kind)), n)?;
    }
    if !A::counters().is_empty() {
        text.family("events_total", "counter", "Events off the hot path, by kind.")?;
        for (counter, (_, kind)) in A::counters().iter().zip(KINDS) {
            text.value(
                "events_total",
                Some(("kind", kind)),
                counter.count.load(Ordering::Relaxed),
            )?;
        }
    }
    Ok(())
}

struct Text<'a, W> {
    out: &'a mut W,
    variant: &'static str,
}

impl<W: Write> Text<'_, W> {
    /// Says what a name stands for. No help here has a backslash or an end of line.
    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.out, "# HELP hz3_{name} {help}\n# TYPE hz3_{name} {kind}")
    }

    /// A value. Names of variants and kinds are letters, digits, `-` and `_`: nothing is to be escaped.
    fn value(&mut self, name: &str, label: Option<(&str, &str)>, value: u64) -> fmt::Result {
        write!(self.out, "hz3_{name}{{variant=\"{}\"", self.variant)?;
        if let Some((key, word)) = label {
            write!(self.out, ",{key}=\"{word}\"")?;
        }
        writeln!(self.out, "}} {value}")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::string::String;

    #[test]
    fn every_line_is_a_metric_and_no_name_is_there_twice() {
        let mut text = String::new();
        super::encode::<crate::Hz3>(&mut text).expect("a string takes everything");
        let (mut names, mut values) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a kind");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(names.insert(name), "{line}");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                assert!(value.parse::<u64>().is_ok() && values.insert(series), "{line}");
                let (name, labels) = series.split_once('{').expect("labels");
                assert!(
                    names.contains(name) && labels.starts_with("variant=\"default\""),
                    "{line}"
                );
                assert!(labels.ends_with("\"}"), "{line}");
            }
        }
        assert!(names.len() > 15 && text.ends_with('\n'));
    }
}
