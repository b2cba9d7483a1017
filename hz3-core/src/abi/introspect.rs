//! What the allocator knows of itself.

use crate::event::{self, process, stats::quantile, wrap::quarantine};
use crate::heap::dense::Counts;
use crate::heap::limit::Limit;
use crate::heap::sample::table_bytes;
use crate::heap::segment::{SEGMENT, Segment, USABLE};
use crate::os::PAGE;
use crate::statics::Shared;
use crate::sync::Ordering;
use crate::text::Text;
use crate::variant::{KINDS, Record, Variant};

/// A moment's totals; bytes unless it says otherwise. Taken level by level, so that under load the sums may be off by
/// what moved in between.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// Memory taken from the arena or the system: segments and huge objects.
    pub taken: u64,
    /// Bytes of small objects that are out of their runs: in use or in a cache.
    pub small_out: u64,
    /// Bytes of objects in magazines, threads' or processors', as far as they can be seen from here: other threads go on meanwhile.
    pub magazines: u64,
    /// Objects in threads' rings, on their way to their owners.
    pub ring_objects: u64,
    /// Bytes of freed objects that threads keep from being served again.
    pub quarantine: u64,
    /// Bytes of freed objects above the largest class that wait before they are served again: they take no memory.
    pub quarantine_large: u64,
    /// Bytes of address space of the bits that say which objects are in use; a 128th of what covers objects is backed.
    pub in_use: u64,
    /// Bytes of batches in depots.
    pub depots: u64,
    /// Bytes of free objects in runs.
    pub run_free: u64,
    /// Bytes of pages of runs that were given back.
    pub holes: u64,
    /// Bytes of all runs and large objects (pages in use).
    pub pages_used: u64,
    /// Those of them that belong to large objects.
    pub large: u64,
    /// Bytes of free pages.
    pub pages_free: u64,
    /// Those of them that are still backed.
    pub pages_dirty: u64,
    /// Bytes of huge objects.
    pub huge: u64,
    /// Bytes of freed huge objects that are still backed.
    pub huge_dirty: u64,
    /// Segments of pages.
    pub segments: u64,
    /// Segments and huge objects outside of the arena.
    pub outside: u64,
    /// The most bytes of the arena that were ever in use at once, or a little more: it is filled from below.
    pub high: u64,
    /// Bytes of the arena's range of address space, of which only a part may be mapped.
    pub reserved: u64,
    /// Bytes that count against limits.
    pub committed: u64,
    /// The soft limit that holds; 0 is none.
    pub soft_limit: u64,
    /// The hard one.
    pub hard_limit: u64,
    /// Threads with caches.
    pub threads: u64,
    /// Bytes of what is recorded of the program's calls.
    pub recorder: u64,
    /// Segments of pages that are huge pages, as far as the heap knows.
    pub huge_segments: u64,
    /// Bytes of free pages that stay backed, as their segment is to stay whole.
    pub spared: u64,
    /// What became of huge pages that the heap has asked for.
    pub huge_counts: Counts,
    /// Segments of pages by the tenths of their pages that are in use: `[9]` counts those that are full to 90 % or more.
    pub occupancy: [u64; 10],
}

impl Totals {
    /// Bytes of objects that the program has: small ones by the size of their class, larger ones in whole pages. Objects
    /// in rings and in slot arrays of other owners count as the program's.
    pub fn live(&self) -> u64 {
        let cached = self.magazines + self.depots + self.quarantine;
        (self.small_out.saturating_sub(cached) + self.large + self.huge).saturating_sub(self.quarantine_large)
    }
}

/// Collects the totals.
pub fn totals<V: Variant>() -> Totals {
    process::start::<V>();
    let shared = V::shared();
    let mut t = Totals {
        threads: shared.threads().count() as u64,
        recorder: V::Record::bytes::<V>() as u64,
        in_use: V::in_use().map_or(0, |bits| bits.bytes() as u64),
        quarantine_large: V::ward().map_or(0, |ward| ward.bytes() as u64),
        ..Totals::default()
    };
    let mut runs = 0;
    for (pool, central) in event::owners::centrals::<V>() {
        let (class, census) = (pool.row(), central.census());
        let size = u64::from(class.size);
        t.run_free += census.free * size;
        t.holes += u64::from(census.holes) * PAGE as u64;
        runs += u64::from(census.runs) * u64::from(class.run_pages) * PAGE as u64;
        let all = u64::from(census.runs) * u64::from(class.objects);
        t.small_out += all.saturating_sub(census.free) * size;
        t.depots += event::cached::in_depot(pool) * size;
    }
    // SAFETY: the list of threads calls this with those that are in it.
    shared.threads().for_each(|meta| unsafe {
        t.ring_objects += u64::from((&raw const (*meta).ring_used).read_volatile());
        if !(*meta).bank.is_null() {
            t.quarantine += quarantine::held::<V>(meta) as u64;
        }
        event::cached::in_magazines::<V>(meta, |id, objects| {
            t.magazines += u64::from(objects) * u64::from(id.row().size);
        });
    });
    if V::POLICY.per_cpu() {
        event::cpu::in_rows::<V>(|id, objects| t.magazines += u64::from(objects) * u64::from(id.row().size));
    }
    let (mut occupancy, mut huge) = ([0; 10], 0);
    let mut count = |segment: *mut Segment| {
        // SAFETY: the lock of whoever has the segment is held, so that it is there.
        let (free, is_huge) = unsafe { ((*segment).free_pages as usize, (*segment).is_huge()) };
        huge += u64::from(is_huge);
        let used = USABLE - free.min(USABLE);
        if let Some(n) = occupancy.get_mut((used * 10 / USABLE).min(9)) {
            *n += 1;
        }
    };
    let mut dirty = 0;
    let free = shared.heap().lent(&V::POLICY, &mut |segment| {
        count(segment);
        // SAFETY: as above.
        dirty += unsafe { Segment::backed(segment) };
    });
    shared.heap().locked(|h| {
        h.for_each(&mut count);
        t.spared = (h.dense.spared * PAGE) as u64;
        t.huge_counts = h.dense.counts;
        t.pages_free = ((free + h.free_pages) * PAGE) as u64;
        t.pages_dirty = ((dirty + h.dirty_pages) * PAGE) as u64;
        t.huge = h.huge_bytes as u64;
        t.huge_dirty = h.huge_dirty as u64;
        t.segments = h.segments as u64;
        t.outside = h.outside.len() as u64;
        t.high = (h.arena.high() * SEGMENT) as u64;
        t.reserved = (h.arena.segments() * SEGMENT) as u64;
        t.committed = h.committed() as u64;
        let or_none = |limit: Limit| limit.map_or(0, |n| n.get() as u64);
        t.soft_limit = or_none(h.limits.now.soft);
        t.hard_limit = or_none(h.limits.now.hard);
    });
    t.huge_segments = huge;
    t.occupancy = occupancy;
    t.taken = t.segments * SEGMENT as u64 + t.huge;
    let header = (crate::heap::segment::HEADER_PAGES * PAGE) as u64;
    t.pages_used = (t.segments * (SEGMENT as u64 - header)).saturating_sub(t.pages_free);
    t.large = t.pages_used.saturating_sub(runs);
    t
}

/// The counts of relief and purging, with their names.
pub fn reliefs<V: Variant>() -> [(&'static str, u64); 15] {
    let r = V::shared().heap().pressure.counts();
    [
        ("epochs", r.epochs),
        ("answers", r.answers),
        ("runs", r.runs),
        ("object_bytes", r.object_bytes),
        ("page_bytes", r.page_bytes),
        ("waits", r.waits),
        ("borrowed", r.borrowed),
        ("larger", r.larger),
        ("drains", r.drains),
        ("quarantines", r.quarantines),
        ("failed", r.failed),
        ("purges", r.purges),
        ("purged_bytes", r.purged_bytes),
        ("soft_limits", r.soft_limits),
        ("hard_limits", r.hard_limits),
    ]
}

/// Room for a report; one that is longer is cut off.
pub const REPORT: usize = 16 << 10;

/// The statistics as one line of JSON on standard error.
pub fn report<V: Variant>() {
    let mut buffer = [0u8; REPORT];
    // SAFETY: the buffer is as long as it says.
    let length = unsafe { stats_json::<V>(buffer.as_mut_ptr(), buffer.len()) };
    crate::os::complain(&[buffer.get(..length.min(REPORT - 1)).unwrap_or(&[]), b"\n"]);
}

/// Writes the statistics as one JSON object, like `snprintf`: at most `room` bytes with the final zero; returns the
/// length that the whole text has.
///
/// # Safety
/// `out` can be written for `room` bytes.
pub unsafe fn stats_json<V: Variant>(out: *mut u8, room: usize) -> usize {
    let t = totals::<V>();
    // SAFETY: `out` has room for so many bytes.
    let mut text = unsafe { Text::new(out, room) };
    text.push(b"{\"name\":\"").push(V::NAME.as_bytes()).push(b"\"");
    for (key, n) in [
        ("taken_bytes", t.taken),
        ("live_bytes", t.live()),
        ("small_out_bytes", t.small_out),
        ("magazine_bytes", t.magazines),
        ("ring_objects", t.ring_objects),
        ("quarantine_bytes", t.quarantine),
        ("quarantine_large_bytes", t.quarantine_large),
        ("depot_bytes", t.depots),
        ("run_free_bytes", t.run_free),
        ("run_holes_bytes", t.holes),
        ("pages_used_bytes", t.pages_used),
        ("pages_free_bytes", t.pages_free),
        ("pages_dirty_bytes", t.pages_dirty),
        ("large_bytes", t.large),
        ("huge_bytes", t.huge),
        ("huge_dirty_bytes", t.huge_dirty),
        ("segments", t.segments),
        ("outside", t.outside),
        ("high_bytes", t.high),
        ("reserved_bytes", t.reserved),
        ("committed_bytes", t.committed),
        ("soft_limit_bytes", t.soft_limit),
        ("hard_limit_bytes", t.hard_limit),
        ("threads", t.threads),
        ("recorder_bytes", t.recorder),
        ("in_use_bytes", t.in_use),
        ("thread_block_bytes", size_of::<V::Thread>() as u64),
    ] {
        text.field(false, key, n);
    }
    // Thousandths, as there is no fraction in this text.
    text.field(false, "taken_per_live_permille", t.taken * 1000 / t.live().max(1));
    text.push(b",\"occupancy\":[");
    for (i, n) in t.occupancy.iter().enumerate() {
        text.push(if i > 0 { b"," } else { b"" }).number(*n);
    }
    text.push(b"],\"relief\":{");
    let mut first = true;
    for (key, n) in reliefs::<V>() {
        text.field(first, key, n);
        first = false;
    }
    text.push(b"}");
    huge_pages::<V>(&mut text, &t);
    events::<V>(&mut text);
    sampler::<V>(&mut text);
    text.push(b",\"classes\":[");
    let mut first = true;
    for (pool, central) in event::owners::centrals::<V>() {
        let class = pool.row();
        let c = central.census();
        if c.runs == 0 {
            continue;
        }
        if !first {
            text.push(b",");
        }
        first = false;
        text.push(b"{")
            .field(true, "size", u64::from(class.size))
            .field(false, "runs", u64::from(c.runs));
        text.field(false, "empty_runs", u64::from(c.empty))
            .field(false, "free", c.free)
            .push(b"}");
    }
    text.push(b"]}");
    text.finish()
}

/// Adds what the heap knows of huge pages, where it sees to them.
fn huge_pages<V: Variant>(text: &mut Text, t: &Totals) {
    if !V::POLICY.spares() {
        return;
    }
    text.push(b",\"huge_pages\":{");
    let mut first = true;
    for (key, n) in huge::<V>(t) {
        text.field(first, key, n);
        first = false;
    }
    text.push(b"}");
}

/// What there is to say of huge pages, by its names.
pub fn huge<V: Variant>(t: &Totals) -> [(&'static str, u64); 6] {
    let counts = &t.huge_counts;
    [
        ("segments", t.huge_segments),
        ("asked", counts.asked.into()),
        ("granted", counts.granted.into()),
        ("collapsed", counts.collapsed.into()),
        ("broken", counts.broken.into()),
        ("spared_bytes", t.spared),
    ]
}

/// Adds the counted events, where they are counted: `"events":{"name":{"count":n,"cycles":n},…}`; of timed ones also how
/// many cycles half, 99 %, 99.9 % and all of them took at most.
fn events<V: Variant>(text: &mut Text) {
    if V::counters().is_empty() {
        return;
    }
    text.push(b",\"events\":{");
    for (i, (counter, (_, name))) in V::counters().iter().zip(KINDS).enumerate() {
        text.push(if i > 0 { b",\"" } else { b"\"" })
            .push(name.as_bytes())
            .push(b"\":{");
        text.field(true, "count", counter.count.load(Ordering::Relaxed));
        let cycles = counter.cycles.load(Ordering::Relaxed);
        text.field(false, "cycles", cycles);
        if cycles > 0 {
            for (key, permille) in [("p50", 500), ("p99", 990), ("p99.9", 999)] {
                text.field(false, key, quantile(counter, permille));
            }
            text.field(false, "max", counter.longest.load(Ordering::Relaxed));
        }
        text.push(b"}");
    }
    text.push(b"}");
}

/// Adds what is known of the samples, where the variant makes some.
fn sampler<V: Variant>(text: &mut Text) {
    let Some(samples) = V::samples() else { return };
    let settings = &V::POLICY.stats;
    text.push(b",\"sampler\":{");
    let mut first = true;
    for (key, n) in [
        ("live", samples.count() as u64),
        ("room", u64::from(settings.samples)),
        ("dropped", samples.dropped()),
        ("spaced", samples.spaced()),
        ("threads", u64::from(samples.threads())),
        ("sample_bytes", settings.sample_bytes),
        ("pause_us", settings.sample_pause_us),
        ("table_bytes", table_bytes(&V::POLICY) as u64),
    ] {
        text.field(first, key, n);
        first = false;
    }
    text.push(b"}");
}

/// Writes `malloc_info`'s XML, like [`stats_json`].
///
/// # Safety
/// `out` can be written for `room` bytes.
pub unsafe fn info_xml<V: Variant>(out: *mut u8, room: usize) -> usize {
    let t = totals::<V>();
    // SAFETY: `out` has room for so many bytes.
    let mut text = unsafe { Text::new(out, room) };
    text.push(b"<malloc version=\"1\">\n<allocator name=\"hz3\" variant=\"")
        .push(V::NAME.as_bytes())
        .push(b"\"/>\n");
    for (kind, n) in [
        ("taken", t.taken),
        ("live", t.live()),
        ("magazines", t.magazines),
        ("quarantine", t.quarantine),
        ("quarantine-large", t.quarantine_large),
        ("depots", t.depots),
        ("free-in-runs", t.run_free),
        ("holes-in-runs", t.holes),
        ("pages-free", t.pages_free),
        ("pages-dirty", t.pages_dirty),
        ("large", t.large),
        ("huge", t.huge),
        ("huge-dirty", t.huge_dirty),
    ] {
        text.push(b"<total type=\"")
            .push(kind.as_bytes())
            .push(b"\" size=\"")
            .number(n)
            .push(b"\"/>\n");
    }
    for (i, n) in t.occupancy.iter().enumerate() {
        text.push(b"<segments full=\"").number(i as u64 * 10);
        text.push(b"%\" count=\"").number(*n).push(b"\"/>\n");
    }
    for (kind, n) in reliefs::<V>() {
        text.push(b"<relief kind=\"").push(kind.as_bytes());
        text.push(b"\" count=\"").number(n).push(b"\"/>\n");
    }
    text.push(b"</malloc>\n");
    text.finish()
}
