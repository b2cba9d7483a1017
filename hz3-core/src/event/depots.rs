//! Depots are emptied: what waits there goes back to its runs.

use super::{central, check, demand_of, depot_of, holes, owners};
use crate::heap::depot::{self, Home};
use crate::os;
use crate::policy::Pool;
use crate::statics::Shared;
use crate::variant::Variant;

/// What one step of a round looks at or gives back at the most, words and objects: each may be another cache line.
const STEP: u32 = 256;
/// And so many more for each millisecond that passed since the step before: where events are rare, a twentieth of the time may go into
/// a round, so that it ends before the next one is due.
const A_MILLISECOND: u32 = 4 * STEP;
/// But so much in any case: a millisecond.
const MOST: u32 = 16_384;

/// Empties all depots. Returns the bytes of their objects.
pub fn drain_depots<V: Variant>() -> usize {
    let mut bytes = 0;
    for pool in owners::pools::<V>(0) {
        if demand_of::<V>(pool).clear() {
            bytes += empty_depot::<V>(pool);
        }
    }
    bytes
}

/// Empties a depot. Returns the bytes of its objects.
pub fn empty_depot<V: Variant>(pool: Pool<V>) -> usize {
    let mut bytes = 0;
    // SAFETY: the depot hands each batch to one taker, who gives it away.
    unsafe {
        let row = pool.row();
        while let Some(batch) = depot_of::<V>(pool).take(Home::ANY) {
            bytes += batch.count as usize * row.size as usize;
            check::report::<V>(pool, central::<V>(pool).give::<V>(V::shared().heap(), pool, batch));
        }
    }
    bytes
}

/// Goes on with the round through the depots that is under way, if there is one and nobody else is in it.
///
/// Whatever was there at the round before and was not touched since then is not wanted where it is: however much comes and goes in
/// front of it, it goes back to its runs. So a depot that serves a trickle keeps what the trickle wavers by.
#[inline]
pub fn go_on<V: Variant>() {
    if V::shared().heap().pressure.rounds.is_open() {
        step::<V>();
    }
}

/// A bounded part of a round.
#[cold]
#[inline(never)]
fn step<V: Variant>() {
    let rounds = &V::shared().heap().pressure.rounds;
    let Some(place) = rounds.enter() else { return };
    let passed = rounds.since_last(os::now_ms());
    let most = STEP.saturating_add(passed.saturating_mul(A_MILLISECOND)).min(MOST);
    let (mut done, mut next) = (0, None);
    let through_runs = holes::by_age::<V>() && rounds.goes_through_runs();
    let (first, mut skip) = Places::parts(place);
    'round: for pool in owners::pools::<V>(first) {
        done += 1;
        demand_of::<V>(pool).forget();
        if demand_of::<V>(pool).holds() {
            for (n, word) in depot_of::<V>(pool).words().enumerate().skip(skip) {
                if done >= most {
                    next = Some(Places::of(pool.number(), n));
                    break 'round;
                }
                done += 1;
                if depot::was_there(word)
                    && let Some(batch) = depot::take_old(word)
                {
                    done += batch.count;
                    // SAFETY: the depot hands each batch to one taker, who gives it away.
                    unsafe { owners::to_runs::<V>(pool, batch) };
                }
            }
        }
        if through_runs {
            match holes::go_on::<V>(pool, Places::part(skip), most.saturating_sub(done)) {
                (seen, None) => done += seen,
                (_, Some(part)) => {
                    next = Some(Places::of(pool.number(), Places::RUNS + part));
                    break 'round;
                }
            }
        }
        skip = 0;
    }
    rounds.leave(next);
}

/// Places of a round: a pool, and a word of its depot or a part of its runs, in one number.
pub(super) struct Places;

impl Places {
    /// Bits for the word.
    const BITS: u32 = 9;
    /// Here the parts of the runs begin, behind all words.
    const RUNS: usize = 1 << (Self::BITS - 1) | 1;

    /// The part of the runs that a round goes on with.
    const fn part(word: usize) -> usize {
        word.saturating_sub(Self::RUNS)
    }

    pub(super) const fn of(pool: usize, word: usize) -> u32 {
        (pool << Self::BITS | word) as u32
    }

    pub(super) const fn parts(place: u32) -> (usize, usize) {
        let place = place as usize;
        (place >> Self::BITS, place & ((1 << Self::BITS) - 1))
    }
}
