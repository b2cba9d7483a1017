//! Writing a profile, in pprof's format: on request, on a signal, and at the process's end.
//!
//! Nothing is allocated: what is known is copied into a mapping of its own while the samples' lock is held, and written from
//! there when it is not. So a signal handler may do it: of the locks that it wants it takes only what is free, and it leaves
//! the profile to the next event if one is not.
//!
//! **In use** is corrected by what is known exactly. Of each class the heap knows how many objects are out of their runs and
//! in no cache. The sampled ones of a class stand for all of them: their weights are scaled to that number. So a class whose
//! samples were mostly of objects that did not stay is not told too small, and the bytes in use of a whole profile are right
//! but for what is asked for below the classes' sizes. Where no object of a class is sampled, its row has no stack.

use crate::event::{cached, owners};
use crate::heap::sample::{ANY, Birth, Copied, Samples};
use crate::os::output::{BUILD_ID, Output, Path, build_id};
use crate::os::{self, Access};
use crate::policy::ClassId;
use crate::pprof::{Ended, Head, Mapping, Row, Sink, Writer};
use crate::statics::{Meta, Shared};
use crate::variant::Variant;
use core::ffi::{CStr, c_int};

/// Bytes of a file that wait to be written.
const BUFFER: usize = 64 << 10;
/// Mappings of code that are told.
const MAPPINGS: usize = 2048;
/// Classes that a variant has at most.
const CLASSES: usize = 512;

/// What a dump works with, in a mapping of its own.
#[repr(C)]
struct Work {
    buffer: [u8; BUFFER],
    /// First and last address of each mapping of code.
    mappings: [(u64, u64); MAPPINGS],
    /// Objects of each class that are in use.
    live: [f64; CLASSES],
    /// What sampled objects of each class stand for.
    stands: [f64; CLASSES],
}

/// The next dump waits for the one that is being written.
const WAIT: u64 = 1;

/// Writes a profile to the path, or to the one of the config.
///
/// # Errors
/// `ENOSYS` if the variant samples nothing; what the kernel says of the file; `ENOMEM` without memory.
pub fn dump<V: Variant>(path: Option<&CStr>) -> Result<(), c_int> {
    let samples = V::samples().ok_or(libc::ENOSYS)?;
    super::super::process::start::<V>();
    let path = path.map_or_else(configured::<V>, Path::plain);
    let result = samples
        .profiles
        .alone(|| os::sleep_ms(WAIT), || write::<V>(samples, path, true));
    // A signal may have come meanwhile.
    super::look::<V>();
    result
}

fn configured<V: Variant>() -> Path {
    Path::of_process(V::PROFILE)
}

/// Somebody has asked by a signal.
pub fn on_signal<V: Variant>() {
    let Some(samples) = V::samples() else { return };
    samples.profiles.ask();
    attempt::<V>(samples, false);
}

/// An event finds that a signal handler could not write its profile.
#[cold]
#[inline(never)]
pub(super) fn late<V: Variant>(samples: &Samples) {
    attempt::<V>(samples, true);
}

/// Writes a profile that was asked for by a signal, unless somebody is writing one: then that thread sees to it.
fn attempt<V: Variant>(samples: &Samples, wait: bool) {
    samples.profiles.answer(|| {
        let result = write::<V>(samples, configured::<V>(), wait);
        if let Err(error) = result
            && error != libc::EAGAIN
        {
            crate::event::profile::complain(error);
        }
        result != Err(libc::EAGAIN)
    });
}

impl Sink for Output<'_> {
    fn take(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }
}

/// # Errors
/// `EAGAIN` if a lock is not free and it may not `wait`; else as for [`dump`].
fn write<V: Variant>(samples: &Samples, path: Path, wait: bool) -> Result<(), c_int> {
    let room = size_of::<Work>().next_multiple_of(8);
    let bytes = room + Samples::copy_bytes(&V::POLICY);
    let memory = os::map(0, bytes, Access::Uncounted);
    if memory.is_null() {
        return Err(libc::ENOMEM);
    }
    // SAFETY: the mapping is this call's, zero, aligned to a page, and long enough for both.
    let result = unsafe {
        let work = &mut *memory.cast::<Work>();
        let counted = V::POLICY.counts_bytes() || count::<V>(&mut work.live, wait);
        match samples.copy(memory.add(room), wait).filter(|_| counted) {
            Some(copy) => tell::<V>(samples, work, &copy, path),
            None => Err(libc::EAGAIN),
        }
    };
    // SAFETY: the mapping was made here, and nothing of it is left.
    unsafe { os::unmap(memory, bytes) };
    result
}

/// Counts the objects of each class that are in use: out of their runs, and in no cache. False if a lock is not free and it may
/// not wait.
fn count<V: Variant>(live: &mut [f64; CLASSES], wait: bool) -> bool {
    let shared = V::shared();
    let mut add = |class: ClassId<V>, objects: i64| {
        if let Some(sum) = live.get_mut(class.number()) {
            *sum += objects as f64;
        }
    };
    for (pool, central) in owners::centrals::<V>() {
        let census = if wait {
            Some(central.census())
        } else {
            central.try_census()
        };
        let Some(census) = census else { return false };
        let all = i64::from(census.runs) * i64::from(pool.row().objects);
        add(pool.class(), all - census.free as i64);
        add(pool.class(), -(cached::in_depot(pool) as i64));
    }
    // SAFETY: the list of threads calls this with those that are in it.
    let each = |meta: *const Meta| unsafe {
        cached::in_magazines::<V>(meta, |id, objects| add(id, -i64::from(objects)));
    };
    if wait {
        shared.threads().for_each(each);
        true
    } else {
        shared.threads().try_for_each(each)
    }
}

/// Writes what is known.
fn tell<V: Variant>(samples: &Samples, work: &mut Work, copy: &Copied<'_>, path: Path) -> Result<(), c_int> {
    let exact = !V::POLICY.counts_bytes();
    for birth in copy.births() {
        if let Some(sum) = work.stands.get_mut(birth.class as usize) {
            *sum += birth.weight;
        }
        // Sampled objects lie in pages of their own, which are no runs.
        if let Some(live) = work.live.get_mut(birth.class as usize) {
            *live += 1.0;
        }
    }
    let head = Head {
        time: os::wall_ns(),
        duration: samples.age(),
        period: V::POLICY.stats.sample_bytes,
    };
    let mut out = Writer::new(Output::create(path, &mut work.buffer)?, head);
    comments::<V>(&mut out, samples);
    let mappings = mappings(&mut out, &mut work.mappings);
    for (id, address) in (0..).zip(copy.stacks.addresses()) {
        let above = mappings.partition_point(|(start, _)| start <= address);
        let inside = above
            .checked_sub(1)
            .filter(|at| mappings.get(*at).is_some_and(|(_, end)| address < end));
        out.location(id, inside.map_or(0, |at| at as u64 + 1), *address);
    }
    for birth in copy.births() {
        let scale = match (
            work.live.get(birth.class as usize),
            work.stands.get(birth.class as usize),
        ) {
            (Some(live), Some(stands)) if exact => live / stands,
            _ => 1.0,
        };
        out.row(&live_row(birth, birth.weight * scale, copy.stacks.stack(birth.stack)));
    }
    if exact {
        for (id, (live, stands)) in ClassId::<V>::all().zip(work.live.iter().zip(&work.stands)) {
            let size = u64::from(id.row().size);
            if *stands == 0.0 && *live > 0.0 {
                out.row(&Row {
                    objects: *live,
                    bytes: *live * size as f64,
                    size,
                    ..Row::default()
                });
            }
        }
    }
    for row in copy.rows {
        out.row(&Row {
            stack: copy.stacks.stack(row.stack),
            objects: row.objects,
            bytes: row.bytes,
            size: row.size(),
            align: shown(row.align),
            thread: row.thread.into(),
            born: (row.born != ANY).then(|| 1 << row.born),
            ended: Some(Ended {
                lifetime: 1 << row.life,
                other: row.other,
            }),
            samples: row.samples.into(),
            lived: None,
        });
    }
    out.out.finish()
}

fn shown(align: u8) -> u64 {
    if align > 0 { 1 << align } else { 0 }
}

fn live_row<'a>(birth: &Birth, objects: f64, stack: &'a [u32]) -> Row<'a> {
    Row {
        stack,
        objects,
        bytes: objects * birth.asked as f64,
        size: birth.asked,
        align: shown(birth.align),
        thread: birth.thread.into(),
        born: Some(birth.born),
        ended: None,
        samples: 1,
        lived: None,
    }
}

fn comments<V: Variant>(out: &mut Writer<Output<'_>>, samples: &Samples) {
    let level: &[u8] = if V::POLICY.counts_bytes() { b"all" } else { b"in-use" };
    out.property(b"hz3", b"1", None);
    out.property(b"config", V::NAME.as_bytes(), None);
    out.property(b"config_hash", V::CONFIG_HASH.as_bytes(), None);
    out.property(b"level", level, None);
    out.property(b"sample_bytes", b"", Some(V::POLICY.stats.sample_bytes));
    out.property(b"threads", b"", Some(samples.threads().into()));
    out.property(b"dropped", b"", Some(samples.dropped()));
}

/// Tells the mappings of code. Returns the addresses of each, by rising address; the first one's number is 1.
fn mappings<'a>(out: &mut Writer<Output<'_>>, told: &'a mut [(u64, u64); MAPPINGS]) -> &'a [(u64, u64)] {
    let mut count = 0;
    os::each_mapping(|mapping| {
        let name = mapping.name();
        if !mapping.code || name.is_empty() {
            return true;
        }
        let Some(place) = told.get_mut(count) else { return false };
        *place = (mapping.start as u64, mapping.end as u64);
        count += 1;
        let mut text = [0u8; 2 * BUILD_ID];
        let length = if name.starts_with(b"/") {
            hexadecimal(&mapping, &mut text)
        } else {
            0
        };
        out.mapping(&Mapping {
            id: count as u64,
            start: mapping.start as u64,
            limit: mapping.end as u64,
            offset: mapping.offset as u64,
            file: name,
            build_id: text.get(..length).unwrap_or_default(),
        });
        true
    });
    told.get(..count).unwrap_or_default()
}

/// The build id of a mapping's file as text; returns its length.
fn hexadecimal(mapping: &os::Mapping, text: &mut [u8; 2 * BUILD_ID]) -> usize {
    let (id, length) = build_id(mapping.path());
    let digits = id.iter().take(length).flat_map(|byte| [byte >> 4, byte & 15]);
    for (place, digit) in text.iter_mut().zip(digits) {
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    2 * length
}
