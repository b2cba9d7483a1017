//! Writes down every call: a file of one event of 16 bytes each, in the order of their effects.
//!
//! The file is a shared mapping of a fixed length. So memory is bounded, nothing is lost when the process ends by `_exit` or a
//! signal, and a call of the kernel is made once a megabyte. What comes after the limit, or for which the disk has no room, is
//! only counted. `cargo hz3 trace` reads the file (`hz3-lab/src/trace/raw.rs`), and records programs under the C library's
//! malloc in the same form (`hz3-lab/clients/tracer.c`).
//!
//! An allocation is written down after it was made, and a free before it is done. A resize is two events: its old object
//! before it is done, the new one after it. So no address is written down as taken before it is written down as given back.

use crate::os;
use crate::os::environment::variable;
use crate::os::file::{self, DiskRoom, File};
use crate::sync::{Lock, Ordering};
use crate::text::Text;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::ptr;
// They lie in the mapping: they cannot be a model's.
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

/// The environment variable that names the folder to write into: without it nothing is recorded.
const FOLDER: &[u8] = b"HZ3_TRACE_DIR";
/// The one that says how many events to record, at most.
const LIMIT: &[u8] = b"HZ3_TRACE_LIMIT";
/// Bytes of a path.
const PATH: usize = 1024;
/// Events for which the disk is asked for room at once.
const CHUNK: u64 = 1 << 16;
/// The greatest number of a thread in an event; later threads share it.
const THREADS: u32 = 4095;

/// What a call did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Act {
    /// Made an object.
    Malloc = 1,
    /// Ended one.
    Free = 2,
    /// Is about to resize this object.
    ReallocOld = 3,
    /// Made this object of the one before.
    ReallocNew = 4,
    /// Made an object of zeroes.
    Calloc = 5,
    /// Made an object of a wanted alignment.
    Memalign = 6,
    /// Could not resize the one before, which stays as it was.
    ReallocFailed = 7,
}

/// An event: address (48 bits), thread (12) and act (4); bytes (48) and log2 of the alignment (8).
#[repr(C)]
struct Event {
    who: u64,
    what: u64,
}

/// What the file begins with.
#[repr(C)]
struct Header {
    magic: [u8; 8],
    limit: AtomicU64,
    /// Events, those beyond the limit included.
    count: AtomicU64,
    dropped: AtomicU64,
    threads: AtomicU64,
    process: AtomicU64,
    parent: AtomicU64,
    _clock: AtomicU64,
    command: UnsafeCell<[u8; 448]>,
}

const _: () = assert!(size_of::<Header>() == 512 && size_of::<Event>() == 16);

/// `Stream::stage`.
const NEW: u32 = 0;
const STARTED: u32 = 1;

/// The recording of one variant in one process.
pub struct Stream {
    /// Most events, whatever the environment asks for.
    most: u64,
    /// Guards the start, and what is under it.
    lock: Lock,
    stage: AtomicU32,
    head: AtomicPtr<Header>,
    mapped: UnsafeCell<usize>,
    path: UnsafeCell<[u8; PATH]>,
    /// Events for which the disk has room.
    ready: AtomicU64,
    threads: AtomicU32,
}

// SAFETY: `mapped` and `path` are only touched while `lock` is held.
unsafe impl Sync for Stream {}

impl Stream {
    /// Nothing was recorded; at most `limit` bytes are to be.
    #[cfg(not(loom))]
    pub const fn new(limit: usize) -> Self {
        Stream {
            most: (limit.saturating_sub(size_of::<Header>()) / size_of::<Event>()) as u64,
            lock: Lock::new(),
            stage: AtomicU32::new(NEW),
            head: AtomicPtr::new(ptr::null_mut()),
            mapped: UnsafeCell::new(0),
            path: UnsafeCell::new([0; PATH]),
            ready: AtomicU64::new(0),
            threads: AtomicU32::new(0),
        }
    }

    /// The next thread's number, from 1 on.
    pub fn number(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes an event down.
    pub fn event(&self, name: &str, act: Act, p: *mut u8, bytes: usize, align: u8, thread: u32) {
        if self.stage.load(Ordering::Acquire) != STARTED {
            self.start(name);
        }
        let head = self.head.load(Ordering::Acquire);
        if head.is_null() {
            return;
        }
        // SAFETY: the mapping stays until the object that holds the variant is unloaded, when nobody calls it any more.
        let header = unsafe { &*head };
        header.threads.fetch_max(u64::from(thread), Ordering::Relaxed);
        let at = header.count.fetch_add(1, Ordering::Relaxed);
        if at >= header.limit.load(Ordering::Relaxed)
            || (at >= self.ready.load(Ordering::Acquire) && !self.more(header, at))
        {
            header.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (address, thread) = (p as u64 & 0xffff_ffff_ffff, u64::from(thread.min(THREADS)));
        let event = Event {
            who: address | thread << 48 | (act as u64) << 60,
            what: bytes as u64 & 0xffff_ffff_ffff | u64::from(align) << 56,
        };
        // SAFETY: `at` is below the limit, for which the mapping was made, and was given to this thread alone; the disk has
        // room for it.
        unsafe { head.add(1).cast::<Event>().add(at as usize).write(event) };
    }

    /// Counts an event that is not written down.
    pub fn drop_one(&self) {
        let head = self.head.load(Ordering::Acquire);
        if !head.is_null() {
            // SAFETY: as in `event`.
            unsafe { &*head }.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes of the file that have been written: its pages are memory that the kernel may take.
    pub fn bytes(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        if head.is_null() {
            return 0;
        }
        // SAFETY: as in `event`.
        let header = unsafe { &*head };
        let events = header
            .count
            .load(Ordering::Relaxed)
            .min(header.limit.load(Ordering::Relaxed));
        size_of::<Header>() + events as usize * size_of::<Event>()
    }

    /// Begins a file, if the environment names a folder.
    #[cold]
    #[inline(never)]
    fn start(&self, name: &str) {
        let _guard = self.lock.lock();
        if self.stage.load(Ordering::Relaxed) == NEW {
            let mut folder = [0; PATH];
            if let Some(length) = variable(FOLDER, &mut folder) {
                self.begin(folder.get(..length).unwrap_or_default(), name);
            }
            self.stage.store(STARTED, Ordering::Release);
        }
    }

    /// For the holder of the lock.
    fn begin(&self, folder: &[u8], name: &str) -> Option<()> {
        let mut digits = [0; 20];
        let wanted = variable(LIMIT, &mut digits).and_then(|n| number(digits.get(..n)?));
        let limit = wanted.unwrap_or(u64::MAX).min(self.most);
        let process = os::process_number();
        // SAFETY: the lock is held.
        let path = unsafe { &mut *self.path.get() };
        // SAFETY: the buffer is as long as it says.
        let mut text = unsafe { Text::new(path.as_mut_ptr(), path.len()) };
        text.push(folder).push(b"/").number(u64::from(process));
        text.push(b"-").push(name.as_bytes()).push(b".raw");
        if folder.is_empty() || text.finish() >= PATH {
            return None;
        }
        let path = CStr::from_bytes_until_nul(path).ok()?;
        let file = File::create(path)?;
        let first = size_of::<Header>() + CHUNK as usize * size_of::<Event>();
        if file.make_room(0, first) == DiskRoom::None {
            file::remove(path);
            tell_full(path);
            return None;
        }
        let bytes = size_of::<Header>() + limit as usize * size_of::<Event>();
        if !file.set_length(bytes.max(first)) {
            return None;
        }
        let head: *mut Header = file.map(bytes).cast();
        if head.is_null() {
            return None;
        }
        // SAFETY: the mapping was just made, holds zeroes, and nobody else knows it.
        let header = unsafe { &mut *head };
        header.magic = *b"hz3raw1\0";
        header.limit = AtomicU64::new(limit);
        header.process = AtomicU64::new(u64::from(process));
        header.parent = AtomicU64::new(u64::from(os::parent_number()));
        if let Some(line) = File::open(c"/proc/self/cmdline") {
            let command = header.command.get_mut();
            let room = command.len() - 1;
            line.read(command.get_mut(..room).unwrap_or_default());
        }
        // SAFETY: the lock is held.
        unsafe { *self.mapped.get() = bytes };
        self.ready.store(CHUNK, Ordering::Relaxed);
        self.head.store(head, Ordering::Release);
        Some(())
    }

    /// Makes room on the disk for the event number `at`. False if there is none.
    #[cold]
    #[inline(never)]
    fn more(&self, header: &Header, at: u64) -> bool {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held; `begin` has written the path.
        let path = unsafe { &*self.path.get() };
        let Ok(path) = CStr::from_bytes_until_nul(path) else {
            return false;
        };
        loop {
            let ready = self.ready.load(Ordering::Relaxed);
            if at < ready {
                return at < header.limit.load(Ordering::Relaxed);
            }
            let from = size_of::<Header>() + ready as usize * size_of::<Event>();
            // What cannot be reached by its name any more is used as it is.
            let room = File::open_to_write(path).map(|file| file.make_room(from, CHUNK as usize * size_of::<Event>()));
            if room == Some(DiskRoom::None) {
                // What there is is kept, the rest is counted.
                header.limit.fetch_min(ready, Ordering::Relaxed);
                tell_full(path);
                return false;
            }
            self.ready.store(ready + CHUNK, Ordering::Release);
        }
    }

    /// Calls `f` with the lock: for fork.
    pub fn locks(&self, f: &mut dyn FnMut(&Lock)) {
        f(&self.lock);
    }

    /// In the child of a fork: the parent's file goes on without this process, which begins one of its own. What it inherited
    /// is not in it, and is left out when it is read.
    ///
    /// `busy` says that this thread is in the middle of an event, which will still be written into the parent's file, where
    /// the parent writes the same.
    pub fn in_child(&self, busy: bool) {
        if self.stage.load(Ordering::Relaxed) != STARTED {
            return;
        }
        let head = self.head.swap(ptr::null_mut(), Ordering::Relaxed);
        if !head.is_null() && !busy {
            // SAFETY: the child has this one thread, which does not use the mapping.
            unsafe { os::unmap(head.cast(), *self.mapped.get()) };
        }
        self.threads.store(0, Ordering::Relaxed);
        self.stage.store(NEW, Ordering::Relaxed);
    }

    /// Ends the recording, and gives the mapping back.
    ///
    /// # Safety
    /// No other thread is in the middle of an event.
    pub unsafe fn clear(&self) {
        let head = self.head.swap(ptr::null_mut(), Ordering::Relaxed);
        if !head.is_null() {
            // SAFETY: nobody uses the mapping.
            unsafe { os::unmap(head.cast(), *self.mapped.get()) };
        }
    }
}

/// Leaves a file that says that the disk is full, beside the recording.
fn tell_full(path: &CStr) {
    let folder = path.to_bytes().iter().rposition(|b| *b == b'/').unwrap_or(0);
    let mut mark = [0u8; PATH + 8];
    // SAFETY: the buffer is as long as it says.
    let mut text = unsafe { Text::new(mark.as_mut_ptr(), mark.len()) };
    text.push(path.to_bytes().get(..folder).unwrap_or_default())
        .push(b"/full");
    text.finish();
    if let Ok(mark) = CStr::from_bytes_until_nul(&mark) {
        drop(File::create(mark));
    }
}

/// A number in decimal; None if it is none.
fn number(digits: &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for b in digits {
        let digit = b.checked_sub(b'0').filter(|d| *d < 10)?;
        n = n.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(n).filter(|_| !digits.is_empty())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number(b"2000000"), Some(2_000_000));
        for text in [&b""[..], b"-1", b"1k", b"99999999999999999999"] {
            assert_eq!(number(text), None);
        }
    }
}
