//! `purge.at_thread_exit`: the pages that a thread has freed go to the kernel when it ends.

mod common;

use hz3::core::Variant;
use hz3::core::abi::introspect;
use std::alloc::{GlobalAlloc, Layout};
use std::thread;

hz3::variant!(ExitPurges = "tests/fixtures/exit-purges.toml");
hz3::variant!(ExitKeeps = "tests/fixtures/exit-keeps.toml");

/// Bytes that the thread makes and frees, in objects of several classes and large ones.
const BYTES: usize = 24 << 20;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a layout")
}

/// Free bytes that are backed after a thread that freed much has ended, and all free bytes.
fn after_exit<V: Variant + GlobalAlloc + Sync>(v: &'static V) -> (u64, u64) {
    // SAFETY: the layout is not empty; the object is freed below.
    let mine = unsafe { v.alloc(layout(1000)) };
    assert!(!mine.is_null(), "no memory");
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut bytes = 0;
        for size in [48, 700, 4096, 30_000, 200_000].into_iter().cycle() {
            // SAFETY: the layout is not empty.
            let p = unsafe { v.alloc(layout(size)) };
            assert!(!p.is_null(), "no memory");
            // SAFETY: the object is as long as this.
            unsafe { p.write_bytes(3, size) };
            all.push((p, size));
            bytes += size;
            if bytes > BYTES {
                break;
            }
        }
        for (p, size) in all {
            // SAFETY: each object is freed once.
            unsafe { v.dealloc(p, layout(size)) };
        }
    })
    .join()
    .expect("a thread");
    let t = introspect::totals::<V>();
    // SAFETY: see above.
    unsafe { v.dealloc(mine, layout(1000)) };
    (t.pages_dirty, t.pages_free)
}

#[test]
fn a_thread_that_ends_leaves_no_backed_pages() {
    let plan = common::plan("tests/fixtures/exit-purges.toml");
    assert!(
        plan.policy.purge.dirty / 32 > BYTES,
        "they would go to the kernel before"
    );
    let (dirty, free) = after_exit(&ExitPurges);
    assert_eq!(dirty, 0, "of {free} free bytes");
    let (dirty, _) = after_exit(&ExitKeeps);
    assert!(
        dirty > BYTES as u64 / 2,
        "without the knob only {dirty} bytes stay: the test shows nothing"
    );
}
