//! The tables of every shipped config, size by size, against a model that knows nothing of how they were made.

mod common;
#[path = "tables/search.rs"]
mod search;

use common::{plan, shipped};
use hz3_config::Plan;
use hz3_config::plan::PAGE;
use search::prove;

#[test]
fn shipped_configs_have_no_gap() {
    shipped().iter().for_each(prove);
}

/// Segments of any length hold the runs that are planned for them, and take a hundredth for their headers.
#[test]
fn segments_of_any_length_hold_their_runs() {
    for mib in [1, 2, 4, 8, 16, 32] {
        for steps in [
            "{ to = 32768, per_doubling = 8 }",
            "{ to = 1024, step = 64 }, { to = 524288, per_doubling = 2 }",
        ] {
            let plan = plan(&format!(
                "[arena]\nsegment = \"{mib}MiB\"\n[classes]\nsteps = [{steps}]"
            ));
            prove(&plan);
            let segment = plan.segment;
            assert_eq!(segment.bytes, mib << 20);
            assert_eq!(
                u64::from(segment.header_pages + segment.usable_pages) * u64::from(PAGE),
                mib << 20
            );
            assert!(
                (90..=120).contains(&(u64::from(segment.header_pages) * 100 * 100 * u64::from(PAGE) / (mib << 20)))
            );
            assert_eq!(segment.feature(), (mib != 2).then(|| format!("segment-{mib}m")));
        }
    }
    // What nobody says leaves nothing behind, and what somebody says makes another allocator.
    let (usual, said, other) = (
        plan(""),
        plan("[arena]\nsegment = \"2MiB\""),
        plan("[arena]\nsegment = \"4MiB\""),
    );
    assert_eq!(usual.code_hash, said.code_hash);
    assert_ne!(usual.code_hash, other.code_hash);
}

#[test]
fn all_forms_of_steps_have_no_gap() {
    for steps in [
        "{ to = 2048, step = 16 }",
        "{ to = 1024, step = 32 }, { to = 65536, per_doubling = 4 }",
        "{ to = 64, step = 16 }, { to = 1048576, per_doubling = 5 }",
        "{ to = 1048576, per_doubling = 1 }",
        "{ to = 100000, per_doubling = 7 }",
        "{ sizes = [16, 48, 112, 2048] }",
        "{ to = 512, step = 16 }, { sizes = [1040, 2064, 4096] }, { to = 16384, step = 4096 }",
        "{ to = 40960, per_doubling = 24 }",
        "{ to = 2048, step = 16 }, { to = 1048576, step = 65536 }",
    ] {
        for width in [16, 32] {
            let body = format!(
                "[classes]\nsteps = [{steps}]\n[tag]\nwidth = {width}\n[runs]\ncoloring = true\n[cache]\nthread_bytes = \"64MiB\"\nthread_floor = \"auto\"\n"
            );
            prove(&plan(&body));
        }
    }
}

#[test]
fn classes_of_8_bytes_have_tables_and_no_library() {
    let sound = plan("");
    assert_eq!((sound.lookup.granule, sound.no_library), (16, None));
    for rest in [
        "steps = [{ to = 128, step = 8 }, { to = 32768, per_doubling = 8 }]",
        "steps = [{ sizes = [24, 40, 56, 2056, 4104] }]\n[lookup]\nfine_max = 2048",
        "steps = [{ to = 40960, per_doubling = 24 }]",
    ] {
        let eight = plan(&format!("[classes]\ngranule = 8\n{rest}\n"));
        prove(&eight);
        let reason = eight.no_library.as_deref().expect("C's malloc cannot have them");
        assert!(reason.contains(":4:11") && reason.contains("granule = 8"), "{reason}");
    }
}

#[test]
fn every_fine_table_meets_its_coarse_table() {
    for fine_max in [2048, 2064, 4096, 5000 / 16 * 16, 8192, 32752, 32768] {
        let body = format!("[lookup]\nfine_max = {fine_max}\n");
        prove(&plan(&body));
    }
    let two = plan("[lookup]\nfine_max = 4096\n");
    let coarse = two.lookup.coarse.as_ref().expect("a coarse table");
    assert_eq!((coarse.shift, coarse.table.len()), (9, 64));
}

/// Whole lines, so that a change of a shipped table shows in review.
#[test]
fn the_ancestors_classes_are_what_they_were() {
    let plans = shipped();
    let find = |name: &str| plans.iter().find(|plan| plan.name == name).expect("it is shipped");
    let sizes = |plan: &Plan| plan.classes.iter().map(|class| class.size).collect::<Vec<_>>();
    let round: Vec<u32> = (1..=128).map(|i| i * 16).chain((1..=8).map(|i| i * 4096)).collect();
    assert_eq!(sizes(find("s22-round4k")), round);
    let mut sub4k = round.clone();
    sub4k.splice(128..128, [2304, 2816, 3328, 3840]);
    let s23 = find("s23-sub4k");
    assert_eq!(sizes(s23), sub4k);
    let band: Vec<(u32, u32)> = s23.classes[128..132]
        .iter()
        .map(|class| (class.run_pages, class.objects))
        .collect();
    assert_eq!(band, [(2, 3), (2, 2), (2, 2), (2, 2)]);
}

#[test]
fn geometric_classes_are_evenly_spaced() {
    let plans = shipped();
    let default = plans.iter().find(|plan| plan.name == "default").expect("it is shipped");
    let mut expected: Vec<u32> = (1..=8).map(|i| i * 16).collect();
    for doubling in 0..8 {
        expected.extend((9..=16).map(|i| i << (doubling + 4)));
    }
    assert_eq!(
        default.classes.iter().map(|class| class.size).collect::<Vec<_>>(),
        expected
    );
    assert!(
        default
            .classes
            .iter()
            .all(|class| class.tail_waste * 16 <= class.run_pages * PAGE)
    );
}

#[test]
fn runs_follow_their_limits() {
    let one = |body: &str, size: u32| {
        let plan = plan(body);
        let class = plan.class_for(u64::from(size)).expect("a class").clone();
        (class.run_pages, class.objects)
    };
    // Nine pages waste 0.7 %; eight would waste 8.6 %.
    assert_eq!(one("", 3328), (9, 11));
    // Fewer objects are enough, but the waste stays bounded.
    assert_eq!(one("[runs]\nmin_objects = 1\nmax_waste_percent = 6.25\n", 3328), (5, 6));
    assert_eq!(one("[runs]\nmin_objects = 1\n", 3328), (9, 11));
    assert_eq!(one("[runs]\nmin_objects = 1\nmax_waste_percent = 50\n", 3328), (1, 1));
    // Out of reach: as many objects as fit, with the least waste, shortest first.
    assert_eq!(one("", 28672), (14, 2));
    assert_eq!(one("[runs]\nmax_pages = 4\n", 28672), (7, 1));
    assert_eq!(
        one("[runs]\noverrides = [{ from = 3000, to = 4000, pages = 13 }]\n", 3328),
        (13, 16)
    );
    assert_eq!(
        one("[sub4k]\nlayout = \"list\"\nsizes = [3328]\nrun_pages = 13\n", 2049),
        (13, 16)
    );
}

#[test]
fn batches_follow_their_bytes() {
    let cache = "[cache]\nbatch_bytes = \"8KiB\"\nbatch_min = 2\nbatch_max = 64\ncarve_bytes = 4096\n";
    let one = |more: &str, size: u32| {
        let plan = plan(&format!("{cache}{more}"));
        let class = plan.class_for(u64::from(size)).expect("a class").clone();
        (class.batch, class.batch_first, class.batch_carve)
    };
    let quick = "first_bytes = 512\n";
    assert_eq!(one(quick, 16), (64, 32, 64));
    assert_eq!(one(quick, 1024), (8, 1, 4));
    assert_eq!(one(quick, 32768), (2, 1, 1));
    assert_eq!(one("slow_start = false\n", 1024), (8, 8, 4));
    assert_eq!(
        one(
            "first_bytes = 512\noverrides = [{ from = 1000, to = 1024, batch = 100 }]\n",
            1024
        ),
        (100, 1, 4)
    );
}

#[test]
fn a_thread_is_bounded_by_its_budget_or_its_batches() {
    let bound = |cache: &str| plan(&format!("[cache]\n{cache}")).cache.bytes_bound(1);
    let full = bound("batch_bytes = \"8KiB\"\nbatch_min = 2\nslow_start = false\nburst_bytes = 0\n");
    assert_eq!(
        bound("batch_bytes = \"8KiB\"\nbatch_min = 2\nthread_bytes = \"1GiB\"\nburst_bytes = 0\n"),
        full
    );
    // Lists of bursts are longer than batches.
    assert!(bound("batch_bytes = \"8KiB\"\nbatch_min = 2\nthread_bytes = \"1GiB\"\n") > full);
    assert_eq!(bound("thread_bytes = \"4MiB\"\nfirst_bytes = 16\n"), 4 << 20);
}

#[test]
fn colouring_takes_only_what_is_left_over() {
    let plan = plan("[runs]\ncoloring = true\n");
    let colored: Vec<_> = plan.classes.iter().filter(|class| class.colors > 1).collect();
    assert!(!colored.is_empty());
    assert!(colored.iter().all(|class| class.align <= 64));
    assert!(
        plan.classes
            .iter()
            .filter(|class| class.tail_waste < 64)
            .all(|class| class.colors == 1)
    );
}

#[test]
fn threads_share_what_one_may_hold_but_for_a_floor() {
    let bound = |cache: &str, threads| {
        let text = format!("[cache]\ncrowd_bytes = \"auto\"\n{cache}");
        plan(&text).cache.bytes_bound(threads)
    };
    let alone = "thread_bytes = \"4MiB\"\nthread_floor = \"auto\"\nfirst_bytes = 16\n";
    assert_eq!(bound(alone, 0), 0);
    assert_eq!(bound(alone, 1000), 4000 << 20);
    let shared = "thread_bytes = \"4MiB\"\nthread_floor = \"1MiB\"\nfirst_bytes = 16\n";
    assert_eq!(bound(shared, 1), 4 << 20);
    // One grew while it was alone, one while there were two.
    assert_eq!(bound(shared, 2), 6 << 20);
    assert_eq!(bound(shared, 3), (6 << 20) + (4 << 20) / 3);
    assert_eq!(bound(shared, 4), (7 << 20) + (4 << 20) / 3);
    assert_eq!(bound(shared, 1000), (1003 << 20) + (4 << 20) / 3);
}

#[test]
fn a_crowd_of_threads_shares_what_32_may_hold() {
    let bound = |threads| {
        let text =
            "[cache]\nthread_bytes = \"2MiB\"\nthread_floor = \"auto\"\nfirst_bytes = 16\ncrowd_bytes = \"64MiB\"\n";
        plan(text).cache.bytes_bound(threads)
    };
    assert_eq!(bound(1), 2 << 20);
    assert_eq!(bound(32), 64 << 20);
    // Each that comes gets a smaller share; those that grew before keep what they have until they next look.
    assert_eq!(bound(33) - bound(32), (64 << 20) / 33);
    // At least 64 KiB each.
    assert_eq!(bound(3000) - bound(2000), 1000 * (64 << 10));
}
