//! Words that a config chooses from, each with the type that stands for it in a plan and, where events read it, in the core.

/// Declares a choice once: its type, and for each of its words the type's variant and what it means. The first word is what
/// a knob without effect counts as.
macro_rules! words {
    ($($(#[doc = $about:literal])+ $type:ident, $words:ident: { $($name:literal => $variant:ident: $doc:literal,)+ })*) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        pub enum $type { $(
            #[doc = concat!("`", $name, "`: ", $doc, ".")]
            #[serde(rename = $name)]
            $variant,
        )+ }

        #[doc = concat!("The words of [`", stringify!($type), "`].")]
        pub(crate) const $words: &[$crate::knob::Word] = &[$($crate::knob::Word { name: $name, doc: $doc }),+];

        impl $type {
            const ALL: &[$type] = &[$($type::$variant),+];
        }

        impl Default for $type {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl $crate::knob::FromValue for $type {
            fn from_value(value: &$crate::knob::Value) -> Option<Self> {
                match value {
                    $($crate::knob::Value::Word($name) => Some($type::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::knob::event::Event for $type {
            const TYPE: $crate::knob::EventType = $crate::knob::EventType::Words {
                name: stringify!($type),
                about: concat!($($about),+),
                variants: &[$((stringify!($variant), $doc)),+],
            };

            fn of(value: &$crate::knob::Value) -> Option<Self> {
                $crate::knob::FromValue::from_value(value)
            }

            fn rust(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}
pub(crate) use words;

words! {
    /// How classes between 2048 and 4096 bytes come about.
    Sub4k, SUB4K: {
        "follow" => Follow: "`classes.steps` decides",
        "round" => Round: "none: 2049 bytes and more take 4096",
        "list" => List: "`sub4k.sizes` replaces what `classes.steps` puts there",
    }
    /// What the tag table covers.
    TagSpace, TAG_SPACE: {
        "arena" => Arena: "tags for the arena; `free` checks the range first",
        "flat" => Flat: "tags for the whole 47-bit address space; no range check",
    }
    /// How reserved memory becomes usable.
    Commit, COMMIT: {
        "segment" => Segment: "reserved without access and opened segment by segment",
        "whole" => Whole: "reserved readable and writable as a whole",
    }
    /// What follows when the arena is used up.
    OnFull, ON_FULL: {
        "system" => System: "further memory is mapped outside of the arena",
        "fail" => Fail: "NULL and `ENOMEM`",
    }
    /// Huge pages.
    Thp, THP: {
        "system" => System: "no advice is given",
        "never" => Never: "advised against, for the whole arena",
        "large" => Large: "asked for, for objects of a segment or more",
        "always" => Always: "asked for, for the whole arena",
        "dense" => Dense: "asked for, for new segments of a heap of 32 MiB or more that is full, and for segments and parts of huge objects that are old and full; where few pages of such a segment are free, they stay",
    }
    /// Which of several segments with room gives its pages.
    PlacementOrder, PLACEMENT_ORDER: {
        "fullest" => Fullest: "the fullest of up to 8 whose longest hole is the shortest that fits, so that sparse ones drain",
        "lowest" => Lowest: "the one at the lowest address, of up to 64 that have room, those with the shortest holes first",
        "densest" => Densest: "the one with the fewest free pages, of up to 64 that have room, those with the shortest holes first; whole huge pages come before all others",
    }
    /// The least that a purge gives back.
    Unit, UNIT: {
        "page" => Page: "a page",
        "huge" => Huge: "a segment, which is a huge page or can be one, when all of its pages are free; parts of it only when memory is short, a limit is near, or somebody asks",
    }
    /// Who purges when no thread has events.
    Idle, IDLE: {
        "off" => Off: "nobody",
        "helper" => Helper: "a thread of the allocator's own, which ends when there was nothing to purge for three delays",
    }
    /// What caches give back when memory is short.
    Relief, RELIEF: {
        "all" => All: "every cache gives back everything",
        "segment" => Segment: "caches give back what lies in the segment with the fewest pages in use; if a request fails nevertheless, everything",
    }
    /// When a thread hands over what it keeps for other owners.
    RemoteFlush, REMOTE_FLUSH: {
        "full" => Full: "when a slot array or the ring is full",
        "before-pages" => BeforePages: "also before it takes pages for a new run",
    }
    /// How a flush of the ring groups its entries.
    RemoteSort, REMOTE_SORT: {
        "off" => Off: "not at all: what lies side by side and is of one owner and class leaves together",
        "direct" => Direct: "through a table of 64 places, by owner and class; what finds its place taken by others sends them off",
        "sort" => Sort: "by sorting",
    }
    /// What is done with a pointer that the variant did not give.
    Foreign, FOREIGN: {
        "libc" => Libc: "hand it to the C library's own `free`, `realloc` or `malloc_usable_size`; abort with a message where it lies in the heap or is not aligned as theirs are",
        "abort" => Abort: "abort with a message",
        "ignore" => Ignore: "leave it alone: `free` leaks it, `realloc` returns null, its size is 0",
    }
    /// What is checked where objects move between a thread and the heap, off the hot path.
    Check, CHECK: {
        "off" => Off: "nothing",
        "events" => Events: "the length of a list when it is refilled, and of each object that goes home its page, its place in the run, the run's counts, and that it is not there already",
        "links" => Links: "as `events`, and where each object of a list leads, before a thread takes from the list",
    }
    /// What follows when a check fails.
    OnError, ON_ERROR: {
        "abort" => Abort: "a message, and the end of the process",
        "continue" => Continue: "a message; what the check spoke of is leaked, and a pointer that is nobody's is left alone",
    }
    /// How a second `free` of an object is found.
    DoubleFree, DOUBLE_FREE: {
        "off" => Off: "it is not looked for",
        "head" => Head: "`free` compares with the object that was freed last in the class",
        "list" => List: "as `head`, and when a list leaves a thread the whole of it is walked",
        "exact" => Exact: "a bit for each object says whether it is in use",
    }
    /// How a pointer into the middle of an object is found.
    Interior, INTERIOR: {
        "off" => Off: "it is not looked for",
        "align" => Align: "`free` refuses what is no multiple of `classes.granule`",
        "grid" => Grid: "`free` refuses what is not the beginning of an object of its run",
    }
    /// What bytes are filled with.
    Fill, FILL: {
        "off" => Off: "they stay as they are",
        "zero" => Zero: "zero",
        "poison" => Poison: "a pattern that is no address",
    }
    /// Which objects get runs of their own.
    Partition, PARTITION: {
        "off" => Off: "none: pages serve any class",
        "size" => Size: "those of a group of sizes: pages that served one group never serve another",
        "token" => Token: "those of an allocation token: a compiler names the kind of what is allocated, by a number below `groups`",
    }
    /// Where pages lie that nobody may touch.
    Guards, GUARDS: {
        "off" => Off: "nowhere",
        "tables" => Tables: "between page tags, records of segments and objects, and around each object above half a segment",
        "large" => Large: "also behind and before each object above the largest class",
        "runs" => Runs: "also behind runs of small objects, at random",
    }
    /// Tags of memory that the processor checks.
    Tagging, TAGGING: {
        "off" => Off: "none",
        "mte" => Mte: "those of aarch64's memory tagging extension",
    }
    /// How much is counted.
    StatsLevel, STATS_LEVEL: {
        "off" => Off: "only what the heap knows anyway",
        "events" => Events: "every event, by name and class",
    }
    /// What a hypothesis speaks of.
    Goal, GOAL: {
        "time" => Time: "time",
        "rss" => Rss: "peak resident memory",
        "final" => Final: "resident memory at the end",
        "latency" => Latency: "single calls: rows that are judged by them",
    }
    /// Which allocations are recorded.
    Record, RECORD: {
        "off" => Off: "none",
        "sample" => Sample: "some of those that are kept, at events: nothing is done in `malloc` and `free`, and what a thread frees and allocates again in turn is not seen",
        "sample-all" => SampleAll: "some of all: bytes are counted in `malloc`, by three instructions",
        "histogram" => Histogram: "all, exactly: sizes, lifetimes and threads, summed up, without call stacks; `malloc` and `free` are slower",
        "trace" => Trace: "every one, in a file of bounded length for each process",
    }
    /// How the call stack of a sampled object is found.
    Stacks, STACKS: {
        "off" => Off: "not at all",
        "frame-pointers" => FramePointers: "by frame pointers; what is compiled without them has short stacks. The library has them, too: two instructions more in `malloc` and `free`",
        "unwinder" => Unwinder: "by the unwinding tables, with the compiler's `libgcc_s`",
    }
    /// What the compiler aims at.
    Optimize, OPTIMIZE: {
        "speed" => Speed: "speed",
        "size" => Size: "few bytes of code",
    }
    /// How a thread finds its block.
    Tls, TLS: {
        "initial-exec" => InitialExec: "at a fixed distance from the thread pointer; the library has to be there when the program starts",
        "dynamic" => Dynamic: "by a TLS descriptor; the library can be loaded at any time, and unloaded",
        "local-exec" => LocalExec: "at a distance that is a number in the code: in a Rust program or a static archive alone, no library",
    }
    /// Whose the lists are that `malloc` and `free` use.
    Per, PER: {
        "thread" => Thread: "each thread has its own",
        "cpu" => Cpu: "each processor has its own, for whatever thread runs there; where the C library or the kernel has no restartable sequences, each thread",
    }
    /// What `malloc` prefetches.
    Prefetch, PREFETCH: {
        "off" => Off: "nothing",
        "next" => Next: "the next object of the list",
    }
}

impl Goal {
    /// Its word.
    pub fn word(self) -> &'static str {
        GOAL[self as usize].name
    }

    /// The goal of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|goal| goal.word() == word)
    }
}
