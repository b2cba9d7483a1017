//! The plan: every number that a variant's code is generated from, resolved and checked.
//!
//! A [`Plan`] is plain data. It is the only thing that the generator, the build scripts, the command line and the
//! tests read; nobody looks at the TOML a second time.

mod segment;

pub use crate::agreed::*;
pub use crate::knob::policy::{self, Policy};
pub use crate::knob::{
    Check, Commit, DoubleFree, Fill, Foreign, Goal, Guards, Idle, Interior, OnError, OnFull, Optimize, Ownership,
    Partition, Per, PlacementOrder, Prefetch, Record, Relief, RemoteFlush, RemoteSort, Room, Scale, Stacks, StatsLevel,
    TagSpace, Tagging, Thp, Tls, Unit,
};

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use crate::hash::ConfigHash;
pub use segment::SegmentPlan;

/// Everything that one variant is, resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The variant's name: `[a-z0-9][a-z0-9-]*`, at most 48 bytes; also names the library.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// What the config is expected to show, if it is an experiment.
    pub hypothesis: Option<String>,
    /// What the hypothesis speaks of, if it says so.
    pub goal: Option<Goal>,
    /// Why the hypothesis does not hold, if it was refuted; `build` repeats it.
    pub refuted: Option<String>,
    /// The resolved config as TOML: parents merged, defaults written out, keys sorted. Parsing it gives this plan.
    pub resolved: String,
    /// Hash of `resolved` without prose (`description`, `hypothesis`, `goal`, `refuted`): what a library's note is held against.
    pub hash: ConfigHash,
    /// Hash of all that reaches the generated code (name and prose left out): equal hashes mean identical allocators.
    pub code_hash: ConfigHash,
    /// All that was read, the config first, then its parents from near to far: absolute paths of files, and `hz3:NAME` for
    /// presets, which are no files. [`crate::load()`] takes each.
    pub sources: Vec<PathBuf>,
    /// Size classes by rising size; the index is the class id. Each allocation token has a row of them.
    pub classes: Vec<ClassPlan>,
    /// From a request's size to its class.
    pub lookup: LookupPlan,
    /// What a page tag says.
    pub tag: TagPlan,
    /// Who a freed object belongs to.
    pub ownership: OwnershipPlan,
    /// What a thread keeps.
    pub cache: CachePlan,
    /// What waits between threads.
    pub depot: DepotPlan,
    /// What events read, by the names of the keys: the core's `Policy`.
    pub policy: Policy,
    /// What is counted.
    pub stats: StatsPlan,
    /// Hot-path shape that changes no table.
    pub hot: HotPlan,
    /// How long segments are. What everybody has is not written out.
    #[serde(skip_serializing_if = "SegmentPlan::is_usual")]
    pub segment: SegmentPlan,
    /// How the library is compiled.
    pub build: BuildPlan,
    /// Why no library can stand in for C's `malloc` that is made of it, with the place in the config; `None` if one can.
    #[serde(skip)]
    pub no_library: Option<String>,
    /// Why it can be in a static archive or in a Rust program alone, in no shared library, with the place in the config; `None` if it
    /// can be in all.
    #[serde(skip)]
    pub no_shared: Option<String>,
}

impl Plan {
    /// The class that serves a request of `size` bytes: the smallest that holds it. 0 is served as 1.
    ///
    /// `None` above the largest class. Found by search, not by the lookup tables: those are for generated code.
    pub fn class_for(&self, size: u64) -> Option<&ClassPlan> {
        let index = self.classes.partition_point(|class| u64::from(class.size) < size);
        self.classes.get(index)
    }

    /// How many classes the allocator has: those of each token, one row behind the other.
    pub fn all_classes(&self) -> usize {
        self.classes.len() * self.policy.tokens()
    }

    /// The files among its sources: whose change may give another plan.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources
            .iter()
            .map(PathBuf::as_path)
            .filter(|path| path.is_absolute())
    }

    /// Bytes of the largest class; larger requests are served in whole pages.
    pub fn largest(&self) -> u32 {
        self.classes.last().map_or(0, |class| class.size)
    }
}

impl Policy {
    /// How many allocation tokens have classes of their own; 1 where tokens are not told apart.
    pub fn tokens(&self) -> usize {
        match self.hardening.partition {
            Partition::Token => self.hardening.groups as usize,
            Partition::Off | Partition::Size => 1,
        }
    }

    /// Whether objects have anything on beside their bytes.
    pub fn wraps(&self) -> bool {
        let hardening = &self.hardening;
        hardening.canary
            || hardening.quarantine > 0
            || hardening.fill_freed != Fill::Off
            || hardening.fill_new != Fill::Off
            || hardening.double_free == DoubleFree::Exact
    }

    /// Whether slots are processors'.
    pub fn per_cpu(&self) -> bool {
        self.cache.per == Per::Cpu
    }

    /// Whether some objects are sampled.
    pub fn samples(&self) -> bool {
        matches!(self.stats.record, Record::Sample | Record::SampleAll)
    }

    /// Whether some objects are guarded.
    pub fn guards(&self) -> bool {
        self.hardening.guarded_bytes > 0
    }
}

/// Index of a size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ClassId(pub u16);

/// One size class and the runs that hold it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPlan {
    /// Its index.
    pub id: ClassId,
    /// Bytes of an object; a multiple of the [granule](LookupPlan::granule).
    pub size: u32,
    /// Every object's address is a multiple of this (bytes, a power of two, at most [`PAGE`]).
    pub align: u32,
    /// Pages of a run.
    pub run_pages: u32,
    /// Objects of a full-length run.
    pub objects: u32,
    /// Bytes at a run's end that no object uses.
    pub tail_waste: u32,
    /// A run's first object is shifted by `k` × 64 bytes, `k` cycling through `0..colors`; 1 means no colouring. The
    /// shift is taken from `tail_waste`, so that it costs no object.
    pub colors: u32,
    /// Objects of a full batch (a magazine).
    pub batch: u32,
    /// Objects of a new thread's first batch; doubles up to `batch`. Equal to `batch` when slow start is off.
    pub batch_first: u32,
    /// Objects of the longest list of a thread's, whose objects come and go in bursts.
    pub burst: u32,
    /// One trip to the runs takes at most this many objects.
    pub batch_carve: u32,
    /// How many of the next larger classes may serve before the heap grows.
    pub borrow: u32,
    /// Byte offset of the class's slot in a bank: `(id + 1) * SLOT_BYTES`, as slot 0 is the trap.
    pub slot_offset: u32,
}

/// How a size finds its class. `fine[(n + granule - 1) / granule]` for `n <= fine_max`, then `coarse`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookupPlan {
    /// What all sizes of classes are multiples of, in bytes: 8 or [`GRANULE`].
    pub granule: u32,
    /// Largest size, in bytes, that the fine table answers.
    pub fine_max: u32,
    /// Class of every multiple of the granule; `fine_max / granule + 1` entries.
    pub fine: Vec<ClassId>,
    /// The second table, when `fine_max` is less than the largest class.
    pub coarse: Option<CoarseLookup>,
    /// Bytes that both tables take in the library (two an entry: direct slot offsets).
    pub bytes: u32,
}

/// `table[(n - 1) >> shift]` for `fine_max < n <= max`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoarseLookup {
    /// log2 of the granule.
    pub shift: u32,
    /// Largest size it answers: the largest class.
    pub max: u32,
    /// Class ids, `max >> shift` entries (those below `fine_max` are filled too).
    pub table: Vec<ClassId>,
}

/// Page tags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TagPlan {
    /// 16 or 32 bits a page.
    pub width: u32,
    /// Bits for the owner shard (0 under `adopt`).
    pub dst_bits: u32,
    /// Bits for the bin, in slot-offset units.
    pub bin_bits: u32,
    /// What the tag table covers.
    pub space: TagSpace,
}

/// Who a freed object belongs to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnershipPlan {
    /// The mode.
    pub mode: Ownership,
    /// Owners of runs; 1 under `adopt`.
    pub shards: u32,
}

/// What a thread keeps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CachePlan {
    /// Bytes that its magazines may hold together before they stop growing, if no other thread has caches.
    pub thread_bytes: u64,
    /// Bytes that they may hold however many threads there are. Between the two a thread's share is `thread_bytes` divided
    /// by the number of threads.
    pub thread_floor: u64,
    /// Bytes that the floors of all threads may be together; more threads share this. 0 is no bound.
    pub crowd_bytes: u64,
    /// Bytes of full magazines of all classes.
    pub full_bytes: u64,
    /// Most bytes of other owners' objects that a thread holds before it hands them over.
    pub remote_bytes: u64,
}

impl CachePlan {
    /// Bytes that the magazines of each of so many threads may hold together.
    pub fn share(&self, threads: u64) -> u64 {
        let threads = threads.max(1);
        let least = match self.crowd_bytes {
            0 => self.thread_floor,
            all => self.thread_floor.min((all / threads).max(CROWD_LEAST)),
        };
        (self.thread_bytes / threads).max(least).min(self.thread_bytes)
    }

    /// Threads from which on the share of each is the least.
    fn most_sharing(&self) -> u64 {
        let evenly = |bytes: u64, least: u64| bytes.div_ceil(least.max(1));
        let floors = evenly(self.thread_bytes, self.thread_floor);
        match self.crowd_bytes {
            0 => floors,
            all => {
                let least = self.thread_floor.min(CROWD_LEAST);
                evenly(all, least).max(evenly(self.thread_bytes, least))
            }
        }
    }

    /// Upper bound of the bytes that so many threads may hold together.
    ///
    /// The first of them may have grown while it was alone, the second while there were two, and so on: of the threads
    /// that live now, the one that started as the k-th never had fewer than k - 1 others beside it. None is made to give
    /// anything back before its next event.
    pub fn bytes_bound(&self, threads: u64) -> u64 {
        let share = |k: u64| self.full_bytes.min(self.share(k));
        let sharing = threads.min(self.most_sharing());
        let grown: u64 = (1..=sharing).map(share).sum();
        grown
            .saturating_add((threads - sharing).saturating_mul(share(u64::MAX)))
            .saturating_add(threads.saturating_mul(self.remote_bytes))
    }
}

/// What waits between threads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DepotPlan {
    /// A class's depot holds at most this many batches; by class id.
    pub batches: Vec<u32>,
    /// Slots of each depot array: the maximum of `batches`, at least 1.
    pub slots: u32,
    /// Upper bound of the bytes in all depots together.
    pub bytes_bound: u64,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatsPlan {
    /// How much.
    pub level: StatsLevel,
    /// Whether the counts are written to standard error at exit.
    pub exit_report: bool,
    /// Which allocations are recorded.
    pub record: Record,
    /// Bytes that a recording may take.
    pub record_bytes: u64,
    /// The path that profiles are written to, as the config says it: with `%p` for the process's number. `None` where nothing
    /// is recorded.
    pub profile_path: Option<String>,
}

impl StatsPlan {
    /// Whether a recorder is told of every call of `malloc` and `free`.
    pub fn tells_calls(&self) -> bool {
        matches!(self.record, Record::Histogram | Record::Trace)
    }
}

/// Hot-path shape that changes no table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HotPlan {
    /// What `malloc` prefetches.
    pub prefetch: Prefetch,
    /// Whether the links in free objects are encoded.
    pub encode_links: bool,
    /// Whether `free` compares with the object that was freed last.
    pub double_free_head: bool,
    /// How `free` finds pointers into objects.
    pub interior: Interior,
}

/// How the library is compiled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildPlan {
    /// What the compiler aims at in a library.
    pub optimize: Optimize,
    /// How a thread finds its block.
    pub tls: Tls,
}
