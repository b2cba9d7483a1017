//! Guarded objects: each lies at the end or at the beginning of a page of its own, and the pages around it cannot be touched.
//! So the processor stops a program that reads or writes beyond the object, or after it has freed it.
//!
//! The pen is a row of pages. Those with even numbers are never accessible; each of the others is a *place* for one object.
//! What lies in a place beside its object is filled with a pattern, which is looked at when the object ends. A place that was
//! left cannot be touched, and is the last that is used again.

mod cell;

pub use cell::{Calls, Cell, Life};

use crate::heap::chance::Dice;
use crate::os::{self, Access, PAGE};
use crate::policy::agreed::GRANULE;
use crate::policy::{Policy, Secret};
use crate::sync::{AtomicU64, AtomicUsize, Lock, Ordering};
use core::cell::UnsafeCell;
use core::ptr;
use core::slice;

/// What a place is filled with beside its object.
const PATTERN: u8 = 0xa5;

/// The guarded objects of a variant.
pub struct Pen {
    /// Guards everything below but for what is atomic.
    pub lock: Lock,
    /// The first page, and bytes of all. 0 before the first object. Both are written once, under the lock, the address last.
    base: AtomicUsize,
    bytes: AtomicUsize,
    /// When the last object was made, in nanoseconds of the clock.
    last: AtomicU64,
    /// Threads that have come here.
    threads: AtomicU64,
    /// What the dice of threads are made of.
    chance: Secret,
    inner: UnsafeCell<Inner>,
}

// SAFETY: `inner` is only touched while `lock` is held, but by whoever explains a fault: see `Pen::find`.
unsafe impl Sync for Pen {}

struct Inner {
    cells: *mut Cell,
    calls: *mut usize,
    places: usize,
    depth: usize,
    /// Objects that exist.
    live: usize,
    /// Objects that there have been.
    count: u64,
}

/// Something that must not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harm {
    /// Behind the object's end.
    Overflow,
    /// Before its beginning.
    Underflow,
    /// It had been freed.
    AfterFree,
    /// It was freed a second time.
    DoubleFree,
    /// It was freed by another address than its own.
    NotItsAddress,
    /// No object has ever been there.
    Nowhere,
}

/// What is known of an address in the pen.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// What it is to touch it.
    pub harm: Harm,
    /// The object that it is told of.
    pub cell: Cell,
    /// The call stack of its birth.
    pub born: &'a [usize],
    /// That of its end.
    pub ended: &'a [usize],
}

impl Pen {
    /// No objects.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Pen {
            lock: Lock::new(),
            base: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            threads: AtomicU64::new(0),
            chance: Secret::new(),
            inner: UnsafeCell::new(Inner {
                cells: ptr::null_mut(),
                calls: ptr::null_mut(),
                places: 0,
                depth: 0,
                live: 0,
                count: 0,
            }),
        }
    }

    /// Bytes of the rows beside the pages.
    const fn table_bytes(places: usize, depth: usize) -> usize {
        (places * (size_of::<Cell>() + 2 * depth * size_of::<usize>())).next_multiple_of(PAGE)
    }

    /// Most bytes that are backed at a time.
    pub const fn bytes_of(policy: &Policy) -> usize {
        let places = policy.hardening.guarded as usize;
        places / 2 * PAGE + Self::table_bytes(places, policy.stats.depth as usize)
    }

    /// Bytes of address space.
    pub const fn reserved(places: usize) -> usize {
        (2 * places + 1) * PAGE
    }

    /// Whether an address lies in the pen.
    #[inline]
    pub fn contains(&self, p: *const u8) -> bool {
        let base = self.base.load(Ordering::Acquire);
        base != 0 && p.addr().wrapping_sub(base) < self.bytes.load(Ordering::Relaxed)
    }

    /// Whether so much time has passed since the last object that there may be another; if so, its time is now.
    pub fn is_time(&self, apart: u64) -> bool {
        if apart == 0 {
            return true;
        }
        let (now, last) = (os::now_ns(), self.last.load(Ordering::Relaxed));
        now.wrapping_sub(last) >= apart
            && self
                .last
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Draws anew what the dice of threads are made of: the process starts, or is the child of a fork.
    pub fn seed(&self) {
        self.chance.draw(os::random_bits(), os::random_bits());
    }

    /// A thread comes here. Its dice, which tell nobody what those of another thread are, and whether it is the first one. (To ask the
    /// kernel for each thread would be a good part of what a short thread takes.)
    pub fn enroll(&self) -> (Dice, bool) {
        let before = self.threads.fetch_add(1, Ordering::Relaxed);
        (
            Dice(self.chance.of(ptr::without_provenance(before as usize))),
            before == 0,
        )
    }

    /// Objects that there have been.
    pub fn count(&self) -> u64 {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        unsafe { (*self.inner.get()).count }
    }

    /// Makes an object of `n <= PAGE` bytes, at a multiple of 16, at the `end` of its page or at the beginning. Null if there is no
    /// place for it, or no memory.
    pub fn make(&self, policy: &Policy, n: usize, end: bool, by: u32, calls: &[usize]) -> *mut u8 {
        let length = n.max(1).next_multiple_of(GRANULE);
        if length > PAGE {
            return ptr::null_mut();
        }
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *self.inner.get() };
        if inner.places == 0 && !self.open(inner, policy) {
            return ptr::null_mut();
        }
        // SAFETY: the lock is held, and the pen is open: places have cells, and pages at the addresses that are computed.
        unsafe {
            let Some(place) = inner.oldest() else {
                return ptr::null_mut();
            };
            let page = self.page(place);
            let cell = &mut *inner.cells.add(place);
            if cell.breached {
                // A program that goes on after an error has been let through the pages around.
                if !os::protect(page.sub(PAGE), PAGE, Access::None) || !os::protect(page.add(PAGE), PAGE, Access::None)
                {
                    return ptr::null_mut();
                }
                cell.breached = false;
            }
            if !os::protect(page, PAGE, Access::ReadWrite) {
                return ptr::null_mut();
            }
            let at = if end { page.add(PAGE - length) } else { page };
            let before = at.offset_from_unsigned(page);
            ptr::write_bytes(page, PATTERN, before);
            ptr::write_bytes(at.add(n), PATTERN, PAGE - before - n);
            inner.count += 1;
            inner.live += 1;
            let born = inner.put_calls(place, 0, calls);
            *cell = Cell {
                at,
                asked: n,
                life: Life::Live,
                breached: false,
                number: inner.count,
                born: Calls { by, count: born },
                ended: Calls { by: 0, count: 0 },
            };
            at
        }
    }

    /// Bytes that were asked for an object that exists at exactly this address.
    #[inline]
    pub fn asked(&self, p: *const u8) -> Option<usize> {
        if !self.contains(p) {
            return None;
        }
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        unsafe {
            let cell = (*self.inner.get()).cell(self.place_of(p)?)?;
            (cell.life == Life::Live && ptr::eq(cell.at, p)).then_some(cell.asked)
        }
    }

    /// Ends the object at `p`, an address in the pen. What was wrong, if anything: then an object that exists stays, unless all that is
    /// wrong is what lies beside it.
    pub fn end(&self, p: *mut u8, by: u32, calls: &[usize]) -> Result<(), Harm> {
        let _guard = self.lock.lock();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *self.inner.get() };
        let Some(place) = self.place_of(p) else {
            return Err(Harm::NotItsAddress);
        };
        // SAFETY: the lock is held, and the address lies in the pen: the place has a cell and a page.
        unsafe {
            let cell = &mut *inner.cells.add(place);
            match cell.life {
                Life::Never => return Err(Harm::Nowhere),
                Life::Gone if ptr::eq(cell.at, p) => return Err(Harm::DoubleFree),
                Life::Gone => return Err(Harm::NotItsAddress),
                Life::Live if !ptr::eq(cell.at, p) => return Err(Harm::NotItsAddress),
                Life::Live => {}
            }
            let page = self.page(place);
            let before = cell.at.offset_from_unsigned(page);
            let whole =
                |from: *const u8, bytes: usize| slice::from_raw_parts(from, bytes).iter().all(|b| *b == PATTERN);
            let harm = if !whole(cell.at.add(cell.asked), PAGE - before - cell.asked) {
                Some(Harm::Overflow)
            } else if !whole(page, before) {
                Some(Harm::Underflow)
            } else {
                None
            };
            let ended = inner.put_calls(place, 1, calls);
            cell.life = Life::Gone;
            cell.ended = Calls { by, count: ended };
            inner.live -= 1;
            // A page that the kernel keeps accessible is merely not watched.
            os::protect(page, PAGE, Access::None);
            os::purge(page, PAGE);
            harm.map_or(Ok(()), Err)
        }
    }

    /// What is known of an address in the pen, as the one of an object or beside one. Waits for nobody: it is for the handler of a
    /// fault. If somebody holds the lock, some of it may be of a moment before or after.
    pub fn find(&self, p: *const u8) -> Option<Found<'_>> {
        if !self.contains(p) {
            return None;
        }
        let _guard = self.lock.try_lock();
        // SAFETY: the rows were mapped before the address was known, and stay. Whoever holds the lock may be writing a cell: what is
        // read then is old or new, word by word, and only told; lengths are held against the room.
        unsafe {
            let inner = &*self.inner.get();
            let from = p.addr() - self.base.load(Ordering::Acquire);
            let (page, offset) = (from / PAGE, from % PAGE);
            if page % 2 == 1 {
                let cell = inner.cell(page / 2)?;
                let harm = match cell.life {
                    Life::Never => Harm::Nowhere,
                    Life::Gone => Harm::AfterFree,
                    Life::Live if p.addr() < cell.at.addr() => Harm::Underflow,
                    Life::Live if p.addr() >= cell.at.addr() + cell.asked => Harm::Overflow,
                    Life::Live => Harm::NotItsAddress,
                };
                return Some(inner.told(page / 2, cell, harm));
            }
            // A page between two places: it is told of the nearer one, unless no object was there.
            let (left, right) = ((page / 2).checked_sub(1), page / 2);
            let known = |place: usize| inner.cell(place).filter(|cell| cell.life != Life::Never);
            let (left_cell, right_cell) = (left.and_then(known), known(right));
            match (left_cell, right_cell) {
                (Some(cell), other) if offset < PAGE / 2 || other.is_none() => {
                    Some(inner.told(left.unwrap_or(0), cell, Harm::Overflow))
                }
                (_, Some(cell)) => Some(inner.told(right, cell, Harm::Underflow)),
                _ => None,
            }
        }
    }

    /// Lets the program touch the page of an address in the pen: it goes on after an error. False if the kernel refuses.
    pub fn let_through(&self, p: *const u8) -> bool {
        let Some(found) = self.find(p) else { return false };
        let base = self.base.load(Ordering::Acquire);
        let page = base + (p.addr() - base) / PAGE * PAGE;
        let place = self.place_of(found.cell.at);
        // SAFETY: the page is the pen's, which may be touched; a byte of the cell is written, which only whoever uses the place next
        // looks at, and an error is told once more at the worst.
        unsafe {
            if let Some(place) = place {
                (*(*self.inner.get()).cells.add(place)).breached = true;
            }
            os::protect(ptr::with_exposed_provenance_mut(page), PAGE, Access::ReadWrite)
        }
    }

    /// Gives everything back: the variant is unloaded.
    ///
    /// # Safety
    /// Nobody else is in the variant's code, or comes there. No guarded object is used any more.
    pub unsafe fn end_all(&self) {
        let _guard = self.lock.lock();
        let base = self.base.swap(0, Ordering::Relaxed);
        // SAFETY: the lock is held, and nobody reads without it.
        unsafe {
            let inner = &mut *self.inner.get();
            if base == 0 || inner.live > 0 {
                return;
            }
            os::unmap(ptr::with_exposed_provenance_mut(base), Self::reserved(inner.places));
            os::unmap(inner.cells.cast(), Self::table_bytes(inner.places, inner.depth));
            inner.places = 0;
        }
    }

    /// Takes memory. False if there is none.
    fn open(&self, inner: &mut Inner, policy: &Policy) -> bool {
        let (places, depth) = (policy.hardening.guarded as usize, policy.stats.depth as usize);
        let (bytes, rows) = (Self::reserved(places), Self::table_bytes(places, depth));
        let base = os::map(0, bytes, Access::None);
        if base.is_null() {
            return false;
        }
        let table = os::map(0, rows, Access::ReadWrite);
        // SAFETY: the ranges were just mapped. Fresh pages are zero, which is what a cell of a place is that was never used.
        unsafe {
            if table.is_null() {
                os::unmap(base, bytes);
                return false;
            }
            os::name(base, bytes, c"hz3 guarded objects");
            inner.cells = table.cast();
            inner.calls = table.add(places * size_of::<Cell>()).cast();
        }
        (inner.places, inner.depth) = (places, depth);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.base.store(base.expose_provenance(), Ordering::Release);
        true
    }

    /// The page of a place.
    fn page(&self, place: usize) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.base.load(Ordering::Relaxed) + (2 * place + 1) * PAGE)
    }

    /// The place that an address in the pen lies in; None if it lies between places.
    fn place_of(&self, p: *const u8) -> Option<usize> {
        let page = p.addr().wrapping_sub(self.base.load(Ordering::Relaxed)) / PAGE;
        (page % 2 == 1).then_some(page / 2)
    }
}

impl Inner {
    fn cell(&self, place: usize) -> Option<Cell> {
        // SAFETY: places have cells.
        (place < self.places).then(|| unsafe { self.cells.add(place).read() })
    }

    /// The place that was left first. None if half of them are in use: those that were left are to be watched for a while.
    fn oldest(&self) -> Option<usize> {
        if self.live >= self.places / 2 {
            return None;
        }
        let free = (0..self.places).filter_map(|place| {
            let cell = self.cell(place)?;
            (cell.life != Life::Live).then_some((cell.number, place))
        });
        free.min().map(|(_, place)| place)
    }

    /// Keeps a stack: of the birth (0) or the end (1). Returns how much of it.
    ///
    /// # Safety
    /// The lock is held, and the place exists.
    unsafe fn put_calls(&mut self, place: usize, which: usize, calls: &[usize]) -> u32 {
        let count = calls.len().min(self.depth);
        // SAFETY: each place has room for two stacks.
        unsafe {
            let to = self.calls.add((2 * place + which) * self.depth);
            ptr::copy_nonoverlapping(calls.as_ptr(), to, count);
        }
        count as u32
    }

    fn told(&self, place: usize, cell: Cell, harm: Harm) -> Found<'_> {
        let stack = |which: usize, calls: Calls| {
            let count = (calls.count as usize).min(self.depth);
            // SAFETY: each place has room for two stacks.
            unsafe { slice::from_raw_parts(self.calls.add((2 * place + which) * self.depth), count) }
        };
        Found {
            harm,
            cell,
            born: stack(0, cell.born),
            ended: stack(1, cell.ended),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
