//! `cache.thread_floor` and `cache.crowd_bytes`: what a thread may keep becomes less when others start, down to a floor and in a
//! crowd further, and more when they end.

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

/// Enough for a share to be less than what all classes open with.
const CROWD: usize = 299;

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

/// What the calling thread's magazines hold after [`fill`], while so many others have a first batch of the smallest class each.
fn fill_beside(others: usize) -> u64 {
    let (started, end) = (Barrier::new(others + 1), Barrier::new(others + 1));
    thread::scope(|scope| {
        let other = || {
            // SAFETY: the layout is not empty; the object is freed once.
            unsafe { HZ3.dealloc(HZ3.alloc(layout(16)), layout(16)) };
            started.wait();
            end.wait();
        };
        let threads: Vec<_> = (0..others).map(|_| scope.spawn(other)).collect();
        started.wait();
        let running = introspect::totals::<Shares>().threads;
        assert!(running > others as u64, "{running} threads");
        let filled = fill();
        end.wait();
        // The end of the scope would not wait for their destructors.
        threads.into_iter().for_each(|t| t.join().expect("it does not panic"));
        filled
    })
}

#[test]
fn threads_share_what_one_alone_may_keep() {
    let cache = common::plan("tests/fixtures/shares.toml").cache;
    let alone = fill();
    assert!(alone <= cache.bytes_bound(1), "{alone} bytes in one thread's magazines");
    assert!(alone > 2 * cache.thread_floor, "only {alone} bytes, though it is alone");
    for others in [OTHERS, CROWD] {
        let shared = fill_beside(others);
        let most = cache.share(others as u64 + 1);
        assert!(
            shared <= most + others as u64 * 512,
            "{shared} bytes beside {others} threads, though the thread's share is {most}"
        );
        assert!(
            shared > most / 4,
            "only {shared} bytes beside {others} threads of a share of {most}"
        );
    }
    let again = fill();
    assert!(
        again > 2 * cache.thread_floor,
        "only {again} bytes, though it is alone again"
    );
}
