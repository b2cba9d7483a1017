//! Shortage of memory, and the passing of time: what events do beside their work.
//!
//! When a request finds no memory in its reach (the budget, then the arena, then the system), the thread gives back its
//! own caches, all depots and all empty runs. If that is not enough it raises the epoch: every other thread sees that at
//! its next event and does the same. Where nothing lies beyond the arena the request waits for answers, asleep and for a
//! bounded time, because a thread that sleeps or computes has no events; what such threads keep is bounded by the budget
//! of their magazines. Last of all a larger class may have a free object.
//!
//! Where the policy says so, all of them first give back only what lies in one segment, the one that is drained. When that
//! leaves a request without memory, everything is given back as said above, so that no request fails for it.

use super::{check, depots, limit, magazine, my_pool, owners, relief, thread};
use crate::heap::group::Group;
use crate::heap::{Ask, Reach, Reliefs};
use crate::list::Batch;
use crate::os;
use crate::policy::{Class, ClassId, Owner, Pool};
use crate::statics::{Shared, State, ThreadBlock};
use crate::variant::{Kind, Stats, Variant};

/// Rounds that a request waits for others; each is twice as long as the one before: 51 ms in all, enough for threads that
/// would answer but wait for a processor, sixteen to each.
const ROUNDS: u32 = 9;
/// Microseconds of the first round.
const FIRST_WAIT: u32 = 100;
/// Events between two looks at the clock.
const LOOK: u32 = 16;
/// Events between two looks at whether the helper is wanted.
const LOOK_FOR_HELPER: u32 = 64;
/// Bytes below a limit that are worth having made room for.
const ENOUGH: usize = 1 << 20;

pub(super) const NO_COUNT: Reliefs = Reliefs {
    epochs: 0,
    answers: 0,
    runs: 0,
    object_bytes: 0,
    page_bytes: 0,
    waits: 0,
    borrowed: 0,
    larger: 0,
    drains: 0,
    quarantines: 0,
    failed: 0,
    purges: 0,
    purged_bytes: 0,
    soft_limits: 0,
    hard_limits: 0,
};

/// How far a first attempt may go.
pub fn first<V: Variant>() -> Reach {
    if V::POLICY.pressure.budget > 0 || V::shared().heap().is_limited() {
        Reach::Budget
    } else if V::POLICY.pressure.enabled || !V::POLICY.grows_outside() {
        Reach::Arena
    } else {
        Reach::System
    }
}

/// To be called at the beginning of every event of a class, or at its end. True if this thread's magazines were given
/// back, so that what the event was about may no longer hold.
///
/// # Safety
/// The calling thread has its block.
#[inline]
pub unsafe fn pulse<V: Variant>() -> bool {
    // SAFETY: an event of this thread.
    unsafe { super::owners::notice::<V>() };
    let time = V::POLICY.purge.delay_ms > 0 || V::POLICY.large.max_age_ms > 0 || V::POLICY.has_helper();
    if !V::POLICY.pressure.enabled && !time {
        return false;
    }
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let mut rested = false;
        if time {
            (*meta).events = (*meta).events.wrapping_add(1);
            if (*meta).events % LOOK == 0 {
                age::<V>((*meta).events);
                rested = rest::<V>();
            }
            depots::go_on::<V>();
        }
        let asked = V::POLICY.pressure.enabled && (*meta).epoch != V::shared().heap().pressure.epoch();
        asked && answer::<V>() || rested
    }
}

/// This thread sees a new epoch: it gives back what it has. False if it has no caches.
///
/// # Safety
/// The calling thread has its block.
#[cold]
#[inline(never)]
unsafe fn answer<V: Variant>() -> bool {
    // SAFETY: the block is this thread's.
    unsafe {
        if thread::state::<V>() != State::Running {
            return false;
        }
        let pressure = &V::shared().heap().pressure;
        let (meta, epoch) = (V::Thread::meta(V::thread()), pressure.epoch());
        let ask = Ask::between((*meta).epoch, epoch);
        (*meta).epoch = epoch;
        relief::counted::<V>(ask, Reliefs { answers: 1, ..NO_COUNT });
        pressure.answer();
        true
    }
}

/// Gives pages that were left alone for long back to the kernel, if it is time to look, and has the depots looked through. This is
/// the thread's event of that number.
#[cold]
#[inline(never)]
fn age<V: Variant>(event: u32) {
    let heap = V::shared().heap();
    let (now, delay, age) = (os::now_ms(), V::POLICY.purge.delay_ms, V::POLICY.large.max_age_ms);
    let shorter = if delay == 0 || age > 0 && age < delay {
        age
    } else {
        delay
    };
    if V::POLICY.collapses() {
        heap.collapse_some(now, shorter / 4 + 1);
    }
    if heap.pressure.due(now, shorter / 4 + 1) {
        heap.pressure.rounds.begin();
        limit::look::<V>(now);
        if delay > 0 {
            heap.purge_old(&V::POLICY, now.saturating_sub(delay));
            // What is worth keeping falls with time, too, and nothing may have been freed meanwhile.
            heap.purge_excess(&V::POLICY);
        }
        if age > 0 {
            heap.purge_huge(Some(now.saturating_sub(age) as u32));
        }
        if V::POLICY.has_helper() {
            super::helper::check::<V>();
        }
    }
    if V::POLICY.has_helper() && event.is_multiple_of(LOOK_FOR_HELPER) {
        super::helper::look::<V>();
    }
}

/// Gives back what this thread keeps of classes that had no event since the last round, if there is a new one: free objects that
/// nobody wants keep their runs' pages. Returns whether it did.
///
/// # Safety
/// The calling thread has its block.
unsafe fn rest<V: Variant>() -> bool {
    if V::POLICY.purge.delay_ms == 0 {
        return false;
    }
    let round = V::shared().heap().pressure.rounds.number() as u8;
    // SAFETY: the block is this thread's.
    unsafe {
        let meta = V::Thread::meta(V::thread());
        let now = (*meta).round != round && thread::state::<V>() == State::Running;
        if now {
            (*meta).round = round;
            magazine::rest::<V>();
        }
        now
    }
}

/// Asks all other threads for their caches, without waiting for them. This thread has to see to its own.
///
/// # Safety
/// The calling thread has its block.
pub unsafe fn ask<V: Variant>() {
    let pressure = &V::shared().heap().pressure;
    if V::POLICY.pressure.enabled && pressure.raise(os::now_ms(), Ask::Everything, 0) {
        // SAFETY: the block is this thread's.
        unsafe { (*V::Thread::meta(V::thread())).epoch = pressure.epoch() };
    }
}

/// A request of so many bytes failed within its [`first`] reach: makes room and tries again, further and further.
///
/// # Safety
/// The calling thread has its block. `attempt` takes no lock that is held.
pub unsafe fn overcome<V: Variant, T>(bytes: usize, attempt: impl Fn(Reach) -> Option<T>) -> Option<T> {
    let mut found = None;
    // SAFETY: an event of this thread.
    unsafe {
        try_harder::<V>(bytes, &mut |reach| {
            found = attempt(reach);
            found.is_some()
        });
    }
    found
}

/// Whether an attempt within a reach has found what was wanted. (One piece of code for whatever that is.)
type Attempt<'a> = &'a mut dyn FnMut(Reach) -> bool;

/// # Safety
/// As for [`overcome`].
#[cold]
#[inline(never)]
unsafe fn try_harder<V: Variant>(bytes: usize, attempt: Attempt<'_>) {
    // SAFETY: it asks for no more than this function.
    if !unsafe { has_helped::<V>(bytes, attempt) } {
        V::shared().heap().pressure.failed(os::now_ms(), bytes);
    }
}

/// # Safety
/// As for [`overcome`].
unsafe fn has_helped<V: Variant>(bytes: usize, attempt: Attempt<'_>) -> bool {
    let heap = V::shared().heap();
    let (policy, pressure) = (&V::POLICY, &heap.pressure);
    let now = os::now_ms();
    let futile = pressure.is_futile(now, bytes);
    // Where the request may go further, nobody gives up caches again that were given up in vain a moment ago.
    if !futile || !policy.grows_outside() {
        // SAFETY: an event of this thread.
        let mut found = unsafe { make_room::<V>(futile, attempt) };
        let mut ask = Ask::Segment;
        if !found || !policy.relieves_by_segment() {
            ask = Ask::Everything;
            // SAFETY: as above.
            unsafe { relief::counted::<V>(ask, Reliefs { runs: 1, ..NO_COUNT }) };
            found = attempt(first::<V>());
        }
        let short = !found || heap.free_pages(policy) * os::PAGE < policy.pressure.reclaim;
        if policy.pressure.enabled && short && pressure.raise(now, ask, bytes) && ask == Ask::Everything {
            // SAFETY: the block is this thread's, which has just done what the epoch asks for.
            unsafe { (*V::Thread::meta(V::thread())).epoch = pressure.epoch() };
        }
        if found {
            // Where that left next to nothing, the next request had better go on to what lies beyond.
            if heap.is_limited() && heap.missing(first::<V>(), ENOUGH) > 0 {
                pressure.futile(now, 0);
            }
            pressure.eased();
            return true;
        }
    } else if depots::drain_depots::<V>() > 0 {
        // What was freed since then waits there, whatever its class.
        if attempt(first::<V>()) {
            return true;
        }
    }
    let limited = heap.is_limited();
    if (policy.pressure.budget > 0 || limited) && attempt(Reach::Arena)
        || policy.grows_outside() && attempt(Reach::System)
    {
        pressure.futile(now, bytes);
        return true;
    }
    if policy.grows_outside() && futile {
        // Beyond the arena there is nothing either. Others are not asked again so soon; what this thread has is given up.
        // SAFETY: an event of this thread.
        unsafe { relief::counted::<V>(Ask::Everything, Reliefs { runs: 1, ..NO_COUNT }) };
        return attempt(Reach::System);
    }
    // (Beyond a limit there is nothing, wherever it lies.)
    let last = !policy.grows_outside() || limited;
    if policy.pressure.enabled && last && !futile && wait::<V>(attempt) {
        pressure.eased();
        return true;
    }
    false
}

/// What comes before everything is given back, if the policy drains segments: chooses one, and gives back what lies there.
/// In a shortage in which a moment ago nobody had anything, that would only take time.
///
/// # Safety
/// As for [`overcome`].
unsafe fn make_room<V: Variant>(futile: bool, attempt: Attempt<'_>) -> bool {
    let (heap, policy) = (V::shared().heap(), &V::POLICY);
    if futile || policy.placement.quarantine_events == 0 && !policy.relieves_by_segment() {
        return false;
    }
    let quarantines = u64::from(heap.locked(|h| h.choose_drained(policy)));
    if !policy.relieves_by_segment() {
        heap.pressure.count(Reliefs {
            quarantines,
            ..NO_COUNT
        });
        return false;
    }
    let counts = Reliefs {
        runs: 1,
        drains: 1,
        quarantines,
        ..NO_COUNT
    };
    // SAFETY: an event of this thread.
    unsafe { relief::counted::<V>(Ask::Segment, counts) };
    attempt(first::<V>())
}

/// Waits for other threads' answers, for a bounded time.
fn wait<V: Variant>(attempt: Attempt<'_>) -> bool {
    let pressure = &V::shared().heap().pressure;
    if V::shared().threads().count() < 2 {
        return false;
    }
    pressure.count(Reliefs { waits: 1, ..NO_COUNT });
    for round in 0..ROUNDS {
        let seen = pressure.answered();
        if attempt(Reach::Arena) {
            return true;
        }
        pressure.wait(seen, FIRST_WAIT << round);
    }
    attempt(Reach::Arena)
}

/// A batch of class `id` from its runs. Where there is no memory, one object of it or of a larger class; empty, with
/// `errno` set, if there is none of these either.
///
/// # Safety
/// The calling thread has its block; `row` is the class's entry.
pub unsafe fn carve<V: Variant>(id: ClassId<V>, row: &Class, want: u32) -> Batch {
    let some = |batch: Batch| (batch.count > 0).then_some(batch);
    // SAFETY: each central is its pool's, and each entry its class's; the batch that is found is ours.
    unsafe {
        V::Stats::count::<V>(Kind::FromRuns);
        let mine = my_pool::<V>(id);
        let batch = check::from_runs::<V>(mine, first::<V>(), want);
        if batch.count > 0 {
            return batch;
        }
        if let Some(batch) = overcome::<V, _>(row.size as usize, |reach| some(check::from_runs::<V>(mine, reach, 1))) {
            return batch;
        }
        // One object of another owner's is as good as one of ours; a list of them would not be.
        let pressure = &V::shared().heap().pressure;
        let group = Group::of(id);
        for other in id.and_larger().take_while(|&other| Group::of(other) == group) {
            for owner in Owner::all().filter(|&owner| owners::may_have(owner)) {
                let batch = check::from_runs::<V>(Pool::of(owner, other), Reach::Held, 1);
                if batch.count > 0 {
                    let larger = u64::from(other != id);
                    pressure.count(Reliefs { larger, ..NO_COUNT });
                    return batch;
                }
            }
        }
        no_memory::<V>();
        Batch::EMPTY
    }
}

/// A request fails.
#[cold]
pub fn no_memory<V: Variant>() {
    V::shared().heap().pressure.count(Reliefs { failed: 1, ..NO_COUNT });
    os::set_errno(os::ENOMEM);
}
