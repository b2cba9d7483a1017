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
//! time, and inside of a [`Gate`] that `fork` closes.

use crate::gate::Gate;
use crate::heap::{Heap, PageHeap, Waiting, Way};
use crate::os::{self, Access, PAGE};
use crate::statics::Shared;
use crate::variant::Variant;
use core::ptr;
// The kernel has a part in these: they cannot be a model's.
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Milliseconds between two looks where no delay is configured.
const PAUSE: u64 = 1000;
/// Bytes of backed free memory for which it is worth starting.
const WORTH: usize = 256 << 10;
/// Bytes of segments and huge objects from which on it is started for what waits in depots, too.
const MUCH: usize = 16 << 20;
/// Looks at a process at rest that change nothing before it ends: what waits in a depot is given back at the second.
const PATIENCE: u32 = 3;
/// Milliseconds until a step that found a lock taken is tried again.
const AGAIN: u32 = 1;
/// Bytes of its stack. What it runs does not recurse, and its frames are small: it touches two pages.
const STACK: usize = 64 << 10;

/// `Helper::stage`: there is none.
const NONE: u32 = 0;
/// It is there, or being started.
const THERE: u32 = 1;
/// It is about to end, unless somebody wants it.
const LEAVING: u32 = 2;
/// There is none, and it could not be started a moment ago.
const REFUSED: u32 = 3;
/// There is none, and there must not be.
const FORBIDDEN: u32 = 4;

/// What the process knows of its helper.
pub struct Helper {
    stage: AtomicU32,
    /// Its number; the kernel makes it 0 when the thread has left its stack.
    number: AtomicU32,
    /// Not 0: it has to end at once. It sleeps on this word.
    dismissed: AtomicU32,
    /// Its stack, mapped for the first one and kept for those to come.
    stack: AtomicPtr<u8>,
    /// The process whose helper it is; 0 before the first look.
    process: AtomicU32,
    /// On whose behalf it acts.
    credentials: [AtomicU32; 4],
    /// What it goes through for a step.
    pub gate: Gate,
}

impl Helper {
    /// None has been started.
    #[cfg(not(loom))]
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Helper {
            stage: AtomicU32::new(NONE),
            number: AtomicU32::new(0),
            dismissed: AtomicU32::new(0),
            stack: AtomicPtr::new(ptr::null_mut()),
            process: AtomicU32::new(0),
            credentials: [const { AtomicU32::new(0) }; 4],
            gate: Gate::new(),
        }
    }

    fn change(&self, from: u32, to: u32) -> bool {
        self.stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Sleeps, unless it is dismissed. Returns whether it is.
    fn nap(&self, ms: u32) -> bool {
        os::futex_wait_for(&self.dismissed, 0, ms.saturating_mul(1000));
        self.is_dismissed()
    }

    fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed) != 0
    }

    /// Tells it to end.
    fn dismiss(&self) {
        self.dismissed.store(1, Ordering::Relaxed);
        os::futex_wake(&self.dismissed);
    }

    /// Whether it acts on behalf of somebody else than the calling thread.
    fn is_strange(&self) -> bool {
        let known = self.credentials.iter().map(|id| id.load(Ordering::Relaxed));
        !known.eq(os::credentials())
    }

    /// In the child of a fork, where it is not. Returns whether it was there, and may have left something half done.
    pub fn forget(&self) -> bool {
        self.process.store(os::process_number(), Ordering::Relaxed);
        self.stage.store(NONE, Ordering::Relaxed);
        self.number.swap(0, Ordering::Relaxed) != 0
    }

    /// Starts it. Returns what there is then.
    fn start(&'static self, run: extern "C" fn() -> !) -> u32 {
        // A filter may end the process for what a thread wants, or for wanting one. Nobody gets rid of it again.
        if os::is_filtered() {
            return FORBIDDEN;
        }
        let mut stack = self.stack.load(Ordering::Acquire);
        if stack.is_null() {
            stack = os::map(0, STACK, Access::ReadWrite);
            if stack.is_null() {
                return REFUSED;
            }
            self.stack.store(stack, Ordering::Release);
        }
        self.dismissed.store(0, Ordering::Relaxed);
        for (known, id) in self.credentials.iter().zip(os::credentials()) {
            known.store(id, Ordering::Relaxed);
        }
        // SAFETY: the stack is the helper's for good, and no helper is on it, as the number is 0. What it runs uses statics
        // and system calls only.
        if unsafe { os::start_bare_thread(run, stack.add(STACK), &self.number) } {
            THERE
        } else {
            REFUSED
        }
    }
}

/// To be called now and then: starts the helper if there is something for it to do, and it is not there.
pub fn look<V: Variant>() {
    let helper = V::shared().helper();
    let stage = helper.stage.load(Ordering::Relaxed);
    if (stage == NONE || stage == LEAVING) && backed::<V>(&Waiting) >= WORTH {
        wake::<V>(helper, stage);
    }
}

/// To be called once in a while. Ends the helper if the process has come to act on behalf of somebody else: the C library
/// changes the rights of all its threads, but does not know this one. Starts it for objects that wait in depots, and keep
/// runs open.
pub fn check<V: Variant>() {
    let helper = V::shared().helper();
    match helper.stage.load(Ordering::Relaxed) {
        THERE if helper.is_strange() => helper.dismiss(),
        REFUSED => drop(helper.change(REFUSED, NONE)),
        stage @ (NONE | LEAVING) if V::shared().heap().locked(|h| h.taken()) > MUCH && waiting::<V>() => {
            wake::<V>(helper, stage);
        }
        _ => {}
    }
}

/// Whether a depot holds anything.
fn waiting<V: Variant>() -> bool {
    (0..V::CLASSES * V::SHARDS).any(|pool| {
        // SAFETY: pools are below their number.
        let words = unsafe { V::shared().depot(pool) };
        words.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    })
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
    // If it leaves, it may still be told to stay; if it has left, its stack is not free yet. (That it comes next time is
    // early enough.)
    if !helper.change(stage, THERE) || stage == LEAVING {
        return;
    }
    let leaves = helper.number.load(Ordering::Acquire) != 0;
    let now = if leaves { NONE } else { helper.start(run::<V>) };
    // (Where it is there it may have left again already.)
    if now != THERE {
        helper.stage.store(now, Ordering::Relaxed);
    }
}

/// Ends the helper if it is there, and waits until it has ended.
pub fn dismiss<V: Variant>() {
    if !V::POLICY.purge_helper {
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
/// No other thread is in the variant's code, and none enters it any more.
pub unsafe fn remove<V: Variant>() {
    if !V::POLICY.purge_helper {
        return;
    }
    dismiss::<V>();
    let helper = V::shared().helper();
    helper.stage.store(FORBIDDEN, Ordering::Relaxed);
    let stack = helper.stack.swap(ptr::null_mut(), Ordering::Relaxed);
    if !stack.is_null() {
        // SAFETY: the stack was mapped at this size, and nobody is on it.
        unsafe { os::unmap(stack, STACK) };
    }
}

/// Bytes of free memory that is backed.
fn backed<V: Variant>(way: &impl Way) -> usize {
    way.locked(V::shared().heap(), |h| h.dirty_pages * PAGE + h.huge_dirty)
}

/// How the helper comes to the page heap: it tries again and again.
struct Stepping(&'static Helper);

impl Way for Stepping {
    fn locked<R>(&self, heap: &Heap, f: impl FnOnce(&mut PageHeap) -> R) -> R {
        let mut f = f;
        loop {
            if self.0.gate.enter() {
                let tried = heap.try_locked(f);
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

extern "C" fn run<V: Variant>() -> ! {
    let (helper, heap) = (V::shared().helper(), V::shared().heap());
    let way = Stepping(helper);
    let pause = |n: u64| if n > 0 { n } else { PAUSE };
    let (delay, age) = (pause(V::POLICY.purge_delay), pause(V::POLICY.large_age));
    let shorter = delay.min(age);
    let mut idle = 0;
    while !helper.nap(shorter as u32) {
        let (now, before) = (os::now_ms(), backed::<V>(&way));
        // Where a thread has events it sees to all of this itself.
        if !heap.pressure.due(now, shorter / 4 + 1) {
            continue;
        }
        let settled = settle_depots::<V>(helper);
        let given = heap.purge_old_by(&way, &V::POLICY, now.saturating_sub(delay))
            + heap.purge_huge_by(&way, Some(now.saturating_sub(age) as u32));
        idle = if settled || given > 0 { 0 } else { idle + 1 };
        if idle < PATIENCE {
            continue;
        }
        helper.stage.store(LEAVING, Ordering::Relaxed);
        // What came meanwhile has events of its own. Where these found this thread still there, it has to stay.
        if backed::<V>(&way) == before && helper.change(LEAVING, NONE) {
            break;
        }
        helper.stage.store(THERE, Ordering::Relaxed);
        idle = 0;
    }
    if helper.is_dismissed() {
        helper.stage.store(NONE, Ordering::Relaxed);
    }
    // SAFETY: this is the helper, whatever it was in the middle of is done, and its stack is nobody else's before the kernel says
    // that it is free.
    unsafe { os::end_bare_thread() }
}

/// Empties the depots from which nobody has taken since the last look into their runs. Returns whether there were any
/// objects.
fn settle_depots<V: Variant>(helper: &Helper) -> bool {
    let mut any = false;
    for pool in 0..V::CLASSES * V::SHARDS {
        // SAFETY: pools are below their number.
        let (words, demand) = unsafe { (V::shared().depot(pool), V::shared().demand(pool)) };
        if !demand.rests() {
            continue;
        }
        loop {
            let mut settled = None;
            if helper.gate.enter() {
                // SAFETY: as above; the depot is this pool's.
                settled =
                    unsafe { super::central::<V>(pool).try_settle::<V>(super::class::<V>(pool % V::CLASSES), words) };
                helper.gate.leave();
            }
            match settled {
                Some(true) => any = true,
                Some(false) => break,
                None if helper.nap(AGAIN) => return any,
                None => {}
            }
        }
    }
    any
}
