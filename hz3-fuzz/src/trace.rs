//! Traces: the compact form that is kept, and the raw form that a recording writes.

use crate::Target;
use hz3_lab::fit::{Demand, GRANULE};
use hz3_lab::profile::{Moment, Profile, until};
use hz3_lab::trace::{Call, Trace, flat, pack, summary, unpack, unpack_raw};
use hz3_lab::workload::births::{Births, Grain};

pub(crate) const TARGET: Target = Target {
    name: "trace",
    about: "a trace, compact (.hz3t) or raw: unpacking, packing, and everything that is made of one",
    run: |data| check(data, |_| {}),
    planted: |data| check(data, planted),
};

/// A fault to be found: what another thread resizes is a new object, and the old one goes twice.
fn planted(trace: &mut Trace) {
    let resized = |event: &&mut hz3_lab::trace::Event| matches!(event.call, Call::Realloc(..));
    if let Some(event) = trace.events.iter_mut().filter(resized).nth(1)
        && let Call::Realloc(object, size) = event.call
    {
        event.call = Call::Realloc(object.saturating_sub(1), size);
    }
}

/// The most events of a trace of which everything is made.
const EVENTS: usize = 20_000;

fn check(data: &[u8], fault: fn(&mut Trace)) {
    let Some(mut trace) = unpack(data).ok().or_else(|| Some(unpack_raw(data).ok()?.1)) else {
        return;
    };
    fault(&mut trace);
    let packed = pack(&trace);
    let again = unpack(&packed).unwrap_or_else(|e| panic!("what was written cannot be read: {}", e.message));
    assert_eq!(again.events, trace.events);
    if trace.events.is_empty() {
        return;
    }
    trace.truncate(EVENTS);
    let figures = summary(&trace);
    assert_eq!(
        figures.allocations + figures.frees + figures.resizes,
        trace.events.len() as u64
    );
    assert!(figures.live_end <= figures.live_peak);
    let objects = trace.objects() as u64;
    assert_eq!(figures.sizes.iter().map(|band| band.count).sum::<u64>(), objects);
    assert!(flat(&trace).len() >= 32 + 16 * trace.events.len());
    for moment in [Moment::Peak, Moment::End] {
        assert!(until(&trace, moment) <= trace.events.len());
        let profile = Profile::of_trace(&trace, moment);
        profile.report(5);
        Profile::read(&profile.write()).expect("a profile that was made of a trace");
    }
    let demand = Demand::of(
        &trace,
        (32768, if data.len().is_multiple_of(2) { GRANULE } else { 8 }),
        4,
    );
    assert!(demand.sizes.values().flatten().all(|live| live.objects.is_finite()));
    let births = Births::of_trace(&trace);
    if !births.all.is_empty() {
        crate::workload::sound(&births.workload(Grain { phases: 2, kinds: 4 }));
    }
}
