//! `cache.thread_floor`: what a thread may keep becomes less when others start, down to the floor, and more when they end.

mod common;

use hz3::core::Shape;
use hz3::core::abi::introspect;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Barrier;
use std::thread;

hz3::variant!(Shares = "tests/fixtures/shares.toml");

static HZ3: Shares = Shares;

/// Enough for all shares but the floors to be smaller than the floor.
const OTHERS: usize = 15;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Frees more objects of every class at once than its magazines hold, several times. Returns what magazines hold then.
fn fill() -> u64 {
    for _ in 0..32 {
        for class in Shares::classes() {
            // SAFETY: the layouts are not empty; each object is freed once.
            unsafe {
                let size = class.size as usize;
                let all: Vec<*mut u8> = (0..2 * class.batch).map(|_| HZ3.alloc(layout(size))).collect();
                for p in all {
                    assert!(!p.is_null(), "no memory for {size} bytes");
                    HZ3.dealloc(p, layout(size));
                }
            }
        }
    }
    introspect::totals::<Shares>().magazines
}

#[test]
fn threads_share_what_one_alone_may_keep() {
    let cache = common::plan("tests/fixtures/shares.toml").cache;
    let alone = fill();
    assert!(alone <= cache.bytes_bound(1), "{alone} bytes in one thread's magazines");
    assert!(alone > 2 * cache.thread_floor, "only {alone} bytes, though it is alone");
    let (started, end) = (Barrier::new(OTHERS + 1), Barrier::new(OTHERS + 1));
    thread::scope(|scope| {
        let other = || {
            // SAFETY: the layout is not empty; the object is freed once.
            unsafe { HZ3.dealloc(HZ3.alloc(layout(16)), layout(16)) };
            started.wait();
            end.wait();
        };
        let others: Vec<_> = (0..OTHERS).map(|_| scope.spawn(other)).collect();
        started.wait();
        let threads = introspect::totals::<Shares>().threads;
        assert!(threads > OTHERS as u64, "{threads} threads");
        let shared = fill();
        // The others have a first batch of the smallest class each.
        let most = cache.thread_floor + OTHERS as u64 * 4096;
        assert!(
            shared <= most,
            "{shared} bytes, though the thread's share is {}",
            cache.thread_floor
        );
        end.wait();
        // The end of the scope would not wait for their destructors.
        others.into_iter().for_each(|o| o.join().expect("it does not panic"));
    });
    let again = fill();
    assert!(
        again > 2 * cache.thread_floor,
        "only {again} bytes, though it is alone again"
    );
}
