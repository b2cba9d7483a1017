//! The helper thread, in variants that ask for one (`purge.idle = "helper"`).
//!
//! Events purge what is old, but an idle process has no events. The helper sleeps for the purge delay, gives old pages
//! back and empties the depots, whose objects keep runs open, and ends when nothing is left to do. It is not the default: a
//! thread that the program did not start is seen by whoever counts threads (`unshare`, `setns`, some sandboxes).
//!
//! It is a thread of the kernel's that the C library does not know (see [`os::start_bare_thread`]). So a program with one
//! thread besides is one with one thread to the C library, `fork` and `exit` included: the process ends when the program's last
//! thread does, and the helper can be started anywhere, whatever locks the C library holds.
//!
//! In turn it makes nobody wait who may be in the middle of anything: it takes locks only if they are free, for a step at a
//! time, and inside of a [`crate::sync::Gate`] that `fork` closes.

use super::depots::Places;
use super::{central, check as checks, demand_of, depot_of, holes, owners};
use crate::heap::depot;
use crate::heap::lot::{Lot, Stock};
use crate::heap::{Heap, PageHeap, Waiting, Way};
use crate::os::{self, PAGE};
use crate::policy::Pool;
use crate::statics::Shared;
use crate::statics::helper::{Helper, STACK};
use crate::statics::stage::{FORBIDDEN, LEAVING, NONE, REFUSED, THERE};
use crate::variant::Variant;
use core::cell::Cell;
use core::ptr;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::Ordering;

/// Milliseconds between two looks where no delay is configured.
const PAUSE: u64 = 1000;
/// Bytes of backed free memory for which it is worth starting.
const WORTH: usize = 256 << 10;
/// Bytes of segments and huge objects from which on it is started for what waits in depots, too.
const MUCH: usize = 16 << 20;
/// Looks at a process at rest that change nothing before it ends: what waits in a depot is given back at the second.
const PATIENCE: u32 = 3;
/// Runs and objects that are looked at while a lock is held, about.
const AT_ONCE: u32 = 64;
/// Milliseconds until a step that found a lock taken is tried again.
const AGAIN: u32 = 1;

/// To be called now and then: starts the helper if there is something for it to do, and it is not there.
pub fn look<V: Variant>() {
    let helper = V::shared().helper();
    let stage = helper.stage.get();
    let absent = match stage {
        NONE | LEAVING => true,
        // It was told to end, and does nothing more. It may have to go through the gate before; a fork that has closed it may
        // be this thread's.
        THERE => helper.is_dismissed() && !helper.gate.is_closed(),
        _ => false,
    };
    // What lots have comes back when they rest.
    if absent && (V::shared().heap().lots.any() || backed::<V>(&Waiting) >= WORTH) {
        wake::<V>(helper, stage);
    }
}

/// To be called once in a while. Ends the helper if the process has come to act on behalf of somebody else: the C library
/// changes the rights of all its threads, but does not know this one. Starts it for objects that wait in depots, and keep
/// runs open.
pub fn check<V: Variant>() {
    let helper = V::shared().helper();
    match helper.stage.get() {
        THERE if helper.is_strange() => helper.dismiss(),
        REFUSED => drop(helper.stage.change(REFUSED, NONE)),
        stage @ (NONE | LEAVING) if V::shared().heap().locked(|h| h.taken()) > MUCH && waiting::<V>() => {
            wake::<V>(helper, stage);
        }
        _ => {}
    }
}

/// Whether a depot holds anything.
fn waiting<V: Variant>() -> bool {
    owners::pools::<V>(0).any(|pool| !depot_of::<V>(pool).is_empty())
}

#[cold]
fn wake<V: Variant>(helper: &'static Helper, stage: u32) {
    let process = os::process_number();
    let known = helper.process.load(Ordering::Relaxed);
    if known == 0 {
        helper.process.store(process, Ordering::Relaxed);
    } else if known != process {
        // A process that shares this one's memory, or is a copy made without fork handlers: nothing is started there.
        return;
    }
    helper
        .stage
        .wake(stage, || helper.wait_until_gone(), || helper.start(run::<V>));
}

/// Ends the helper if it is there, and waits until it has ended.
pub fn dismiss<V: Variant>() {
    if !V::POLICY.has_helper() {
        return;
    }
    let helper = V::shared().helper();
    let mut any = false;
    while helper.number.load(Ordering::Acquire) != 0 {
        any = true;
        helper.dismiss();
        if helper.gate.is_closed() {
            // It may have to go in once more before it can end, and a fork keeps it out.
            return;
        }
        os::wait_for_bare_thread(&helper.number);
    }
    if any {
        // The kernel still takes it out of the process: microseconds, as a rule.
        os::sleep_ms(1);
    }
}

/// Ends the helper for good, and gives its stack back.
///
/// # Safety
/// No other thread is in the variant's code, and none enters it any more.
pub unsafe fn remove<V: Variant>() {
    if !V::POLICY.has_helper() {
        return;
    }
    dismiss::<V>();
    let helper = V::shared().helper();
    helper.stage.set(FORBIDDEN);
    let stack = helper.stack.swap(ptr::null_mut(), Ordering::Relaxed);
    if !stack.is_null() {
        // SAFETY: the stack was mapped at this size, and nobody is on it.
        unsafe { os::unmap(stack, STACK) };
    }
}

/// Bytes of free memory that is backed.
fn backed<V: Variant>(way: &impl Way) -> usize {
    way.locked(V::shared().heap(), |h| {
        (h.dirty_pages - h.dense.spared) * PAGE + h.huge_dirty
    })
}

/// How the helper comes to the page heap: it tries again and again.
struct Stepping(&'static Helper);

impl Stepping {
    /// Runs steps until one finds the locks free that it wants.
    fn step<R, F>(&self, mut f: F, attempt: impl Fn(F) -> Result<R, F>) -> R {
        loop {
            if self.0.gate.enter() {
                let tried = attempt(f);
                self.0.gate.leave();
                match tried {
                    Ok(result) => return result,
                    Err(again) => f = again,
                }
            }
            os::sleep_ms(u64::from(AGAIN));
        }
    }
}

impl Way for Stepping {
    fn locked<R>(&self, heap: &Heap, f: impl FnOnce(&mut PageHeap) -> R) -> R {
        self.step(f, |f| heap.try_locked(f))
    }

    fn both<R>(&self, heap: &Heap, lot: &Lot, f: impl FnOnce(&mut Stock, &mut PageHeap) -> R) -> R {
        self.step(f, |f| heap.try_both(lot, f))
    }
}

extern "C" fn run<V: Variant>() -> ! {
    let (helper, heap) = (V::shared().helper(), V::shared().heap());
    let way = Stepping(helper);
    let pause = |n: u64| if n > 0 { n } else { PAUSE };
    let (delay, age) = (pause(V::POLICY.purge.delay_ms), pause(V::POLICY.large.max_age_ms));
    let shorter = delay.min(age);
    let returns = || way.locked(heap, |h| h.returns);
    let (mut idle, seen) = (0, Cell::new(returns()));
    let rest = || {
        let (now, before) = (os::now_ms(), seen.replace(returns()));
        // Where a thread has events it sees to all of this itself.
        if !heap.pressure.due(now, shorter / 4 + 1) {
            return false;
        }
        let settled = settle_depots::<V>(helper);
        let given = heap.purge_old_by(&way, &V::POLICY, now.saturating_sub(delay))
            + heap.purge_huge_by(&way, Some(now.saturating_sub(age) as u32));
        // What came back since the last look may be too young to be given.
        idle = if settled || given > 0 || seen.get() != before {
            0
        } else {
            idle + 1
        };
        let rests = idle >= PATIENCE;
        if rests {
            idle = 0;
        }
        rests
    };
    helper
        .stage
        .live(|| helper.nap(shorter as u32), rest, || returns() == seen.get());
    // SAFETY: this is the helper, whatever it was in the middle of is done, and its stack is nobody else's before the kernel says
    // that it is free.
    unsafe { os::end_bare_thread() }
}

/// Walks a whole round through the depots and runs, if nobody else is in one: what was there at the last one, and was not touched
/// since, goes back, batches to their runs and pages of runs to the kernel. Returns whether there was anything, or may be next time.
fn settle_depots<V: Variant>(helper: &Helper) -> bool {
    let rounds = &V::shared().heap().pressure.rounds;
    rounds.begin();
    // What events have begun and left it goes on with.
    let Some(place) = rounds.enter() else { return false };
    let (first, mut skip) = Places::parts(place);
    let mut any = false;
    'round: for pool in owners::pools::<V>(first) {
        if demand_of::<V>(pool).holds() {
            for word in depot_of::<V>(pool).words().skip(skip) {
                if !depot::was_there(word) {
                    continue;
                }
                loop {
                    let mut settled = None;
                    if helper.gate.enter() {
                        // SAFETY: the word is one of this pool's depot, and central and entry are its own.
                        settled = unsafe { central::<V>(pool).try_settle::<V>(V::shared().heap(), pool, word) };
                        helper.gate.leave();
                    }
                    match settled {
                        Some((settled, bad)) => {
                            checks::report::<V>(pool, bad);
                            any |= settled;
                            break;
                        }
                        None if helper.nap(AGAIN) => break 'round,
                        None => {}
                    }
                }
            }
        }
        if holes::by_age::<V>() {
            match search_runs::<V>(helper, pool) {
                Some(found) => any |= found,
                None => break 'round,
            }
        }
        skip = 0;
    }
    rounds.leave(None);
    any
}

/// Looks at all runs of a pool, a few at a time. Returns whether pages were given back, or may be next time; None if the helper is to
/// end.
fn search_runs<V: Variant>(helper: &Helper, pool: Pool<V>) -> Option<bool> {
    let (mut part, mut any) = (0, false);
    while let Some(search) = holes::part(part, AT_ONCE, false) {
        let mut searched = None;
        if helper.gate.enter() {
            // SAFETY: the central is the pool's, and no empty runs are asked for.
            searched = unsafe { central::<V>(pool).try_search::<V>(V::shared().heap(), pool, search) };
            helper.gate.leave();
        }
        match searched {
            Some(searched) => {
                holes::count::<V>(&searched);
                any |= searched.bytes > 0 || searched.hope;
                part = holes::after(part, searched.over);
            }
            None if helper.nap(AGAIN) => return None,
            None => {}
        }
    }
    Some(any)
}
