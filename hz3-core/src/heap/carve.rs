//! Carving: objects that a run never handed out before, in what order, and how many at a time.

use super::chance::Dice;
use super::order::{self, Order};
use super::run::Run;
use crate::list::{self, Batch};
use crate::os::PAGE;
use crate::policy::Shape;
use crate::policy::agreed::GRANULE;
use core::ptr;

/// Objects from this size on may be handed out one at a time. Smaller ones lie on a cache line with their neighbours, which
/// had better go to the same thread.
const ALONE: usize = 256;

/// Objects that are carved together at least, where their order is random.
const MIXED: usize = 8;
/// Most objects that begin in one page: the smallest have so many bytes.
const IN_A_PAGE: usize = PAGE / GRANULE;

/// A list with its last object.
pub(super) struct Carved {
    /// The list.
    pub(super) batch: Batch,
    last: *mut u8,
}

/// Carves objects that were never handed out: the next one, and those behind it that begin in the same page.
///
/// To touch a page for the first time is a fault, the dearest thing that can happen to a request. Who asked for the object
/// will touch it, so the first object of a page is handed out alone, and nothing is written into it but a mark, where there are
/// any. When the next one is wanted, the page is there, as a rule. Of small objects all that begin in a page go at once. Thus no request pays for
/// more than one page, and hardly any for that.
///
/// Where the policy wants random order, several go at once, however large they are: see [`carve_mixed`].
///
/// # Safety
/// `run` is open, of objects of `size` bytes, not all of which were carved, and its free list is empty; the caller holds the
/// lock of its central.
pub(super) unsafe fn carve<S: Shape>(run: *mut Run, size: usize, want: u32, order: &Order) -> Carved {
    // SAFETY: the run is open and its class's lock held; places from `carved` on belong to nobody.
    unsafe {
        if S::POLICY.hardening.random {
            return carve_mixed::<S>(run, size, want, &mut order.draw());
        }
        let carved = (*run).carved;
        let start = Run::object(run, carved as usize, size);
        let offset = start as usize % PAGE;
        let n = if size >= ALONE && (carved == 0 || offset < size) {
            1
        } else {
            let here = (PAGE - offset).div_ceil(size.max(1)); // A division by zero would be a panic in the library.
            here.min(want as usize).min(((*run).capacity - carved) as usize)
        };
        (*run).carved += n as u16;
        let mut last = start;
        if n > 1 {
            for _ in 1..n {
                let following = last.add(size);
                list::set_next::<S>(last, following);
                list::mark::fresh::<S>(last);
                last = following;
            }
            list::set_next::<S>(last, ptr::null_mut());
        }
        list::mark::fresh::<S>(last);
        let batch = Batch {
            head: start,
            count: n as u32,
        };
        Carved { batch, last }
    }
}

/// Carves the objects that begin in the next one's page, or eight of larger ones, in random order. What is not wanted is the
/// run's free list then. Each is written to.
///
/// # Safety
/// As for [`carve`].
#[cold]
unsafe fn carve_mixed<S: Shape>(run: *mut Run, size: usize, want: u32, dice: &mut Dice) -> Carved {
    // SAFETY: the run is open and its class's lock held; places from `carved` on belong to nobody, and the free list is empty.
    unsafe {
        let carved = (*run).carved as usize;
        let start = Run::object(run, carved, size);
        let here = (PAGE - start as usize % PAGE).div_ceil(size.max(1));
        let n = here.max(MIXED).min((*run).capacity as usize - carved);
        let mut places = [0u8; IN_A_PAGE];
        let places = places.get_mut(..n).unwrap_or_default();
        order::mix(places, dice);
        (*run).carved += n as u16;
        let object = |place: u8| start.add(usize::from(place) * size);
        let (mut first, mut rest) = (ptr::null_mut(), ptr::null_mut());
        let mut last = ptr::null_mut();
        let count = (want as usize).min(n);
        for (i, &place) in places.iter().enumerate() {
            let p = object(place);
            let head = if i < count { &mut first } else { &mut rest };
            list::set_next::<S>(p, *head);
            list::mark::fresh::<S>(p);
            if head.is_null() && i < count {
                last = p;
            }
            *head = p;
        }
        if n > count {
            Run::set_first_free(run, rest, (n - count) as u16, S::GRANULE);
        }
        let batch = Batch {
            head: first,
            count: count as u32,
        };
        Carved { batch, last }
    }
}

/// Carves small objects and puts them before those that a thread takes out of a run's free list. They are what it gets first: what
/// came back may lie on a cache line with another thread's objects. Larger objects have their lines for themselves.
///
/// # Safety
/// As for [`carve`], but all may be carved already, and the free list need not be empty if the batch is full; `batch` is a list
/// that is the caller's.
pub(super) unsafe fn carve_before<S: Shape>(run: *mut Run, size: usize, want: u32, order: &Order, batch: &mut Batch) {
    // SAFETY: the run is open and its class's lock held; whoever took fewer objects than are wanted has left none on its free
    // list.
    unsafe {
        if size >= ALONE || batch.count >= want || (*run).carved == (*run).capacity {
            return;
        }
        let Carved { batch: front, last } = carve::<S>(run, size, want - batch.count, order);
        list::set_next::<S>(last, batch.head);
        *batch = Batch {
            head: front.head,
            count: front.count + batch.count,
        };
    }
}
