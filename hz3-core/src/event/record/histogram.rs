//! Every object is counted: size, lifetime, and who ended it.

use super::{Inside, is_inside};
use crate::os::output::{Output, Path};
use crate::os::{self, Access};
use crate::pprof::{Ended, Head, Row, Writer};
use crate::record::{self, Birth, End, Exact};
use crate::sync::Lock;
use crate::variant::{Made, Record, Variant};
use core::ffi::{CStr, c_int};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::slice;

/// Bytes of a profile that wait to be written.
const BUFFER: usize = 64 << 10;

/// log2 of an alignment that is more than every object has; 0 if it is not.
fn wanted(how: Made) -> u8 {
    match how {
        Made::Aligned(align) if align > 16 => align.ilog2() as u8,
        _ => 0,
    }
}

/// Every object is counted (`stats.record = "histogram"`).
pub struct Histogram;

/// The thread is in the recorder, and looks whether a profile was asked for meanwhile when it leaves.
struct Counting<V: Variant<Record = Histogram>> {
    inside: ManuallyDrop<Inside>,
    thread: u32,
    variant: PhantomData<V>,
}

impl<V: Variant<Record = Histogram>> Drop for Counting<V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is dropped here only.
        unsafe { ManuallyDrop::drop(&mut self.inside) };
        look::<V>();
    }
}

impl Histogram {
    /// # Safety
    /// The calling thread has its block.
    unsafe fn enter<V: Variant<Record = Self>>() -> Option<Counting<V>> {
        // SAFETY: the block is this thread's.
        let inside = unsafe { Inside::enter::<V>(|| V::recorder().number()) };
        if inside.is_none() {
            V::recorder().drop_one();
        }
        let inside = inside?;
        Some(Counting {
            thread: inside.thread,
            inside: ManuallyDrop::new(inside),
            variant: PhantomData,
        })
    }

    /// # Safety
    /// As for [`Record::made`].
    unsafe fn born<V: Variant<Record = Self>>(inside: &Counting<V>, p: *mut u8, n: usize, how: Made) {
        let exact = V::recorder();
        let birth = Birth {
            bytes: n as u64,
            align: wanted(how),
            thread: inside.thread,
            born: exact.since_start(os::now_ns()),
        };
        exact.made(p, birth);
    }

    fn died<V: Variant<Record = Self>>(inside: &Counting<V>, birth: &Birth) {
        let exact = V::recorder();
        let end = End {
            lifetime: exact.since_start(os::now_ns()).saturating_sub(birth.born),
            by_its_own: birth.thread == inside.thread,
        };
        exact.ended(birth, end);
    }
}

impl Record for Histogram {
    type State = Exact;
    /// Unless it was not known.
    type Old = Option<Birth>;

    const CALLS: bool = true;

    #[inline(never)]
    unsafe fn made<V: Variant<Record = Self>>(p: *mut u8, n: usize, how: Made) {
        // SAFETY: the object is the caller's, and the block this thread's.
        unsafe {
            if let Some(inside) = Self::enter::<V>() {
                Self::born::<V>(&inside, p, n, how);
            }
        }
    }

    #[inline(never)]
    unsafe fn ends<V: Variant<Record = Self>>(p: *mut u8) {
        // SAFETY: the block is this thread's.
        if let Some(inside) = unsafe { Self::enter::<V>() }
            && let Some(birth) = V::recorder().take(p)
        {
            Self::died::<V>(&inside, &birth);
        }
    }

    #[inline(never)]
    unsafe fn resizes<V: Variant<Record = Self>>(p: *mut u8) -> Option<Birth> {
        // SAFETY: the block is this thread's.
        let _inside = unsafe { Self::enter::<V>() }?;
        V::recorder().take(p)
    }

    #[inline(never)]
    unsafe fn resized<V: Variant<Record = Self>>(
        old: Option<Birth>,
        before: *mut u8,
        after: *mut u8,
        n: usize,
        how: Made,
    ) {
        // What was not known is not ours, or found no room.
        let Some(birth) = old else { return };
        // SAFETY: the object is the caller's, and the block this thread's.
        unsafe {
            if let Some(inside) = Self::enter::<V>() {
                if after.is_null() {
                    V::recorder().made(before, birth);
                } else {
                    Self::died::<V>(&inside, &birth);
                    Self::born::<V>(&inside, after, n, how);
                }
            }
        }
    }

    fn locks<V: Variant<Record = Self>>(f: &mut dyn FnMut(&Lock)) {
        V::recorder().locks(f);
    }

    // What existed exists in the child, too, and is counted on.
    unsafe fn in_child<V: Variant<Record = Self>>() {
        // SAFETY: the block is this thread's.
        if !unsafe { is_inside::<V>() } {
            V::recorder().forget_dump();
        }
    }

    unsafe fn unload<V: Variant<Record = Self>>() {
        V::recorder().clear();
    }
    fn bytes<V: Variant<Record = Self>>() -> usize {
        V::recorder().bytes()
    }

    fn dump<V: Variant<Record = Self>>(path: Option<&CStr>) -> Result<(), c_int> {
        let exact = V::recorder();
        // SAFETY: whoever calls the variant has its block.
        let Some(inside) = (unsafe { Self::enter::<V>() }) else {
            return Err(libc::EBUSY);
        };
        let path = path.map_or_else(|| Path::of_process(V::PROFILE), Path::plain);
        let result = exact.profiles.alone(|| os::sleep_ms(1), || write::<V>(exact, path));
        drop(inside);
        result
    }

    fn asked<V: Variant<Record = Self>>() {
        V::recorder().profiles.ask();
        // The call that this thread is in the middle of sees to it when it is done; other threads may have locks, but do not
        // wait for this one while they do.
        // SAFETY: a signal is handled by a thread of the C library's.
        if !unsafe { is_inside::<V>() } {
            look::<V>();
        }
    }
}

/// Writes a profile if one was asked for by a signal.
#[inline]
fn look<V: Variant<Record = Histogram>>() {
    if V::recorder().profiles.is_asked() {
        late::<V>();
    }
}

#[cold]
#[inline(never)]
fn late<V: Variant<Record = Histogram>>() {
    if V::recorder().profiles.take() {
        crate::event::profile::unasked::<V>();
    }
}

/// Writes what was counted. Nothing is allocated, and no lock is held while the file is written.
fn write<V: Variant<Record = Histogram>>(exact: &Exact, path: Path) -> Result<(), c_int> {
    let memory = os::map(0, BUFFER, Access::ReadWrite);
    if memory.is_null() {
        return Err(libc::ENOMEM);
    }
    // SAFETY: the mapping was just made, at this length, and is this call's alone.
    let buffer = unsafe { slice::from_raw_parts_mut(memory, BUFFER) };
    let result = Output::create(path, buffer).and_then(|out| {
        let now = exact.since_start(os::now_ns());
        let head = Head {
            time: os::wall_ns(),
            duration: now,
            period: 1,
        };
        let sums = exact.sums();
        let mut out = Writer::new(out, head);
        out.property(b"hz3", b"1", None);
        out.property(b"config", V::NAME.as_bytes(), None);
        out.property(b"config_hash", V::CONFIG_HASH.as_bytes(), None);
        out.property(b"level", b"exact", None);
        out.property(b"sample_bytes", b"", Some(1));
        out.property(b"threads", b"", Some(sums.threads.into()));
        out.property(b"live_bytes", b"", Some(sums.live_bytes));
        out.property(b"peak_live_bytes", b"", Some(sums.peak_bytes));
        let left_out = exact.each(now, |row| out.row(&told(row)));
        out.property(b"dropped", b"", Some(sums.dropped + left_out));
        out.out.finish()
    });
    // SAFETY: the mapping was made here, and nothing of it is left.
    unsafe { os::unmap(memory, BUFFER) };
    result
}

fn told(row: &record::Row) -> Row<'static> {
    Row {
        stack: &[],
        objects: row.objects as f64,
        bytes: row.objects as f64 * row.bytes() as f64,
        size: row.bytes(),
        align: row.align().unwrap_or(0),
        thread: row.thread().unwrap_or(0),
        born: row.born(),
        ended: row.end().map(|end| Ended {
            lifetime: end.lifetime,
            other: !end.by_its_own,
        }),
        samples: row.objects,
        lived: Some(row.lived),
    }
}
