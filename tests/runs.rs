//! Central and its runs against a model: every object is handed out once, lies where its run says, and when all are back
//! the runs are closed and the pages free.
//!
//! Each variant is used by one test alone, as the model knows of no objects but its own.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Child, Coloured, Narrow, Ring, Wide};
use hz3::core::heap::segment::{Run, Segment};
use hz3::core::list;
use hz3::core::os::PAGE;
use hz3::core::policy::Pool;
use hz3::core::{Shared, Variant};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    /// Up to so many objects of the n-th of the chosen classes.
    Take(usize, u32),
    /// Give every k-th of the objects of a class back, from a random one on, in the order of their addresses or not.
    Give {
        class: usize,
        from: usize,
        every: usize,
        reverse: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (any::<usize>(), 1u32..200).prop_map(|(class, want)| Op::Take(class, want)),
        (any::<usize>(), any::<usize>(), 1usize..5, any::<bool>()).prop_map(|(class, from, every, reverse)| Op::Give {
            class,
            from,
            every,
            reverse
        }),
    ]
}

/// What is out: address to size and pool.
#[derive(Default)]
struct Model {
    out: BTreeMap<usize, (usize, usize)>,
}

impl Model {
    /// An object comes out. It must overlap none that is out already.
    fn take<V: Variant>(&mut self, p: *mut u8, pool: usize) {
        let class = &V::classes()[pool % V::CLASSES];
        let (at, size) = (p as usize, class.size as usize);
        assert!(
            at.is_multiple_of(class.align as usize),
            "{p:p} is not aligned to {}",
            class.align
        );
        let below = self.out.range(..at + size).next_back();
        if let Some((&other, &(bytes, _))) = below {
            assert!(
                other + bytes <= at,
                "{at:#x} of {size} bytes lies in {other:#x} of {bytes}"
            );
        }
        // SAFETY: the object is out, so its run is open and its descriptor stands still.
        unsafe {
            let run = Segment::run_of(p);
            let (base, end) = (
                Run::base(run) as usize,
                Run::base(run) as usize + (*run).pages as usize * PAGE,
            );
            let shift = (*run).shift as usize * 16;
            assert_eq!((*run).pool as usize, pool);
            assert!(shift < usize::from(class.colors) * 64 && at >= base + shift && at + size <= end);
            assert_eq!(
                (at - base - shift) % size,
                0,
                "{at:#x} is no object's place in the run at {base:#x}"
            );
            assert!((at - base - shift) / size < usize::from((*run).carved), "never carved");
            // Its last word, so that what follows in memory is not written by mistake: a free object's first word is
            // the link, and `check` reads the last.
            ((at + size - 8) as *mut usize).write(at ^ pool);
        }
        self.out.insert(at, (size, pool));
    }

    /// The objects of a pool that go back, linked into a list.
    fn list<V: Variant>(&mut self, pool: usize, from: usize, every: usize, reverse: bool) -> *mut u8 {
        let of_pool: Vec<usize> = self
            .out
            .iter()
            .filter(|(_, v)| v.1 == pool)
            .map(|(at, _)| *at)
            .collect();
        let start = from % of_pool.len().max(1);
        let mut chosen: Vec<usize> = of_pool.into_iter().skip(start).step_by(every).collect();
        if reverse {
            chosen.reverse();
        }
        let mut head = std::ptr::null_mut();
        for at in chosen {
            let (size, _) = self.out.remove(&at).expect("it is out");
            let p = at as *mut u8;
            // SAFETY: the object is out, and now goes back.
            unsafe {
                if size > 16 {
                    assert_eq!(
                        ((at + size - 8) as *const usize).read(),
                        at ^ pool,
                        "{at:#x} was written to"
                    );
                }
                list::set_next::<V>(p, head);
            }
            head = p;
        }
        head
    }
}

/// The pools that a case uses: small, medium and large classes of the first and the last owner.
fn pools<V: Variant>() -> Vec<usize> {
    let last = V::CLASSES - 1;
    let mut pools: Vec<usize> = [0, V::SHARDS - 1]
        .into_iter()
        .flat_map(|owner| [0, 3, last / 2, last - 1, last].map(|class| owner * V::CLASSES + class))
        .collect();
    pools.sort_unstable();
    pools.dedup();
    pools
}

fn case<V: Variant>(ops: &[Op]) {
    hz3::core::event::process::start::<V>();
    let (pools, shared) = (pools::<V>(), V::shared());
    let mut model = Model::default();
    for op in ops {
        match *op {
            Op::Take(class, want) => {
                let pool = pools[class % pools.len()];
                // SAFETY: the pool's own central and class.
                let mut batch = unsafe {
                    shared.centrals()[pool].take::<V>(
                        shared.heap(),
                        hz3::core::heap::Reach::System,
                        Pool::new(pool),
                        &V::classes()[pool % V::CLASSES],
                        want,
                    )
                };
                assert!(batch.count <= want);
                assert!(batch.count > 0 || !V::POLICY.grows_outside(), "no memory");
                // A batch of one object may be no list yet: nothing is read of it.
                let last = batch.count.saturating_sub(1);
                while batch.count > 0 {
                    let end = last > 0 && batch.count == 1;
                    // SAFETY: the batch holds an object, and its list ends with the last one.
                    let (p, next) = unsafe {
                        let next = if end {
                            list::next::<V>(batch.head)
                        } else {
                            std::ptr::null_mut()
                        };
                        (batch.pop::<V>(), next)
                    };
                    assert!(next.is_null(), "the list is longer than its count");
                    model.take::<V>(p, pool);
                }
            }
            Op::Give {
                class,
                from,
                every,
                reverse,
            } => {
                let pool = pools[class % pools.len()];
                give::<V>(&mut model, pool, from, every, reverse);
            }
        }
        audit::<V>(&model, &pools);
    }
    for &pool in &pools {
        give::<V>(&mut model, pool, 0, 1, pool % 2 == 0);
    }
    audit::<V>(&model, &pools);
    for &pool in &pools {
        let census = shared.centrals()[pool].census();
        assert!(
            census.runs <= V::POLICY.depot.empty_runs && census.runs == census.empty,
            "{census:?}"
        );
        shared.centrals()[pool].release_empty::<V>(shared.heap(), &V::classes()[pool % V::CLASSES]);
        assert_eq!(shared.centrals()[pool].census().runs, 0);
    }
    shared.heap().purge_to(&V::POLICY, 0);
    shared
        .heap()
        .locked(|h| assert_eq!((h.segments, h.free_pages, h.dirty_pages), (0, 0, 0)));
}

fn give<V: Variant>(model: &mut Model, pool: usize, from: usize, every: usize, reverse: bool) {
    let head = model.list::<V>(pool, from, every, reverse);
    // SAFETY: objects of this pool that the model has just let go.
    unsafe { V::shared().centrals()[pool].give::<V>(V::shared().heap(), &V::classes()[pool % V::CLASSES], head) };
}

/// Pages in use are the runs' and nobody else's; runs hold what is out and what is free.
fn audit<V: Variant>(model: &Model, pools: &[usize]) {
    let mut runs = 0;
    for &pool in pools {
        let census = V::shared().centrals()[pool].census();
        let mut own: Vec<usize> = Vec::new();
        for (&at, _) in model.out.iter().filter(|(_, v)| v.1 == pool) {
            // SAFETY: the object is out, so its run is open.
            own.push(unsafe { Run::base(Segment::run_of(at as *const u8)) } as usize);
        }
        own.dedup();
        assert_eq!(
            census.runs as usize,
            own.len() + census.empty as usize,
            "runs with something out, and empty ones"
        );
        assert!(census.empty <= V::POLICY.depot.empty_runs);
        runs += census.runs as usize;
    }
    let pages_used = V::shared().heap().locked(|h| {
        let mut used = 0;
        h.for_each(|segment| used += hz3::core::heap::segment::USABLE - free_pages(segment));
        used
    });
    assert!(
        pages_used >= runs && (runs > 0 || pages_used == 0),
        "{pages_used} pages for {runs} runs"
    );
}

fn free_pages(segment: *mut Segment) -> usize {
    // SAFETY: called with the heap's lock held, for a live segment.
    unsafe { (*segment).free_pages as usize }
}

fn prove<V: Variant>() {
    let config = Config {
        cases: 120,
        failure_persistence: None,
        // A case that fails leaves its objects behind, so that a shorter one would fail for another reason.
        max_shrink_iters: 0,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(op(), 1..40), |ops| {
            case::<V>(&ops);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{}: {e}", V::NAME));
}

#[test]
fn narrow() {
    prove::<Narrow>();
}

#[test]
fn wide() {
    prove::<Wide>();
}

#[test]
fn coloured() {
    prove::<Coloured>();
}

#[test]
fn child() {
    prove::<Child>();
}

#[test]
fn bank() {
    prove::<Bank>();
}

#[test]
fn ring() {
    prove::<Ring>();
}
