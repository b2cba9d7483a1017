//! Words that a config chooses from, and the plan's types behind them.

use super::{FromValue, Value, Word};
use crate::plan::{
    Commit, Foreign, OnFull, Ownership, PlacementOrder, Prefetch, Relief, StatsLevel, TagOrder, TagSpace, Thp, Tls,
};

/// A word of a choice that no type of the plan stands for yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named(pub &'static str);

/// How classes between 2048 and 4096 bytes come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sub4k {
    /// As the class steps say.
    Follow,
    /// There are none.
    Round,
    /// From a list of their own.
    List,
}

macro_rules! words {
    ($($type:ident, $words:ident: { $($name:literal => $variant:ident: $doc:literal,)+ })*) => {$(
        #[doc = concat!("The words of `", stringify!($type), "`.")]
        pub(super) const $words: &[Word] = &[$(Word { name: $name, doc: $doc }),+];

        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $(Value::Word($name) => Some($type::$variant),)+
                    _ => None,
                }
            }
        }
    )*};
}

words! {
    Sub4k, SUB4K: {
        "follow" => Follow: "`classes.steps` decides",
        "round" => Round: "none: 2049 bytes and more take 4096",
        "list" => List: "`sub4k.sizes` replaces what `classes.steps` puts there",
    }
    TagOrder, TAG_ORDER: {
        "bin-dst" => BinDst: "bin in the low bits",
        "dst-bin" => DstBin: "owner in the low bits",
    }
    TagSpace, TAG_SPACE: {
        "arena" => Arena: "tags for the arena; `free` checks the range first",
        "flat" => Flat: "tags for the whole 47-bit address space; no range check",
    }
    Ownership, OWNERSHIP: {
        "adopt" => Adopt: "the freeing thread's, always",
        "owner-bank" => OwnerBank: "its owner's, through a bank with one slot array for each owner",
        "owner-ring" => OwnerRing: "its owner's, through a bounded ring that is flushed sorted by owner",
    }
    Commit, COMMIT: {
        "segment" => Segment: "reserved without access and opened segment by segment",
        "whole" => Whole: "reserved readable and writable as a whole",
    }
    OnFull, ON_FULL: {
        "system" => System: "further memory is mapped outside of the arena",
        "fail" => Fail: "NULL and `ENOMEM`",
    }
    Thp, THP: {
        "system" => System: "no advice is given",
        "never" => Never: "advised against, for the whole arena",
        "large" => Large: "asked for, for objects of a segment or more",
        "always" => Always: "asked for, for the whole arena",
    }
    PlacementOrder, PLACEMENT_ORDER: {
        "fullest" => Fullest: "the fullest of up to 8 whose longest hole is the shortest that fits, so that sparse ones drain",
        "lowest" => Lowest: "the one at the lowest address, of up to 64 that have room, those with the shortest holes first",
    }
    Relief, RELIEF: {
        "all" => All: "every cache gives back everything",
        "segment" => Segment: "caches give back what lies in the segment with the fewest pages in use; if a request fails nevertheless, everything",
    }
    Foreign, FOREIGN: {
        "libc" => Libc: "hand it to the C library's own `free`, `realloc` or `malloc_usable_size`; abort with a message where it lies in the heap or is not aligned as theirs are",
        "abort" => Abort: "abort with a message",
        "ignore" => Ignore: "leave it alone: `free` leaks it, `realloc` returns null, its size is 0",
    }
    StatsLevel, STATS_LEVEL: {
        "off" => Off: "only what the heap knows anyway",
        "events" => Events: "every event, by name and class",
    }
    Tls, TLS: {
        "initial-exec" => InitialExec: "at a fixed distance from the thread pointer; the library has to be there when the program starts",
        "dynamic" => Dynamic: "by a TLS descriptor; the library can be loaded at any time, and unloaded",
    }
    Prefetch, PREFETCH: {
        "off" => Off: "nothing",
        "next" => Next: "the next object of the list",
    }
}
