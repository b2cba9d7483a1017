//! What a plan costs, before anything is built.
//!
//! Everything here is arithmetic over the plan; nothing is measured. Bytes are bytes, shares are between 0 and 1.

use serde::Serialize;

use crate::plan::{
    CACHE_LINE, ClassPlan, FLAT_PAGES, LOT_SHARE, LOTS, LookupPlan, PAGE, PlacementOrder, Plan, Relief, Room,
    SAMPLER_BYTES, SLOT_BYTES, SPARE_BYTES, Scale, THREAD_META_BYTES, TagSpace, WARDEN_BYTES,
};

/// Bytes of a thread block that no variant may exceed: it is taken out of every thread's stack, which may be as small
/// as 16 KiB, and a large block keeps a library from being loaded late.
pub const THREAD_BLOCK_MAX: u64 = 8 << 10;

/// Bytes of thread-local storage that a variant with this many classes takes: a slot and a spare for every class and
/// for the trap, then [`THREAD_META_BYTES`], in whole cache lines.
pub const fn thread_block_bytes(classes: usize) -> u64 {
    let slots = classes as u64 + 1;
    let bytes = slots * (SLOT_BYTES as u64 + SPARE_BYTES) + THREAD_META_BYTES;
    bytes.next_multiple_of(CACHE_LINE)
}

/// Bytes of thread-local storage of a plan's thread block. With a bank outside of the block only three addresses and the
/// state are inside.
pub fn block_bytes(plan: &Plan) -> u64 {
    let block = if plan.policy.per_cpu() {
        // Where its slots are, and a word of its own for it.
        (40 + THREAD_META_BYTES).next_multiple_of(CACHE_LINE)
    } else if plan.ownership.mode.has_bank() {
        (24 + THREAD_META_BYTES).next_multiple_of(CACHE_LINE)
    } else {
        thread_block_bytes(plan.all_classes())
    };
    // A word of the recorder's, in a line of its own.
    block + if plan.stats.tells_calls() { CACHE_LINE } else { 0 }
}

/// Bytes that a thread's quarantine takes beside its objects; 0 if it has none. Every expansion holds this against the core's own
/// number.
pub fn quarantine_room(plan: &Plan) -> u64 {
    match plan.policy.hardening.quarantine as u64 {
        0 => 0,
        // What it counts and draws with, and a word for each 128 bytes.
        bytes => 24 + 8 * (bytes / 128).max(16),
    }
}

/// Bytes of a processor's row of slots: a slot and a word for every class and for the trap, in a power of two.
pub fn row_bytes(plan: &Plan) -> u64 {
    let slots = plan.all_classes() as u64 + 1;
    (slots * (u64::from(SLOT_BYTES) + SPARE_BYTES)).next_power_of_two()
}

/// What a thread has outside of its block, but for its quarantine.
pub fn room(plan: &Plan) -> Room {
    if plan.policy.per_cpu() {
        return Room {
            bytes: 0,
            holds: format!(
                "nothing, but {} B where there are no restartable sequences; as much for each processor",
                row_bytes(plan)
            ),
        };
    }
    plan.ownership.mode.room(Scale {
        shards: u64::from(plan.ownership.shards),
        slots: plan.all_classes() as u64 + 1,
        bin_bits: plan.tag.bin_bits,
        ring: u64::from(plan.policy.ownership.ring),
    })
}

/// The cost of one variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Each class, by class id.
    pub classes: Vec<ClassCost>,
    /// The tables from size to class.
    pub lookup: LookupCost,
    /// Bytes of thread-local storage: see [`thread_block_bytes`].
    pub tls_bytes: u64,
    /// Bytes that a thread maps outside of its block when it starts: see [`room`] and [`quarantine_room`].
    pub thread_body_bytes: u64,
    /// Cache lines that the thread block takes.
    pub tls_lines: u64,
    /// Most bytes of free objects that one thread may hold in its magazines while it is alone.
    pub thread_cache_bytes: u64,
    /// Most bytes that each of many threads may hold in them, as long as they are no crowd.
    pub thread_floor_bytes: u64,
    /// The same of each thread of a crowd, however large that is.
    pub thread_crowd_bytes: u64,
    /// Most bytes of freed objects that each thread keeps in quarantine; 0 if it has none.
    pub quarantine_bytes: u64,
    /// Most bytes of free objects in all depots together.
    pub depot_bytes: u64,
    /// Most bytes of empty runs that central keeps, all classes of all owners together.
    pub empty_run_bytes: u64,
    /// Most bytes of free pages that all lots keep, but for a sixteenth of what they hold; 0 if there are none.
    pub lot_bytes: u64,
    /// Most bytes that the tables of sampled objects take; 0 if nothing is sampled. Beside that each sampled object of a class
    /// takes whole pages of its own.
    pub sample_bytes: u64,
    /// Most bytes that guarded objects and what is known of them take; 0 if none are guarded.
    pub pen_bytes: u64,
    /// Metadata.
    pub metadata: MetadataCost,
    /// Share of a class that requests of 1 to 4096 bytes leave unused on average, each size being equally likely.
    pub waste_to_4096: f64,
    /// The same for requests of 1 byte up to the largest class.
    pub waste_to_largest: f64,
    /// The same for requests from 2049 to 4095 bytes, with the waste at the ends of runs included: what the band below
    /// 4 KiB really costs. Absent if the largest class is smaller.
    pub waste_sub4k: Option<f64>,
}

/// The cost of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassCost {
    /// Bytes of an object.
    pub size: u32,
    /// Smallest request, in bytes, that the class serves.
    pub smallest: u32,
    /// Bytes that a request leaves unused inside of an object on average, each size being equally likely.
    pub average_waste: f64,
    /// `average_waste` as a share of the object.
    pub average_share: f64,
    /// Bytes that the smallest request leaves unused.
    pub worst_waste: u32,
    /// Pages of a run.
    pub run_pages: u32,
    /// Objects of a run.
    pub objects: u32,
    /// Bytes at a run's end that no object uses.
    pub tail_waste: u32,
    /// `tail_waste` as a share of the run.
    pub tail_share: f64,
    /// Bytes of a run for each of its objects.
    pub bytes_per_object: f64,
    /// Whether an object of the next larger class takes no more bytes of its run: then this class saves no memory.
    pub saves_nothing: bool,
    /// Objects of a batch.
    pub batch: u32,
    /// Bytes of a batch.
    pub batch_bytes: u64,
    /// Runs that one batch is carved from: less than 1 when a run holds several batches.
    pub runs_per_batch: f64,
    /// Most bytes that one thread holds of this class.
    pub thread_bytes: u64,
    /// Most bytes that the class's depot holds.
    pub depot_bytes: u64,
}

/// The cost of the lookup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookupCost {
    /// Entries of the fine table.
    pub fine_entries: u64,
    /// Entries of the coarse table; 0 if there is none.
    pub coarse_entries: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Cache lines of both.
    pub lines: u64,
    /// Cache lines that requests up to 1024 bytes touch.
    pub lines_to_1024: u64,
}

/// The cost of metadata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetadataCost {
    /// Bytes of a segment's header.
    pub segment_header_bytes: u64,
    /// That as a share of the segment.
    pub segment_share: f64,
    /// Bytes of the tag table: address space, of which only pages that hold tags of used segments are backed.
    pub tag_table_bytes: u64,
    /// Bytes of the tag table for one segment.
    pub tag_bytes_per_segment: u64,
}

impl Cost {
    /// Works out what a plan costs.
    pub fn of(plan: &Plan) -> Cost {
        let smallest = std::iter::once(1).chain(plan.classes.iter().map(|class| class.size + 1));
        let classes: Vec<ClassCost> = plan
            .classes
            .iter()
            .zip(smallest)
            .zip(&plan.depot.batches)
            .zip(saves_nothing(&plan.classes))
            .map(|(((class, smallest), batches), idle)| {
                class_cost(class, smallest, *batches, idle, plan.policy.cache.magazines)
            })
            .collect();
        let largest = plan.classes.last().map_or(0, |class| class.size);
        let run_bytes = |class: &ClassPlan| u64::from(class.run_pages) * u64::from(PAGE);
        let or_none = |there: bool, bytes: u64| if there { bytes } else { 0 };
        let tls_bytes = block_bytes(plan)
            + or_none(plan.policy.samples(), SAMPLER_BYTES)
            + or_none(plan.policy.guards(), WARDEN_BYTES);
        Cost {
            lookup: lookup_cost(&plan.lookup),
            tls_bytes,
            tls_lines: tls_bytes.div_ceil(CACHE_LINE),
            thread_body_bytes: room(plan).bytes + quarantine_room(plan),
            quarantine_bytes: plan.policy.hardening.quarantine as u64,
            thread_cache_bytes: plan.cache.bytes_bound(1),
            thread_floor_bytes: plan.cache.full_bytes.min(plan.cache.thread_floor) + plan.cache.remote_bytes,
            thread_crowd_bytes: plan.cache.full_bytes.min(plan.cache.share(u64::MAX)) + plan.cache.remote_bytes,
            depot_bytes: plan.depot.bytes_bound,
            empty_run_bytes: u64::from(plan.ownership.shards)
                * u64::from(plan.policy.depot.empty_runs)
                * plan.policy.tokens() as u64
                * plan.classes.iter().map(run_bytes).sum::<u64>(),
            lot_bytes: lot_bytes(plan),
            sample_bytes: sample_bytes(plan),
            pen_bytes: pen_bytes(plan),
            metadata: metadata_cost(plan),
            waste_to_4096: waste(&classes, 1, 4096.min(largest), |class| f64::from(class.size)),
            waste_to_largest: waste(&classes, 1, largest, |class| f64::from(class.size)),
            waste_sub4k: (largest >= 4095).then(|| waste(&classes, 2049, 4095, |class| class.bytes_per_object)),
            classes,
        }
    }
}

/// See [`Cost::sample_bytes`]. Every expansion holds this against the core's own number.
pub(crate) fn sample_bytes(plan: &Plan) -> u64 {
    if !plan.policy.samples() {
        return 0;
    }
    let live = u64::from(plan.policy.stats.samples).next_power_of_two().max(64);
    // For each object that may be sampled at a time: its address, its number, what is known of it; two rows of those that
    // have ended; a stack of eight frames, and two addresses; and two places in an index for each row, stack and address.
    let each = (8 + 4 + 40) + 2 * 40 + (16 + 8 * 4 + 2 * 8) + 2 * 4 * (2 + 1 + 2);
    (live * each).next_multiple_of(u64::from(PAGE))
}

/// See [`Cost::pen_bytes`]. Every expansion holds this against the core's own number.
pub(crate) fn pen_bytes(plan: &Plan) -> u64 {
    if !plan.policy.guards() {
        return 0;
    }
    let places = u64::from(plan.policy.hardening.guarded);
    // A page is backed while its object exists, and half of the places may be in use at a time. Of each place: what is known of its
    // object, and two stacks.
    let rows = places * (48 + 2 * u64::from(plan.policy.stats.depth) * 8);
    places / 2 * u64::from(PAGE) + rows.next_multiple_of(u64::from(PAGE))
}

/// See [`Cost::lot_bytes`]; the core's `Policy::has_lots` says where there are none.
fn lot_bytes(plan: &Plan) -> u64 {
    let (placement, each) = (&plan.policy.placement, plan.policy.purge.dirty as u64 / LOT_SHARE);
    let plain = placement.order == PlacementOrder::Fullest
        && placement.pack_tries == 0
        && placement.quarantine_events == 0
        && plan.policy.pressure.relief != Relief::Segment;
    if plain && each >= plan.segment.bytes {
        LOTS * each
    } else {
        0
    }
}

/// Of each class, whether its next larger neighbour takes no more bytes of a run for an object, its share of the run's end
/// included.
fn saves_nothing(classes: &[ClassPlan]) -> impl Iterator<Item = bool> {
    // Pages of a run for each object, compared as fractions.
    let pages = |class: &ClassPlan, other: &ClassPlan| u64::from(class.run_pages) * u64::from(other.objects);
    classes.iter().enumerate().map(move |(id, class)| {
        let next = classes.get(id + 1);
        next.is_some_and(|next| pages(next, class) <= pages(class, next))
    })
}

fn class_cost(class: &ClassPlan, smallest: u32, batches: u32, saves_nothing: bool, magazines: u32) -> ClassCost {
    let run_bytes = f64::from(class.run_pages * PAGE);
    let average_waste = f64::from(class.size - smallest) / 2.0;
    let batch_bytes = u64::from(class.batch) * u64::from(class.size);
    let list_bytes = u64::from(class.burst) * u64::from(class.size);
    ClassCost {
        size: class.size,
        smallest,
        average_waste,
        average_share: average_waste / f64::from(class.size),
        worst_waste: class.size - smallest,
        run_pages: class.run_pages,
        objects: class.objects,
        tail_waste: class.tail_waste,
        tail_share: f64::from(class.tail_waste) / run_bytes,
        bytes_per_object: run_bytes / f64::from(class.objects),
        saves_nothing,
        batch: class.batch,
        batch_bytes,
        runs_per_batch: f64::from(class.batch) / f64::from(class.objects),
        thread_bytes: u64::from(magazines) * list_bytes,
        depot_bytes: u64::from(batches) * list_bytes,
    }
}

/// The share of memory that requests from `low` to `high` bytes, one of each size, leave unused, when an object takes
/// what `taken` says.
fn waste(classes: &[ClassCost], low: u32, high: u32, taken: impl Fn(&ClassCost) -> f64) -> f64 {
    let (mut asked, mut used) = (0.0, 0.0);
    for class in classes {
        let (from, to) = (class.smallest.max(low), class.size.min(high));
        if from > to {
            continue;
        }
        let requests = f64::from(to - from + 1);
        asked += requests * (f64::from(from) + f64::from(to)) / 2.0;
        used += requests * taken(class);
    }
    if used == 0.0 { 0.0 } else { 1.0 - asked / used }
}

fn lookup_cost(lookup: &LookupPlan) -> LookupCost {
    let fine_entries = lookup.fine.len() as u64;
    let coarse_entries = lookup.coarse.as_ref().map_or(0, |coarse| coarse.table.len() as u64);
    let lines = |entries: u64| (entries * 2).div_ceil(CACHE_LINE);
    LookupCost {
        fine_entries,
        coarse_entries,
        bytes: u64::from(lookup.bytes),
        lines: lines(fine_entries) + lines(coarse_entries),
        lines_to_1024: lines(u64::from(1024 / lookup.granule) + 1),
    }
}

fn metadata_cost(plan: &Plan) -> MetadataCost {
    let header = u64::from(plan.segment.header_pages) * u64::from(PAGE);
    let tag_bytes = u64::from(plan.tag.width / 8);
    let pages = match plan.tag.space {
        TagSpace::Arena => plan.policy.arena.size as u64 / u64::from(PAGE),
        TagSpace::Flat => FLAT_PAGES,
    };
    MetadataCost {
        segment_header_bytes: header,
        segment_share: header as f64 / plan.segment.bytes as f64,
        tag_table_bytes: pages * tag_bytes,
        tag_bytes_per_segment: plan.segment.bytes / u64::from(PAGE) * tag_bytes,
    }
}
