//! What events read of a config, by the names of its keys: `[purge] delay_ms` is `policy.purge.delay_ms`.
//!
//! @generated from the declarations in `hz3-config/src/knob/table.rs`; do not edit. Bless it with
//! `HZ3_UPDATE=1 cargo test -p hz3-config --test schema`.

/// What events read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Who a freed object belongs to.
    pub ownership: OwnershipGroup,
    /// Frees into other owners' runs, in the owner modes.
    pub remote: Remote,
    /// What a thread keeps: magazines, each a batch of objects.
    pub cache: Cache,
    /// What waits between threads: whole batches, for each class.
    pub depot: Depot,
    /// Address space.
    pub arena: Arena,
    /// Objects above the largest class.
    pub large: Large,
    /// Where runs and large objects are placed. A hole is a range of free pages.
    pub placement: Placement,
    /// When free pages go back to the kernel.
    pub purge: Purge,
    /// What happens when memory runs short.
    pub pressure: Pressure,
    /// Defences. Each costs what `cargo hz3 count` and `compare` say of it, and one that is off leaves no instruction.
    pub hardening: Hardening,
    /// What is counted. Nothing is ever counted on the hot path unless asked for here.
    pub stats: Stats,
}

/// Who a freed object belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OwnershipGroup {
    /// Into how many parts the owners are cut, one for each memory node (NUMA) of the machine. A thread becomes one of the owners of
    /// the node that it starts on, and runs of owners of one node share no segments with those of others. 1 asks for no node.
    /// `0` unless `ownership.mode` is "owner-bank" or "owner-ring".
    pub nodes: u32,
    /// Entries of a thread's ring, in `owner-ring`.
    /// `0` unless `ownership.mode` is "owner-ring".
    pub ring: u32,
}

/// Frees into other owners' runs, in the owner modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Remote {
    /// Objects that a thread keeps for another owner and class before it hands them over, in `owner-bank`.
    /// `0` unless `ownership.mode` is "owner-bank".
    pub batch: u32,
    /// When a thread hands over.
    /// `Full` unless `ownership.mode` is "owner-bank" or "owner-ring".
    pub flush: RemoteFlush,
    /// How a flush of the ring groups its entries, in `owner-ring`. Entries of one owner and class leave together, as far as
    /// they are found together.
    /// `Off` unless `ownership.mode` is "owner-ring".
    pub sort: RemoteSort,
}

/// What a thread keeps: magazines, each a batch of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cache {
    /// Whose they are.
    pub per: Per,
    /// Magazines of a class: 1 (current) or 2 (current and spare).
    pub magazines: u32,
    /// A thread's magazines may hold at most this many bytes, all classes together; they grow with use until then.
    /// `0` unless `cache.slow_start` is true.
    pub thread_bytes: usize,
    /// Where several threads have caches they share `thread_bytes` evenly, but each may hold at least this much.
    /// `"auto"` is all of `thread_bytes`: then they do not share.
    /// "auto" is 0.
    /// `0` unless `cache.slow_start` is true.
    pub thread_floor: usize,
    /// Where there are more threads than this has floors, they are a crowd, most of which sleeps: they share this instead, but
    /// each may hold at least 64 KiB. A class that a thread's share is too small for has no list then. With `"auto"` the
    /// floor holds however many threads there are.
    /// "auto" is 0.
    /// `0` unless `cache.slow_start` is true.
    pub crowd_bytes: usize,
}

/// What waits between threads: whole batches, for each class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depot {
    /// Parts of a depot, each in cache lines of its own. A thread looks into one of them first, so that what it freed comes
    /// back to it.
    /// `0` unless `ownership.mode` is "adopt".
    pub shelves: u32,
    /// Empty runs that each class keeps before it gives pages back.
    pub empty_runs: u32,
}

/// Address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arena {
    /// Bytes of address space. Only what is used is mapped. Where the kernel grants no free range, one is reserved; if that is refused, half is tried, and so on.
    pub size: usize,
    /// The largest page that a kernel may have: a power of two, or whatever comes, up to 64 KiB. Under a kernel with larger ones the process ends at its start. What the kernel is given is rounded to the pages that it has.
    /// "kernel" is 0.
    pub page: usize,
    /// Where the arena shall lie: an address, or a random place that nothing else uses. It is a wish, not a demand.
    /// "kernel" is 0.
    pub base: usize,
    /// How reserved memory becomes usable.
    pub commit: Commit,
    /// What follows when the arena is used up.
    pub on_full: OnFull,
    /// Bytes of the heap above which requests first have caches and free pages given back; 0 is no limit. Every page counts that may
    /// hold something: see docs/memory.md.
    pub soft_limit: usize,
    /// Bytes of the heap above which requests fail; 0 is no limit. What counts is the same.
    pub hard_limit: usize,
    /// Keep within the limits of the process's control group, too. They are read at events, once a second at most.
    pub cgroup: bool,
    /// Huge pages.
    pub thp: Thp,
}

/// Objects above the largest class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Large {
    /// Bytes of freed large objects that are kept with their pages.
    pub cache: usize,
    /// Milliseconds after which a kept object goes back; 0 keeps it until room is needed.
    /// `0` unless `large.cache` is more than 0.
    pub max_age_ms: u64,
}

/// Where runs and large objects are placed. A hole is a range of free pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Placement {
    /// Which of several segments with room gives its pages.
    pub order: PlacementOrder,
    /// Requests for pages after which a quarantine ends, unless the segment is wholly free before.
    /// `0` unless `placement.quarantine` is true.
    pub quarantine_events: u32,
    /// Segments that a search looks at for the tightest hole, those with the shortest longest hole first.
    /// Of equally tight ones `order` decides; with 0, `order` alone.
    pub pack_tries: u32,
}

/// When free pages go back to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Purge {
    /// At most this many bytes are free and still backed; above that the page heap purges.
    pub dirty: usize,
    /// A free range stays backed for this many milliseconds, which are counted at events; 0 means that only `dirty` counts.
    pub delay_ms: u64,
    /// Whether to keep more than was shown to be wanted, for fewer page faults: what objects of many pages left, for a delay, and
    /// as much as was wanted back although other pages were there, as free ranges do not fit every request.
    pub spare: bool,
    /// Whether pages inside of runs are given back, too, when no object in use lies in them.
    pub holes: bool,
    /// The least that is given back.
    pub unit: Unit,
    /// Whether a thread that exits purges.
    pub at_thread_exit: bool,
    /// Who purges when no thread has events.
    pub idle: Idle,
}

/// What happens when memory runs short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// Raise an epoch that makes every thread give back its caches at its next event.
    pub enabled: bool,
    /// Bytes of segments in use above which the epoch is raised; 0 means only when the arena is used up.
    /// `0` unless `pressure.enabled` is true.
    pub budget: usize,
    /// If a thread's own relief leaves at least this many free bytes, it is enough; with less, the other threads are asked too.
    /// `0` unless `pressure.enabled` is true.
    pub reclaim: usize,
    /// What caches give back.
    /// `All` unless `pressure.enabled` is true.
    pub relief: Relief,
}

/// Defences. Each costs what `cargo hz3 count` and `compare` say of it, and one that is off leaves no instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hardening {
    /// What `free`, `realloc` and `malloc_usable_size` do with a pointer that the variant did not give.
    pub foreign: Foreign,
    /// What is checked where objects move between a thread and the heap.
    pub check: Check,
    /// What follows when a check fails.
    pub on_error: OnError,
    /// How a second `free` of an object is found.
    pub double_free: DoubleFree,
    /// Compare the size and the alignment that `free_sized`, `free_aligned_sized` and C++'s `delete` name with the object.
    pub sized: bool,
    /// Put a value that only the process knows behind what was asked for, and look at it when the object is freed or resized. It
    /// takes eight bytes of each object at least.
    pub canary: bool,
    /// What freed objects are filled with; when they are served again, the pattern is looked at.
    pub fill_freed: Fill,
    /// What new objects are filled with.
    pub fill_new: Fill,
    /// How many bytes of an object are filled and looked at, from its beginning. Of a freed object the last sixteen of them are the
    /// last that were asked for, wherever these lie. 0 is all bytes.
    /// `0` unless `hardening.fill_freed` is "zero" or "poison", or `hardening.fill_new` is.
    pub fill_bytes: usize,
    /// Bytes of freed objects that a thread keeps from being served again; those that leave are drawn at random. 0 keeps none.
    pub quarantine: usize,
    /// Bytes of freed objects above the largest class that the process keeps from being served again. Their pages cannot be
    /// touched meanwhile, and take no memory. Those that leave are drawn at random; none may be larger than a quarter of it, and
    /// there are at most 128. 0 keeps none.
    pub quarantine_large: usize,
    /// Carve runs and refill lists in random order, and shift the first object of a run at random where runs have colours. What
    /// a thread freed last it still gets first.
    pub random: bool,
    /// Where pages lie that nobody may touch. Each takes address space, and no memory.
    pub guards: Guards,
    /// Of how many runs of small objects one has such a page behind it, drawn at random. With 1 each has.
    /// `0` unless `hardening.guards` is "runs".
    pub guard_runs: u32,
    /// Bytes of address space in which the heap draws the places of all that it maps for itself: of an arena that is reserved, a
    /// flat tag table, what lies outside of the arena, banks. With 0 the kernel places these, near its libraries. An arena whose
    /// range is claimed, as a rule, draws its place in any case: with 0 in 64 TiB.
    pub spread: usize,
    /// Which objects get runs of their own.
    pub partition: Partition,
    /// Groups of `partition`. With `"size"` each is of about as many size classes; with `"token"` each token is one, and has all
    /// classes once more in every thread's block. Objects above the largest class are one group more.
    /// `0` unless `hardening.partition` is "size" or "token".
    pub groups: u32,
    /// Mean bytes that come to threads between two guarded objects. A guarded object lies at the end or at the beginning of a page
    /// of its own, and the pages around it cannot be touched. Objects of up to a page can be guarded. 0 guards none.
    pub guarded_bytes: u64,
    /// Places for guarded objects, a page each. Half of them may be in use at a time; of the others the one that was left first
    /// is used next.
    /// `0` unless `hardening.guarded_bytes` is more than 0.
    pub guarded: u32,
    /// Microseconds between two guarded objects of the process, at least: where they come more often, they are not guarded. 0 is
    /// no bound.
    /// `0` unless `hardening.guarded_bytes` is more than 0.
    pub guarded_pause_us: u64,
    /// Say in a line what a fault has to do with the heap that ends the program: a guard, a freed large object, a wild pointer that
    /// was freed. A handler of faults is installed when the process starts; with guarded objects, at the first of them in any case.
    pub faults: bool,
}

/// What is counted. Nothing is ever counted on the hot path unless asked for here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Record allocations.
    pub record: Record,
    /// Mean bytes between two sampled objects: each byte is as likely as any other to have its object sampled.
    /// `0` unless `stats.record` is "sample" or "sample-all".
    pub sample_bytes: u64,
    /// Microseconds that the samples of a thread are apart, at least and on average: where they come more often, this thread's
    /// mean is doubled, up to 256 times `sample_bytes`. 0 is no bound.
    /// `0` unless `stats.record` is "sample" or "sample-all".
    pub sample_pause_us: u64,
    /// Most sampled objects at a time, rounded up to a power of two; what finds no room is counted as dropped. As many call
    /// stacks are told apart, and twice as many kinds of objects that have ended.
    /// `0` unless `stats.record` is "sample" or "sample-all".
    pub samples: u32,
    /// How the call stack of a sampled object is found.
    /// `Off` unless `stats.record` is "sample" or "sample-all", or `hardening.guarded_bytes` is more than 0.
    pub stacks: Stacks,
    /// Most frames of a call stack that are kept, the innermost first.
    /// `0` unless `stats.stacks` is "unwinder" or "frame-pointers".
    pub depth: u32,
    /// A signal that has a profile written, by its number; 0 is none.
    /// `0` unless `stats.record` is "sample", "sample-all" or "histogram".
    pub dump_signal: u32,
    /// Write a profile when the process ends or the library is unloaded.
    /// `false` unless `stats.record` is "sample", "sample-all" or "histogram".
    pub dump_at_exit: bool,
}

/// When a thread hands over what it keeps for other owners.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RemoteFlush {
    /// When a slot array or the ring is full.
    #[default]
    Full,
    /// Also before it takes pages for a new run.
    BeforePages,
}

/// How a flush of the ring groups its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RemoteSort {
    /// Not at all: what lies side by side and is of one owner and class leaves together.
    #[default]
    Off,
    /// Through a table of 64 places, by owner and class; what finds its place taken by others sends them off.
    Direct,
    /// By sorting.
    Sort,
}

/// Whose the lists are that `malloc` and `free` use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Per {
    /// Each thread has its own.
    #[default]
    Thread,
    /// Each processor has its own, for whatever thread runs there; where the C library or the kernel has no restartable sequences, each thread.
    Cpu,
}

/// How reserved memory becomes usable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Commit {
    /// Reserved without access and opened segment by segment.
    #[default]
    Segment,
    /// Reserved readable and writable as a whole.
    Whole,
}

/// What follows when the arena is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnFull {
    /// Further memory is mapped outside of the arena.
    #[default]
    System,
    /// NULL and `ENOMEM`.
    Fail,
}

/// Huge pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Thp {
    /// No advice is given.
    #[default]
    System,
    /// Advised against, for the whole arena.
    Never,
    /// Asked for, for objects of a segment or more.
    Large,
    /// Asked for, for the whole arena.
    Always,
    /// Asked for, for new segments of a heap of 32 MiB or more that is full, and for segments and parts of huge objects that are old and full; where few pages of such a segment are free, they stay.
    Dense,
}

/// Which of several segments with room gives its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PlacementOrder {
    /// The fullest of up to 8 whose longest hole is the shortest that fits, so that sparse ones drain.
    #[default]
    Fullest,
    /// The one at the lowest address, of up to 64 that have room, those with the shortest holes first.
    Lowest,
    /// The one with the fewest free pages, of up to 64 that have room, those with the shortest holes first; whole huge pages come before all others.
    Densest,
}

/// The least that a purge gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// A page.
    #[default]
    Page,
    /// A segment, which is a huge page or can be one, when all of its pages are free; parts of it only when memory is short, a limit is near, or somebody asks.
    Huge,
}

/// Who purges when no thread has events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Idle {
    /// Nobody.
    #[default]
    Off,
    /// A thread of the allocator's own, which ends when there was nothing to purge for three delays.
    Helper,
}

/// What caches give back when memory is short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Relief {
    /// Every cache gives back everything.
    #[default]
    All,
    /// Caches give back what lies in the segment with the fewest pages in use; if a request fails nevertheless, everything.
    Segment,
}

/// What is done with a pointer that the variant did not give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Foreign {
    /// Hand it to the C library's own `free`, `realloc` or `malloc_usable_size`; abort with a message where it lies in the heap or is not aligned as theirs are.
    #[default]
    Libc,
    /// Abort with a message.
    Abort,
    /// Leave it alone: `free` leaks it, `realloc` returns null, its size is 0.
    Ignore,
}

/// What is checked where objects move between a thread and the heap, off the hot path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Check {
    /// Nothing.
    #[default]
    Off,
    /// The length of a list when it is refilled, and of each object that goes home its page, its place in the run, the run's counts, and that it is not there already.
    Events,
    /// As `events`, and where each object of a list leads, before a thread takes from the list.
    Links,
}

/// What follows when a check fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnError {
    /// A message, and the end of the process.
    #[default]
    Abort,
    /// A message; what the check spoke of is leaked, and a pointer that is nobody's is left alone.
    Continue,
}

/// How a second `free` of an object is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DoubleFree {
    /// It is not looked for.
    #[default]
    Off,
    /// `free` compares with the object that was freed last in the class.
    Head,
    /// As `head`, and when a list leaves a thread the whole of it is walked.
    List,
    /// A bit for each object says whether it is in use.
    Exact,
}

/// What bytes are filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fill {
    /// They stay as they are.
    #[default]
    Off,
    /// Zero.
    Zero,
    /// A pattern that is no address.
    Poison,
}

/// Where pages lie that nobody may touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Guards {
    /// Nowhere.
    #[default]
    Off,
    /// Between page tags, records of segments and objects, and around each object above half a segment.
    Tables,
    /// Also behind and before each object above the largest class.
    Large,
    /// Also behind runs of small objects, at random.
    Runs,
}

/// Which objects get runs of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Partition {
    /// None: pages serve any class.
    #[default]
    Off,
    /// Those of a group of sizes: pages that served one group never serve another.
    Size,
    /// Those of an allocation token: a compiler names the kind of what is allocated, by a number below `groups`.
    Token,
}

/// Which allocations are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Record {
    /// None.
    #[default]
    Off,
    /// Some of those that are kept, at events: nothing is done in `malloc` and `free`, and what a thread frees and allocates again in turn is not seen.
    Sample,
    /// Some of all: bytes are counted in `malloc`, by three instructions.
    SampleAll,
    /// All, exactly: sizes, lifetimes and threads, summed up, without call stacks; `malloc` and `free` are slower.
    Histogram,
    /// Every one, in a file of bounded length for each process.
    Trace,
}

/// How the call stack of a sampled object is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stacks {
    /// Not at all.
    #[default]
    Off,
    /// By frame pointers; what is compiled without them has short stacks. The library has them, too: two instructions more in `malloc` and `free`.
    FramePointers,
    /// By the unwinding tables, with the compiler's `libgcc_s`.
    Unwinder,
}
