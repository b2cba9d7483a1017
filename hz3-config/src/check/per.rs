//! What cannot be had where lists are processors'.

use crate::diagnostic::Sink;
use crate::knob::{Setting, Settings};
use crate::plan::{DoubleFree, Ownership, Per, Prefetch, Record, Relief, Tls};
use crate::source::At;

/// Reports each choice that does not go with `cache.per = "cpu"`.
pub(super) fn check(settings: &Settings, sink: &mut Sink) {
    let per = &settings.cache.per;
    if !per.ok || per.value != Per::Cpu {
        return;
    }
    let (cache, hardening) = (&settings.cache, &settings.hardening);
    let chain = "a sequence puts a link as it stands into the slot's word";
    let portion = "whoever counts objects cuts the lists of one thread to what it has still to count";
    let clashes: [(&str, Option<At>, &str, &str); 11] = [
        (
            "build.tls",
            at(&settings.build.tls, |tls| *tls == Tls::Dynamic),
            "the path reads its block at a fixed distance from the thread pointer",
            "set it to \"initial-exec\"",
        ),
        (
            "cache.magazines",
            at(&cache.magazines, |n| *n > 1),
            "a processor has one list of each class",
            "set it to 1",
        ),
        (
            "cache.slow_start",
            at(&cache.slow_start, |slow| !slow),
            "processors share `cache.thread_bytes`, which lists that begin whole do not",
            "set it to true",
        ),
        (
            "hardening.double_free",
            at(&hardening.double_free, |d| {
                matches!(d, DoubleFree::Head | DoubleFree::List)
            }),
            "what another thread frees on the same processor comes in between",
            "set it to \"exact\"",
        ),
        (
            "hardening.encode_links",
            at(&hardening.encode_links, |encode| *encode),
            chain,
            "set it to false",
        ),
        (
            "hardening.guarded_bytes",
            at(&hardening.guarded_bytes, |bytes| *bytes > 0),
            portion,
            "set it to 0",
        ),
        (
            "hardening.quarantine",
            at(&hardening.quarantine, |bytes| *bytes > 0),
            "it lies behind what a thread maps for its lists, and whether it maps any is known when it starts",
            "set it to 0",
        ),
        (
            "hot.prefetch",
            at(&settings.hot.prefetch, |prefetch| *prefetch != Prefetch::Off),
            "a prefetch is no part of a sequence",
            "set it to \"off\"",
        ),
        (
            "ownership.mode",
            at(&settings.ownership.mode, |mode| *mode != Ownership::Adopt),
            "owners are threads",
            "set it to \"adopt\"",
        ),
        (
            "pressure.relief",
            at(&settings.pressure.relief, |relief| *relief == Relief::Segment),
            "lists of processors are given back as a whole",
            "set it to \"all\"",
        ),
        (
            "stats.record",
            at(&settings.stats.record, |record| *record != Record::Off),
            portion,
            "set it to \"off\"",
        ),
    ];
    for (key, place, why, instead) in clashes {
        let Some(place) = place else { continue };
        let message = format!("`{key}` as it is does not go with `cache.per = \"cpu\"`: {why}");
        let help = format!("{instead}, or set `cache.per` to \"thread\"");
        sink.error(Some(place), message, "", help);
    }
}

/// Where a setting stands that clashes. (A default never does.)
fn at<T>(setting: &Setting<T>, clashes: impl Fn(&T) -> bool) -> Option<At> {
    setting.at.filter(|_| setting.ok && clashes(&setting.value))
}
