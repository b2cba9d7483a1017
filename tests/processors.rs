//! Lists of processors: what idle ones keep goes back when memory is asked for, and nothing is lost or served twice while that
//! happens under threads at work.
#![cfg(target_arch = "x86_64")]

use hz3::core::Shared;
use hz3::core::Variant;
use hz3::core::abi::introspect;
use hz3::core::event::relief;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

hz3::variant!(Processors = "configs/percpu.toml");

static HZ3: Processors = Processors;

/// The tests count the objects of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Gives everything back that can be.
fn relieve() {
    // SAFETY: an event of this thread.
    unsafe { relief::relieve::<Processors>() };
}

/// Takes so many objects of a size at once, and gives them back.
fn take_and_give(count: usize, size: usize) {
    // SAFETY: the layout is not empty; each object is freed once.
    unsafe {
        let all: Vec<*mut u8> = (0..count).map(|_| HZ3.alloc(layout(size))).collect();
        for p in all {
            assert!(!p.is_null(), "no memory for {size} bytes");
            HZ3.dealloc(p, layout(size));
        }
    }
}

/// No object is in use, so each must be known to be free somewhere.
fn nothing_is_lost() {
    let totals = introspect::totals::<Processors>();
    assert_eq!(totals.small_out, totals.magazines + totals.depots, "{totals:?}");
}

#[test]
fn a_thread_that_sleeps_keeps_nothing_that_others_cannot_take() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let (done, end) = (Barrier::new(5), Barrier::new(5));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (16..2000).step_by(160).for_each(|size| take_and_give(300, size));
                done.wait();
                end.wait();
            });
        }
        done.wait();
        nothing_is_lost();
        let kept = introspect::totals::<Processors>().magazines;
        relieve();
        let left = introspect::totals::<Processors>().magazines;
        if Processors::shared().rows().table().is_some() {
            assert!(kept > 0 && left == 0, "{kept} bytes, and {left} of them are left");
        }
        nothing_is_lost();
        end.wait();
    });
}

#[test]
fn rows_are_emptied_under_threads_at_work() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let work = |number: u64| {
            let mut mine: Vec<(*mut u8, usize)> = Vec::new();
            let mut state = number * 7919 + 1;
            for step in 0..60_000u64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let pick = (state >> 33) as usize;
                // SAFETY: each object is freed once, at its size, and written to by its owner.
                unsafe {
                    if mine.len() < 200 && pick.is_multiple_of(2) {
                        let size = 16 + pick / 2 % 500;
                        let p = HZ3.alloc(layout(size));
                        p.write_bytes((p as usize >> 4) as u8, size);
                        mine.push((p, size));
                    } else if !mine.is_empty() {
                        let (p, size) = mine.swap_remove(pick / 2 % mine.len());
                        let mark = (p as usize >> 4) as u8;
                        for at in [0, size / 2, size - 1] {
                            assert_eq!(*p.add(at), mark, "step {step}: byte {at} of {size} at {p:p}");
                        }
                        HZ3.dealloc(p, layout(size));
                    }
                }
            }
            for (p, size) in mine {
                // SAFETY: as above.
                unsafe { HZ3.dealloc(p, layout(size)) };
            }
        };
        let workers: Vec<_> = (0..4).map(|number| scope.spawn(move || work(number))).collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                relieve();
                thread::yield_now();
            }
        });
        workers
            .into_iter()
            .for_each(|worker| worker.join().expect("it does not panic"));
        stop.store(true, Ordering::Relaxed);
    });
    nothing_is_lost();
    relieve();
    nothing_is_lost();
}
