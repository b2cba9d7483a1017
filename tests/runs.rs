//! Central and its runs against a model: every object is handed out once, lies where its run says, and when all are back
//! the runs are closed and the pages free.
//!
//! Each variant is used by one test alone, as the model knows of no objects but its own.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Child, Coloured, Narrow, Ring, Wide};
use hz3::core::heap::run::Run;
use hz3::core::heap::segment::Segment;
use hz3::core::heap::sparse::{List, Search};
use hz3::core::list::{self, Batch};
use hz3::core::os::PAGE;
use hz3::core::policy::Pool;
use hz3::core::{Shared, Variant};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

hz3::variant!(Random = "tests/fixtures/random.toml");

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
        /// And give pages back that no object in use lies in.
        search: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (any::<usize>(), 1u32..200).prop_map(|(class, want)| Op::Take(class, want)),
        (any::<usize>(), any::<usize>(), 1usize..5, any::<bool>(), any::<bool>()).prop_map(
            |(class, from, every, reverse, search)| Op::Give {
                class,
                from,
                every,
                reverse,
                search
            }
        ),
    ]
}

/// What is out.
#[derive(Default)]
struct Model {
    /// Bytes of each object, by its address.
    out: BTreeMap<usize, usize>,
    /// The objects of each pool by their runs.
    runs: BTreeMap<usize, BTreeMap<usize, BTreeSet<usize>>>,
}

/// The run of an object that is out: the address of its first page.
fn run_of(at: usize) -> usize {
    // SAFETY: the object is out, so its run is open and its descriptor stands still.
    unsafe { Run::base(Segment::run_of(at as *const u8)) as usize }
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
        if let Some((&other, &bytes)) = below {
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
        self.out.insert(at, size);
        let runs = self.runs.entry(pool).or_default();
        runs.entry(run_of(at)).or_default().insert(at);
    }

    /// The runs of a pool that have something out, with that.
    fn runs(&self, pool: usize) -> impl Iterator<Item = (usize, &BTreeSet<usize>)> {
        self.runs.get(&pool).into_iter().flatten().map(|(run, out)| (*run, out))
    }

    /// The objects of a pool that go back, linked into a list.
    fn list<V: Variant>(&mut self, pool: usize, from: usize, every: usize, reverse: bool) -> Batch {
        let mut of_pool: Vec<usize> = self.runs(pool).flat_map(|(_, out)| out).copied().collect();
        of_pool.sort_unstable();
        let start = from % of_pool.len().max(1);
        let mut chosen: Vec<usize> = of_pool.into_iter().skip(start).step_by(every).collect();
        if reverse {
            chosen.reverse();
        }
        let count = chosen.len() as u32;
        let mut head = std::ptr::null_mut();
        for at in chosen {
            let size = self.out.remove(&at).expect("it is out");
            let run = run_of(at);
            let runs = self.runs.get_mut(&pool).expect("it has something out");
            let out = runs.get_mut(&run).expect("the run that it came from");
            assert!(out.remove(&at), "{at:#x} came from another run");
            if out.is_empty() {
                runs.remove(&run);
            }
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
        Batch { head, count }
    }
}

/// The pools that a case uses: small ones, the smallest with several pages, medium and large classes of the first and the last owner.
fn pools<V: Variant>() -> Vec<usize> {
    let last = V::CLASSES - 1;
    let long = V::classes()
        .iter()
        .position(|class| class.run_pages > 1)
        .unwrap_or(last);
    let mut pools: Vec<usize> = [0, V::SHARDS - 1]
        .into_iter()
        .flat_map(|owner| [0, 3, long, last / 2, last - 1, last].map(|class| owner * V::CLASSES + class))
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
                // A trip brings the objects of a page at most.
                for trip in 0..3 {
                    take::<V>(&mut model, pools[class % pools.len()], want << trip);
                }
            }
            Op::Give {
                class,
                from,
                every,
                reverse,
                search: also,
            } => {
                let pool = pools[class % pools.len()];
                give::<V>(&mut model, pool, from, every, reverse);
                if also {
                    search::<V>(&model, pool);
                }
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

fn take<V: Variant>(model: &mut Model, pool: usize, want: u32) {
    let shared = V::shared();
    // SAFETY: the pool's own central and class.
    let (mut batch, bad) = unsafe {
        let reach = hz3::core::heap::Reach::System;
        shared.centrals()[pool].take::<V>(shared.heap(), reach, Pool::new(pool), want)
    };
    assert_eq!(bad, None);
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

fn give<V: Variant>(model: &mut Model, pool: usize, from: usize, every: usize, reverse: bool) {
    let batch = model.list::<V>(pool, from, every, reverse);
    // SAFETY: objects of this pool that the model has just let go.
    let bad = unsafe { V::shared().centrals()[pool].give::<V>(V::shared().heap(), Pool::new(pool), batch) };
    assert_eq!(bad, None);
}

/// All pages of runs are given back in which no object in use lies, whoever has the objects that reach into them.
fn search<V: Variant>(model: &Model, pool: usize) {
    let (central, heap) = (&V::shared().centrals()[pool], V::shared().heap());
    for list in [List::Sparse, List::Main] {
        let mut begin = true;
        loop {
            let search = Search {
                list,
                begin,
                most: 50,
                old: false,
                empty: false,
            };
            // SAFETY: the pool's own central.
            let searched = unsafe { central.search::<V>(heap, Pool::new(pool), search) };
            begin = false;
            if searched.over {
                break;
            }
        }
    }
    let found = holes::<V>(model, pool);
    assert_eq!(central.census().holes, found);
    FOUND.set(FOUND.get() + found);
}

/// Pages of runs in which nothing but objects lies that were handed out before, and are back.
fn holes<V: Variant>(model: &Model, pool: usize) -> u32 {
    let size = V::classes()[pool % V::CLASSES].size as usize;
    let mut found = 0;
    for (base, out) in model.runs(pool) {
        // SAFETY: it has something out, so it is open.
        let (pages, shift, carved, capacity) = unsafe {
            let run = Segment::run_of(base as *const u8);
            let shift = (*run).shift as usize * 16;
            ((*run).pages, shift, (*run).carved, (*run).capacity)
        };
        let mut in_use = vec![false; pages as usize];
        for at in out {
            let at = at - base;
            in_use[at / PAGE..=(at + size - 1) / PAGE].fill(true);
        }
        for (page, _) in in_use.iter().enumerate().filter(|(_, used)| !**used) {
            let here = |object: &usize| {
                let begin = shift + object * size;
                begin < (page + 1) * PAGE && begin + size > page * PAGE
            };
            let last = (0..capacity as usize).rfind(here);
            found += u32::from(last.is_some_and(|last| last < carved as usize));
        }
    }
    found
}

/// Pages in use are the runs' and nobody else's; runs hold what is out and what is free.
fn audit<V: Variant>(model: &Model, pools: &[usize]) {
    let mut runs = 0;
    for &pool in pools {
        let census = V::shared().centrals()[pool].census();
        let own = model.runs(pool).count();
        assert_eq!(
            census.runs as usize,
            own + census.empty as usize,
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

thread_local! {
    /// Pages that were given back in a test.
    static FOUND: Cell<u32> = const { Cell::new(0) };
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
    // All but three objects of a class go back, and others come out of the pages that were given back.
    for class in 0..pools::<V>().len() {
        let give = |from| Op::Give {
            class,
            from,
            every: 1,
            reverse: true,
            search: true,
        };
        let take = || Op::Take(class, 190);
        case::<V>(&[take(), take(), give(3), take(), give(2), give(1), take(), give(5)]);
    }
    assert!(FOUND.get() > 0, "no page was given back: the test shows nothing");
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

#[test]
fn random() {
    prove::<Random>();
}
