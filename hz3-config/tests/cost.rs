//! The cost model against sums over every single size.

mod common;

use common::{plan, shipped};
use hz3_config::Plan;
use hz3_config::cost::{Cost, thread_block_bytes};
use hz3_config::plan::Ownership;
use hz3_config::plan::PAGE;

fn close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1e-9, "{what}: {a} is not {b}");
}

/// The share that requests of these sizes, one of each, leave unused.
fn waste(plan: &Plan, sizes: std::ops::RangeInclusive<u32>, with_tails: bool) -> f64 {
    let (mut asked, mut used) = (0.0, 0.0);
    for size in sizes {
        let class = plan.classes.iter().find(|class| class.size >= size).expect("a class");
        asked += f64::from(size);
        used += if with_tails {
            f64::from(class.run_pages * PAGE) / f64::from(class.objects)
        } else {
            f64::from(class.size)
        };
    }
    1.0 - asked / used
}

#[test]
fn waste_is_what_a_sum_over_all_sizes_gives() {
    for plan in shipped() {
        let cost = Cost::of(&plan);
        let largest = plan.largest();
        close(cost.waste_to_4096, waste(&plan, 1..=4096, false), &plan.name);
        close(cost.waste_to_largest, waste(&plan, 1..=largest, false), &plan.name);
        close(
            cost.waste_sub4k.expect("a band"),
            waste(&plan, 2049..=4095, true),
            &plan.name,
        );
    }
}

#[test]
fn each_class_is_what_a_sum_over_its_sizes_gives() {
    for plan in shipped() {
        let cost = Cost::of(&plan);
        assert_eq!(cost.classes.len(), plan.classes.len());
        let mut low = 1;
        for (class, row) in plan.classes.iter().zip(&cost.classes) {
            let sizes = low..=class.size;
            let wasted: u32 = sizes.clone().map(|size| class.size - size).sum();
            assert_eq!((row.size, row.smallest), (class.size, low), "{}", plan.name);
            close(
                row.average_waste,
                f64::from(wasted) / f64::from(sizes.count() as u32),
                &plan.name,
            );
            assert_eq!(row.worst_waste, class.size - low);
            low = class.size + 1;
        }
        let depots: u64 = cost.classes.iter().map(|row| row.depot_bytes).sum();
        assert_eq!(
            depots * u64::from(plan.ownership.shards),
            cost.depot_bytes,
            "{}",
            plan.name
        );
        let held: u64 = cost.classes.iter().map(|row| row.thread_bytes).sum();
        if plan.ownership.mode == Ownership::Adopt {
            assert!(cost.thread_cache_bytes <= held, "{}", plan.name);
        }
    }
}

#[test]
fn the_default_keeps_its_promises() {
    let plans = shipped();
    let default = plans.iter().find(|plan| plan.name == "default").expect("it is shipped");
    let cost = Cost::of(default);
    assert!(cost.tls_bytes <= 4096, "a thread's block has {} bytes", cost.tls_bytes);
    assert!(
        cost.lookup.bytes <= 5 << 10,
        "the lookup has {} bytes",
        cost.lookup.bytes
    );
    assert!(cost.waste_to_largest < 0.05 && cost.waste_sub4k.is_some_and(|waste| waste < 0.06));
}

/// What S23 is about: the ancestor's sub-4K classes hardly saved memory, because of their runs.
#[test]
fn two_page_runs_eat_what_four_classes_save() {
    let plans = shipped();
    let band = |name: &str| {
        let plan = plans.iter().find(|plan| plan.name == name).expect("it is shipped");
        Cost::of(plan).waste_sub4k.expect("a band")
    };
    assert!(band("s22-round4k") - band("s23-sub4k") < 0.04);
    assert!(band("s22-round4k") - band("default") > 0.15);
}

#[test]
fn small_numbers_by_hand() {
    let plan = plan("[classes]\nsteps = [{ sizes = [32, 2048] }]\n[lookup]\nfine_max = 2048\n");
    let cost = Cost::of(&plan);
    // Three slots and spares of 24 bytes, 88 bytes of state: 160 bytes, in three lines.
    assert_eq!((cost.tls_bytes, cost.tls_lines), (192, 3));
    assert_eq!(thread_block_bytes(72), 1856);
    assert_eq!((cost.lookup.fine_entries, cost.lookup.coarse_entries), (129, 0));
    assert_eq!((cost.lookup.bytes, cost.lookup.lines), (258, 5));
    assert_eq!(cost.metadata.segment_header_bytes, 20480);
    assert_eq!(
        (cost.metadata.tag_table_bytes, cost.metadata.tag_bytes_per_segment),
        (32 << 20, 1024)
    );
    assert_eq!(cost.waste_sub4k, None);
    close(cost.classes[0].average_waste, 7.5, "16 bytes");
    close(cost.classes[1].average_share, 7.5 / 32.0, "32 bytes");
}

#[test]
fn a_cost_can_be_serialized() {
    let text = serde_json::to_string(&Cost::of(&plan(""))).expect("JSON");
    assert!(text.contains("\"tls_bytes\""));
    let text = serde_json::to_string(&plan("")).expect("JSON");
    assert!(text.contains("\"mode\":\"adopt\"") && text.contains("\"code_hash\":\""));
}

#[test]
fn classes_that_save_nothing_are_told() {
    for plan in shipped() {
        let cost = Cost::of(&plan);
        let mut idle = 0;
        for (class, row) in plan.classes.iter().zip(&cost.classes) {
            // What the requests of this class would take, one each, if it were left out.
            let with = class.run_pages as f64 / class.objects as f64;
            let next = plan.classes.get(usize::from(class.id.0) + 1);
            let without = next.map_or(f64::INFINITY, |next| next.run_pages as f64 / next.objects as f64);
            assert_eq!(row.saves_nothing, without <= with, "{} {}", plan.name, class.size);
            idle += u32::from(row.saves_nothing);
        }
        let about = |word: &str| {
            hz3_config::remarks::of(&plan)
                .into_iter()
                .find(|remark| remark.about == word)
        };
        let note = about("classes-save-nothing");
        let start = format!("{idle} of {} classes save", plan.classes.len());
        assert_eq!(note.is_some(), idle > 0, "{}", plan.name);
        assert!(note.is_none_or(|note| note.text.starts_with(&start)), "{}", plan.name);
        let flat = plan.tag.space == hz3_config::plan::TagSpace::Flat;
        assert_eq!(about("flat-address-space").is_some(), flat, "{}", plan.name);
        match plan.name.as_str() {
            "compact" => assert_eq!((idle, plan.classes.len()), (0, 72)),
            "hz3-fast" => assert_eq!((idle, plan.classes.len()), (73, 136)),
            "flat" => assert!(
                about("flat-address-space")
                    .expect("a remark")
                    .text
                    .contains("needs 64 GiB")
            ),
            _ => {}
        }
    }
}

#[test]
fn a_flat_table_covers_the_address_space() {
    for (width, bytes) in [(16, 64u64 << 30), (32, 128 << 30)] {
        let plan = plan(&format!("[tag]\nspace = \"flat\"\nwidth = {width}\n"));
        assert_eq!(Cost::of(&plan).metadata.tag_table_bytes, bytes);
    }
}
