//! The knobs: the one place where a key of the language is declared.
//!
//! A line is `/// doc`, then `key: Rust type = TOML type, "default as TOML";`. An empty default means that there is none. What
//! events read goes on with `=> Rust type`: then the core's `Policy` has the value, of that type, under the same name.

use super::Kind;
use super::declare::knobs;
use super::ownership::{OWNERSHIP, Ownership};
use super::words::{
    CHECK, COMMIT, Check, Commit, DOUBLE_FREE, DoubleFree, FILL, FOREIGN, Fill, Foreign, GOAL, GUARDS, Goal, Guards,
    IDLE, INTERIOR, Idle, Interior, ON_ERROR, ON_FULL, OPTIMIZE, OnError, OnFull, Optimize, PARTITION, PER,
    PLACEMENT_ORDER, PREFETCH, Partition, Per, PlacementOrder, Prefetch, RECORD, RELIEF, REMOTE_FLUSH, REMOTE_SORT,
    Record, Relief, RemoteFlush, RemoteSort, STACKS, STATS_LEVEL, SUB4K, Stacks, StatsLevel, Sub4k, TAG_SPACE, TAGGING,
    THP, TLS, TagSpace, Tagging, Thp, Tls, UNIT, Unit,
};
use super::{RangeRow, Step};
use crate::agreed::{BATCH_MAX, DEPTH_MAX, OWNERS_MAX, SEGMENT, SEGMENT_USABLE_PAGES, SHELVES_MAX, USER_SPACE};
use crate::source::Located;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const RUN_PAGES: u64 = SEGMENT_USABLE_PAGES as u64;

knobs! {
    /// Who the variant is.
    [top: Top] {
        /// The variant's name, which is the file's too: `[a-z0-9][a-z0-9-]*`, at most 48 bytes.
        name: Option<String> = Kind::Text, "";
        /// What the variant is, in one line.
        description: Option<String> = Kind::Text, "";
        /// What the variant is expected to show, if it is an experiment.
        hypothesis: Option<String> = Kind::Text, "";
        /// What the hypothesis speaks of. `compare` shows it beside that verdict, and measures until that verdict is clear.
        goal: Option<Goal> = Kind::Choice(GOAL), "";
        /// Why the hypothesis does not hold, if it was refuted. `build` repeats it.
        refuted: Option<String> = Kind::Text, "";
        /// The parent: `"NAME"` is the sibling `NAME.toml`, or the preset of that name where there is no such file; a value that
        /// ends in `.toml` is a path from this file's folder; `"hz3:NAME"` is a preset, one of the configs that hz3 ships.
        /// Every key except the six above all tables is inherited; a list is replaced as a whole.
        extends: Option<String> = Kind::Text, "";
    }

    /// Size classes. The first is always 16 bytes.
    /// Each takes a slot in a thread's block, which is taken out of every thread's stack: 8 KiB is the most, so 336 classes.
    [classes: Classes] {
        /// What sizes of classes are multiples of, and so the addresses of their objects: 16 or 8 bytes. C's `malloc` aligns to 16,
        /// so no library can be made of a config with 8. It is for Rust programs, whose layouts name their alignment: what asks
        /// for 16 gets a class that is a multiple of 16.
        granule: u64 = Kind::Among(&[8, 16]), "16";
        /// Ranges of classes, each continuing above the one before.
        /// `{ to, step }`: every multiple of `step` up to `to`.
        /// `{ to, per_doubling }`: that many evenly spaced classes between powers of two, up to `to`; rounded up to the granule and to 1/64 of the power of two below.
        /// `{ sizes = [...] }`: exactly these.
        /// The last class of the last range is the largest: from 2048 bytes to 1 MiB.
        steps: Vec<Step> = Kind::Steps, "[{ to = 128, step = 16 }, { to = 32768, per_doubling = 8 }]";
    }

    /// Classes strictly between 2048 and 4096 bytes.
    [sub4k: Sub4kGroup] {
        /// Where these classes come from.
        layout: Sub4k = Kind::Choice(SUB4K), "\"follow\"";
        /// The classes, if `layout = "list"`: multiples of 16 from 2064 to 4080, rising.
        sizes: Vec<Located<u64>> = Kind::Sizes(2064, 4080), "[]";
        /// Pages of a run of these classes; `"auto"` goes by `runs`.
        run_pages: Option<u64> = Kind::Or("auto", &Kind::Int(1, RUN_PAGES)), "\"auto\"";
    }

    /// From a size to its class.
    /// The tables of a variant, two bytes an entry, may have 16 KiB together. The coarse one has an entry for every granule up
    /// to the largest class; its granule is the greatest power of two that divides `fine_max` and all classes above it.
    [lookup: Lookup] {
        /// Largest size that the fine table (one entry for each granule of `classes`) answers; above it a coarse table answers.
        /// `"auto"` is the largest class, but at most 32 KiB.
        fine_max: Option<u64> = Kind::Or("auto", &Kind::Bytes(2 * KIB, MIB, 16)), "\"auto\"";
    }

    /// Runs: consecutive pages that hold objects of one class.
    /// The shortest run that satisfies `max_waste_percent` and `min_objects` within `max_pages` is taken.
    /// If none does, `min_objects` gives way first, then the least waste decides. A run always holds an object.
    [runs: Runs] {
        /// At most this share of a run, in percent, may stay unused at its end.
        max_waste_percent: f64 = Kind::Percent, "1.0";
        /// A run has at least this many objects.
        min_objects: u64 = Kind::Int(1, 4096), "8";
        /// A run has at most this many pages; a larger object gets the pages that it needs.
        max_pages: u64 = Kind::Int(1, RUN_PAGES), "16";
        /// Shift the first object of successive runs by cache lines, as far as the waste at their end allows.
        /// The alignment of coloured classes is at most 64 bytes.
        coloring: bool = Kind::Bool, "false";
        /// Pages set by hand for the classes from `from` to `to` bytes.
        overrides: Vec<RangeRow> = Kind::Ranges("pages", 1, RUN_PAGES), "[]";
    }

    /// Page tags: one integer for each page, which is the byte offset of a slot, plus the owner if there is one.
    [tag: Tag] {
        /// Bits of a tag: 16 or 32.
        width: u64 = Kind::Among(&[16, 32]), "16";
        /// Bits for the owner; `"auto"` is 0 under `adopt`, else what the shards need.
        dst_bits: Option<u64> = Kind::Or("auto", &Kind::Int(0, 16)), "\"auto\"";
        /// Bits for the slot offset; `"auto"` is what the classes need.
        bin_bits: Option<u64> = Kind::Or("auto", &Kind::Int(5, 32)), "\"auto\"";
        /// What the tag table covers.
        space: TagSpace = Kind::Choice(TAG_SPACE), "\"arena\"";
    }

    /// Who a freed object belongs to.
    [ownership: OwnershipGroup] {
        /// Who it belongs to.
        mode: Ownership = Kind::Choice(OWNERSHIP), "\"adopt\"";
        /// How many owners there are, in the owner modes.
        shards: u64 = Kind::Int(1, OWNERS_MAX), "8";
        /// Into how many parts the owners are cut, one for each memory node (NUMA) of the machine. A thread becomes one of the owners of
        /// the node that it starts on, and runs of owners of one node share no segments with those of others. 1 asks for no node.
        nodes: u64 = Kind::Int(1, OWNERS_MAX), "1" => u32;
        /// Entries of a thread's ring, in `owner-ring`.
        ring: u64 = Kind::Int(16, 4096), "256" => u32;
    }

    /// Frees into other owners' runs, in the owner modes.
    [remote: Remote] {
        /// Objects that a thread keeps for another owner and class before it hands them over, in `owner-bank`.
        batch: u64 = Kind::Int(1, 4096), "32" => u32;
        /// When a thread hands over.
        flush: RemoteFlush = Kind::Choice(REMOTE_FLUSH), "\"full\"" => RemoteFlush;
        /// How a flush of the ring groups its entries, in `owner-ring`. Entries of one owner and class leave together, as far as
        /// they are found together.
        sort: RemoteSort = Kind::Choice(REMOTE_SORT), "\"sort\"" => RemoteSort;
    }

    /// What a thread keeps: magazines, each a batch of objects.
    [cache: Cache] {
        /// Whose they are.
        per: Per = Kind::Choice(PER), "\"thread\"" => Per;
        /// Magazines of a class: 1 (current) or 2 (current and spare).
        magazines: u64 = Kind::Int(1, 2), "1" => u32;
        /// Wanted bytes of a batch: a batch has `batch_bytes / size` objects, within the two bounds.
        batch_bytes: u64 = Kind::Bytes(16, MIB, 1), "\"128KiB\"";
        /// A batch has at least this many objects.
        batch_min: u64 = Kind::Int(1, BATCH_MAX), "32";
        /// A batch has at most this many objects.
        batch_max: u64 = Kind::Int(1, BATCH_MAX), "128";
        /// Start a thread's classes with short batches that grow.
        slow_start: bool = Kind::Bool, "true";
        /// Wanted bytes of the first batch under slow start; it has at least one object.
        first_bytes: u64 = Kind::Bytes(16, MIB, 1), "512";
        /// A thread's magazines may hold at most this many bytes, all classes together; they grow with use until then.
        thread_bytes: u64 = Kind::Bytes(64 * KIB, GIB, 1), "\"16MiB\"" => usize;
        /// Where several threads have caches they share `thread_bytes` evenly, but each may hold at least this much.
        /// `"auto"` is all of `thread_bytes`: then they do not share.
        thread_floor: Option<u64> = Kind::Or("auto", &Kind::Bytes(64 * KIB, GIB, 1)), "\"2MiB\"" => usize;
        /// Where there are more threads than this has floors, they are a crowd, most of which sleeps: they share this instead, but
        /// each may hold at least 64 KiB. A class that a thread's share is too small for has no list then. With `"auto"` the
        /// floor holds however many threads there are.
        crowd_bytes: Option<u64> = Kind::Or("auto", &Kind::Bytes(64 * KIB, TIB, 1)), "\"64MiB\"" => usize;
        /// One trip to the runs takes at most this many bytes into a batch, but at least one object. Of what was never handed out
        /// it takes one page at most.
        carve_bytes: u64 = Kind::Bytes(16, MIB, 1), "\"32KiB\"";
        /// A list may hold at most this many bytes, more than a batch, where whole batches are freed in a row and then
        /// taken again in a row.
        burst_bytes: u64 = Kind::Bytes(0, MIB, 1), "\"48KiB\"";
        /// Objects of a batch set by hand for the classes from `from` to `to` bytes.
        overrides: Vec<RangeRow> = Kind::Ranges("batch", 1, BATCH_MAX), "[]";
    }

    /// What waits between threads: whole batches, for each class.
    [depot: Depot] {
        /// Wanted bytes for each class: `bytes / (batch × size)` batches, within the two bounds.
        bytes: u64 = Kind::Bytes(0, GIB, 1), "\"64KiB\"";
        /// A depot has place for at least this many batches of a class.
        batches_min: u64 = Kind::Int(0, 256), "16";
        /// A depot has place for at most this many batches of a class.
        batches_max: u64 = Kind::Int(1, 256), "16";
        /// Parts of a depot, each in cache lines of its own. A thread looks into one of them first, so that what it freed comes
        /// back to it.
        shelves: u64 = Kind::Int(1, SHELVES_MAX), "4" => u32;
        /// Empty runs that each class keeps before it gives pages back.
        empty_runs: u64 = Kind::Int(0, 1024), "1" => u32;
    }

    /// Runs that still have free objects, for each class.
    [central: Central] {
        /// Take objects of other owners before new pages.
        steal: bool = Kind::Bool, "false";
    }

    /// Address space.
    [arena: Arena] {
        /// Bytes of address space. Only what is used is mapped. Where the kernel grants no free range, one is reserved; if that is refused, half is tried, and so on.
        size: u64 = Kind::Bytes(16 * MIB, TIB, SEGMENT), "\"64GiB\"" => usize;
        /// Bytes of a segment: a power of two. Objects of more than half of one are whole segments. A library is built for it. A Rust
        /// program names it as a feature of `hz3`, too (`segment-8m`), and all variants of a program have the same.
        segment: u64 = Kind::Bytes(MIB, 32 * MIB, MIB), "\"2MiB\"";
        /// The largest page that a kernel may have: a power of two, or whatever comes, up to 64 KiB. Under a kernel with larger ones the process ends at its start. What the kernel is given is rounded to the pages that it has.
        page: Option<u64> = Kind::Or("kernel", &Kind::Bytes(4 * KIB, 64 * KIB, 4 * KIB)), "\"4KiB\"" => usize;
        /// Where the arena shall lie: an address, or a random place that nothing else uses. It is a wish, not a demand.
        base: Option<u64> = Kind::Or("kernel", &Kind::Bytes(SEGMENT, USER_SPACE, SEGMENT)), "\"kernel\"" => usize;
        /// How reserved memory becomes usable.
        commit: Commit = Kind::Choice(COMMIT), "\"segment\"" => Commit;
        /// What follows when the arena is used up.
        on_full: OnFull = Kind::Choice(ON_FULL), "\"system\"" => OnFull;
        /// Bytes of the heap above which requests first have caches and free pages given back; 0 is no limit. Every page counts that may
        /// hold something: see docs/memory.md.
        soft_limit: u64 = Kind::Bytes(0, TIB, 1), "0" => usize;
        /// Bytes of the heap above which requests fail; 0 is no limit. What counts is the same.
        hard_limit: u64 = Kind::Bytes(0, TIB, 1), "0" => usize;
        /// Keep within the limits of the process's control group, too. They are read at events, once a second at most.
        cgroup: bool = Kind::Bool, "false" => bool;
        /// Huge pages.
        thp: Thp = Kind::Choice(THP), "\"system\"" => Thp;
    }

    /// Objects above the largest class.
    [large: Large] {
        /// Bytes of freed large objects that are kept with their pages.
        cache: u64 = Kind::Bytes(0, TIB, 1), "\"192MiB\"" => usize;
        /// Milliseconds after which a kept object goes back; 0 keeps it until room is needed.
        max_age_ms: u64 = Kind::Int(0, 3_600_000), "1000" => u64;
    }

    /// Where runs and large objects are placed. A hole is a range of free pages.
    [placement: Placement] {
        /// Which of several segments with room gives its pages.
        order: PlacementOrder = Kind::Choice(PLACEMENT_ORDER), "\"fullest\"" => PlacementOrder;
        /// When a request found no memory, leave the segment with the fewest pages in use alone, so that it may become free.
        /// A request that finds room nowhere else is served from it all the same.
        quarantine: bool = Kind::Bool, "false";
        /// Requests for pages after which a quarantine ends, unless the segment is wholly free before.
        quarantine_events: u64 = Kind::Int(1, 1 << 20), "1024" => u32;
        /// Segments that a search looks at for the tightest hole, those with the shortest longest hole first.
        /// Of equally tight ones `order` decides; with 0, `order` alone.
        pack_tries: u64 = Kind::Int(0, 1024), "0" => u32;
        /// Before the heap grows by a segment, an object of a larger class serves, if one is at hand. That class is at most this
        /// many percent larger; 0 never borrows.
        borrow_percent: f64 = Kind::Percent, "33.0";
        /// Bytes of the smallest class that takes objects of larger classes.
        borrow_from: u64 = Kind::Bytes(16, 64 * KIB, 16), "\"1KiB\"";
    }

    /// When free pages go back to the kernel.
    [purge: Purge] {
        /// At most this many bytes are free and still backed; above that the page heap purges.
        dirty: u64 = Kind::Bytes(0, TIB, 1), "\"64MiB\"" => usize;
        /// A free range stays backed for this many milliseconds, which are counted at events; 0 means that only `dirty` counts.
        delay_ms: u64 = Kind::Int(0, 3_600_000), "1000" => u64;
        /// Whether to keep more than was shown to be wanted, for fewer page faults: what objects of many pages left, for a delay, and
        /// as much as was wanted back although other pages were there, as free ranges do not fit every request.
        spare: bool = Kind::Bool, "true" => bool;
        /// Whether pages inside of runs are given back, too, when no object in use lies in them.
        holes: bool = Kind::Bool, "true" => bool;
        /// The least that is given back.
        unit: Unit = Kind::Choice(UNIT), "\"page\"" => Unit;
        /// Whether a thread that exits purges.
        at_thread_exit: bool = Kind::Bool, "false" => bool;
        /// Who purges when no thread has events.
        idle: Idle = Kind::Choice(IDLE), "\"off\"" => Idle;
    }

    /// What happens when memory runs short.
    [pressure: Pressure] {
        /// Raise an epoch that makes every thread give back its caches at its next event.
        enabled: bool = Kind::Bool, "true" => bool;
        /// Bytes of segments in use above which the epoch is raised; 0 means only when the arena is used up.
        budget: u64 = Kind::Bytes(0, TIB, 1), "0" => usize;
        /// If a thread's own relief leaves at least this many free bytes, it is enough; with less, the other threads are asked too.
        reclaim: u64 = Kind::Bytes(4 * KIB, GIB, 4 * KIB), "\"16MiB\"" => usize;
        /// What caches give back.
        relief: Relief = Kind::Choice(RELIEF), "\"all\"" => Relief;
    }

    /// Defences. Each costs what `cargo hz3 count` and `compare` say of it, and one that is off leaves no instruction.
    [hardening: Hardening] {
        /// What `free`, `realloc` and `malloc_usable_size` do with a pointer that the variant did not give.
        foreign: Foreign = Kind::Choice(FOREIGN), "\"libc\"" => Foreign;
        /// What is checked where objects move between a thread and the heap.
        check: Check = Kind::Choice(CHECK), "\"events\"" => Check;
        /// What follows when a check fails.
        on_error: OnError = Kind::Choice(ON_ERROR), "\"abort\"" => OnError;
        /// How a second `free` of an object is found.
        double_free: DoubleFree = Kind::Choice(DOUBLE_FREE), "\"off\"" => DoubleFree;
        /// Encode the links in free objects with a key of the process, and check each before it is followed.
        encode_links: bool = Kind::Bool, "false";
        /// How a pointer into the middle of an object is found.
        interior: Interior = Kind::Choice(INTERIOR), "\"off\"";
        /// Compare the size and the alignment that `free_sized`, `free_aligned_sized` and C++'s `delete` name with the object.
        sized: bool = Kind::Bool, "false" => bool;
        /// Put a value that only the process knows behind what was asked for, and look at it when the object is freed or resized. It
        /// takes eight bytes of each object at least.
        canary: bool = Kind::Bool, "false" => bool;
        /// What freed objects are filled with; when they are served again, the pattern is looked at.
        fill_freed: Fill = Kind::Choice(FILL), "\"off\"" => Fill;
        /// What new objects are filled with.
        fill_new: Fill = Kind::Choice(FILL), "\"off\"" => Fill;
        /// How many bytes of an object are filled and looked at, from its beginning. Of a freed object the last sixteen of them are the
        /// last that were asked for, wherever these lie. 0 is all bytes.
        fill_bytes: u64 = Kind::Bytes(0, GIB, 16), "0" => usize;
        /// Bytes of freed objects that a thread keeps from being served again; those that leave are drawn at random. 0 keeps none.
        quarantine: u64 = Kind::Bytes(0, GIB, 1), "0" => usize;
        /// Bytes of freed objects above the largest class that the process keeps from being served again. Their pages cannot be
        /// touched meanwhile, and take no memory. Those that leave are drawn at random; none may be larger than a quarter of it, and
        /// there are at most 128. 0 keeps none.
        quarantine_large: u64 = Kind::Bytes(0, TIB, 1), "0" => usize;
        /// Carve runs and refill lists in random order, and shift the first object of a run at random where runs have colours. What
        /// a thread freed last it still gets first.
        random: bool = Kind::Bool, "false" => bool;
        /// Where pages lie that nobody may touch. Each takes address space, and no memory.
        guards: Guards = Kind::Choice(GUARDS), "\"off\"" => Guards;
        /// Of how many runs of small objects one has such a page behind it, drawn at random. With 1 each has.
        guard_runs: u64 = Kind::Int(1, 65536), "8" => u32;
        /// Bytes of address space in which the heap draws the places of all that it maps for itself: of an arena that is reserved, a
        /// flat tag table, what lies outside of the arena, banks. With 0 the kernel places these, near its libraries. An arena whose
        /// range is claimed, as a rule, draws its place in any case: with 0 in 64 TiB.
        spread: u64 = Kind::Bytes(0, 64 * TIB, MIB), "0" => usize;
        /// Which objects get runs of their own.
        partition: Partition = Kind::Choice(PARTITION), "\"off\"" => Partition;
        /// Groups of `partition`. With `"size"` each is of about as many size classes; with `"token"` each token is one, and has all
        /// classes once more in every thread's block. Objects above the largest class are one group more.
        groups: u64 = Kind::Int(2, 64), "4" => u32;
        /// Mean bytes that come to threads between two guarded objects. A guarded object lies at the end or at the beginning of a page
        /// of its own, and the pages around it cannot be touched. Objects of up to a page can be guarded. 0 guards none.
        guarded_bytes: u64 = Kind::Bytes(0, TIB, 1), "0" => u64;
        /// Places for guarded objects, a page each. Half of them may be in use at a time; of the others the one that was left first
        /// is used next.
        guarded: u64 = Kind::Int(2, 4096), "32" => u32;
        /// Microseconds between two guarded objects of the process, at least: where they come more often, they are not guarded. 0 is
        /// no bound.
        guarded_pause_us: u64 = Kind::Int(0, 1_000_000), "10000" => u64;
        /// Say in a line what a fault has to do with the heap that ends the program: a guard, a freed large object, a wild pointer that
        /// was freed. A handler of faults is installed when the process starts; with guarded objects, at the first of them in any case.
        faults: bool = Kind::Bool, "false" => bool;
        /// Tags of memory that the processor checks.
        tagging: Tagging = Kind::Choice(TAGGING), "\"off\"";
    }

    /// What is counted. Nothing is ever counted on the hot path unless asked for here.
    [stats: Stats] {
        /// What is counted.
        level: StatsLevel = Kind::Choice(STATS_LEVEL), "\"off\"";
        /// Write the counts to standard error at exit.
        exit_report: bool = Kind::Bool, "false";
        /// Record allocations.
        record: Record = Kind::Choice(RECORD), "\"off\"" => Record;
        /// Bytes that `"histogram"` may take for its counts, and the file of each process that `"trace"` writes, 16 a call. What
        /// finds no room is counted as dropped.
        record_bytes: u64 = Kind::Bytes(64 * KIB, TIB, 1), "\"256MiB\"";
        /// Mean bytes between two sampled objects: each byte is as likely as any other to have its object sampled.
        sample_bytes: u64 = Kind::Bytes(4 * KIB, GIB, 1), "\"512KiB\"" => u64;
        /// Microseconds that the samples of a thread are apart, at least and on average: where they come more often, this thread's
        /// mean is doubled, up to 256 times `sample_bytes`. 0 is no bound.
        sample_pause_us: u64 = Kind::Int(0, 1_000_000), "1000" => u64;
        /// Most sampled objects at a time, rounded up to a power of two; what finds no room is counted as dropped. As many call
        /// stacks are told apart, and twice as many kinds of objects that have ended.
        samples: u64 = Kind::Int(64, 1 << 20), "8192" => u32;
        /// How the call stack of a sampled object is found.
        stacks: Stacks = Kind::Choice(STACKS), "\"unwinder\"" => Stacks;
        /// Most frames of a call stack that are kept, the innermost first.
        depth: u64 = Kind::Int(1, DEPTH_MAX), "32" => u32;
        /// The file that a profile is written to: `%p` is the process's number, `%%` a percent sign. What is there is replaced.
        profile_path: Option<String> = Kind::Text, "\"hz3.%p.pb\"";
        /// A signal that has a profile written, by its number; 0 is none.
        dump_signal: u64 = Kind::Int(0, 64), "0" => u32;
        /// Write a profile when the process ends or the library is unloaded.
        dump_at_exit: bool = Kind::Bool, "false" => bool;
    }

    /// Hot-path shape that changes no table.
    [hot: Hot] {
        /// What `malloc` prefetches.
        prefetch: Prefetch = Kind::Choice(PREFETCH), "\"off\"";
    }

    /// How a variant is compiled.
    [build: Build] {
        /// What the compiler aims at in a library. An allocator in a Rust program is compiled as the program's own profile says.
        optimize: Optimize = Kind::Choice(OPTIMIZE), "\"speed\"";
        /// How a thread finds its block.
        tls: Tls = Kind::Choice(TLS), "\"initial-exec\"";
    }
}
