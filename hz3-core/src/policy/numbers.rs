//! What the config asks for, as events and the heap read it.

/// What `free` does with a pointer that is not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// Hand it to the C library.
    Libc,
    /// Abort with a message.
    Abort,
    /// Leave it alone.
    Ignore,
}

/// What a thread keeps outside of its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// A ring of objects that belong to other owners.
    Ring,
    /// Rows of slots, one for each owner, and the spare magazines.
    Rows,
}

/// Numbers and choices that only events read.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Bytes of the arena to reserve.
    pub arena_bytes: usize,
    /// Wanted address, 0 for any.
    pub arena_base: usize,
    /// Reserve readable and writable at once, instead of opening segment by segment.
    pub commit_whole: bool,
    /// Map segments outside of the arena when it is used up.
    pub grow_outside: bool,
    /// `MADV_NOHUGEPAGE` on the arena.
    pub thp_never: bool,
    /// `MADV_HUGEPAGE` on objects of a segment or more.
    pub thp_large: bool,
    /// `MADV_HUGEPAGE` on the whole arena.
    pub thp_always: bool,
    /// Magazines a bin: 1 or 2.
    pub magazines: u32,
    /// Objects that a thread keeps for another owner before it hands them over (`OwnerBank`).
    pub remote_batch: u32,
    /// Entries of a thread's ring (`OwnerRing`).
    pub ring: u32,
    /// Bytes by which a thread's magazines may grow beyond their first length, all together.
    pub growth: usize,
    /// Bytes that the magazines of a thread may hold if it is alone, and that threads share otherwise.
    pub thread_bytes: usize,
    /// Bytes that they may hold in any case; `thread_bytes` if threads do not share.
    pub thread_floor: usize,
    /// Empty runs kept a class.
    pub empty_runs: u32,
    /// Bytes of freed whole-segment objects kept with their pages.
    pub large_cache: usize,
    /// Milliseconds after which they go to the kernel; 0 for never.
    pub large_age: u64,
    /// Free backed bytes kept by the page heap.
    pub dirty_bytes: usize,
    /// Milliseconds after which free backed bytes go to the kernel; 0 for never.
    pub purge_delay: u64,
    /// An exiting thread purges.
    pub purge_at_exit: bool,
    /// A helper thread purges when no other thread has events.
    pub purge_helper: bool,
    /// Threads are asked for their caches when memory is short.
    pub pressure: bool,
    /// Bytes of segments and huge objects above which memory counts as short; 0 for no such bound.
    pub budget: usize,
    /// Free bytes below which a successful relief still asks the other threads.
    pub reclaim: usize,
    /// Relief first gives back only what lies in one segment.
    pub relief_segment: bool,
    /// Pages come from the segment at the lowest address, not from the fullest.
    pub lowest: bool,
    /// Segments that a search looks at for the tightest hole; 0 where tightness does not count.
    pub pack_tries: u32,
    /// Requests for pages during which none are taken from the segment that is drained; 0 where it is not spared.
    pub quarantine_events: u32,
    /// Pointers that are not ours.
    pub foreign: Foreign,
}

impl Policy {
    /// Milliseconds within which free pages that were given back should not have been: after that they go anyhow.
    pub const fn window(&self) -> u64 {
        if self.purge_delay > 0 { self.purge_delay } else { 1000 }
    }

    /// The same of freed huge objects.
    pub const fn huge_window(&self) -> u64 {
        if self.large_age > 0 { self.large_age } else { 1000 }
    }

    /// Whether pages are placed without any choice: from the fullest segment, at the first hole.
    pub const fn places_plainly(&self) -> bool {
        !self.lowest && self.pack_tries == 0 && self.quarantine_events == 0
    }
}
