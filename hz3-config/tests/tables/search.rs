//! What is wrong with a plan's tables, found by a search that knows nothing of how they were made.

use std::fmt::Write;

use hz3_config::Plan;
use hz3_config::plan::{ClassId, Ownership, PAGE, SLOT_BYTES};

/// The class of a size: the first that holds it, looked for one by one.
fn naive(plan: &Plan, size: u32) -> Option<ClassId> {
    plan.classes
        .iter()
        .find(|class| class.size >= size)
        .map(|class| class.id)
}

/// The class of a size as generated code finds it.
fn looked_up(plan: &Plan, size: u32) -> Option<ClassId> {
    if size <= plan.lookup.fine_max {
        return plan
            .lookup
            .fine
            .get(size.div_ceil(plan.lookup.granule) as usize)
            .copied();
    }
    let coarse = plan.lookup.coarse.as_ref()?;
    if size > coarse.max {
        return None;
    }
    coarse.table.get(((size - 1) >> coarse.shift) as usize).copied()
}

/// All that is wrong with a plan's tables.
fn faults(plan: &Plan) -> Vec<String> {
    let mut faults = Vec::new();
    let largest = plan.classes.last().map_or(0, |class| class.size);
    let mut previous = ClassId(0);
    for size in 0..=largest + 1 {
        let class = naive(plan, size);
        if looked_up(plan, size) != class {
            faults.push(format!(
                "{size}: the lookup says {:?}, a search {class:?}",
                looked_up(plan, size)
            ));
        }
        let by_plan = plan.class_for(u64::from(size)).map(|class| class.id);
        if by_plan != class {
            faults.push(format!("{size}: the plan says {by_plan:?}, a search {class:?}"));
        }
        let Some(class) = class else {
            if size <= largest {
                faults.push(format!("{size}: no class"));
            }
            continue;
        };
        let row = &plan.classes[usize::from(class.0)];
        if row.size < size {
            faults.push(format!("{size}: class {} is too small", row.size));
        }
        if class < previous {
            faults.push(format!("{size}: its class is below that of {}", size - 1));
        }
        if class.0 > 0 && size > 0 && plan.classes[usize::from(class.0) - 1].size >= size {
            faults.push(format!("{size}: the class below {} holds it too", row.size));
        }
        previous = class;
    }
    if plan.class_for(u64::from(largest) + 1).is_some() || plan.class_for(u64::MAX).is_some() {
        faults.push("a size above the largest class has a class".into());
    }
    for (i, class) in plan.classes.iter().enumerate() {
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("class {i} ({} bytes): {what}", class.size));
            }
        };
        let run = class.run_pages * PAGE;
        let shifts = (class.colors - 1) * 64;
        let offset = u64::from(class.slot_offset);
        check(usize::from(class.id.0) == i, "its id is not its index");
        check(
            class.size % plan.lookup.granule == 0,
            "its size is not a multiple of the granule",
        );
        check(
            i == 0 || plan.classes[i - 1].size < class.size,
            "its size does not rise",
        );
        check(
            (1..=plan.segment.usable_pages).contains(&class.run_pages),
            "its run does not fit a segment",
        );
        check(class.objects >= 1, "its run holds no object");
        check(
            class.objects * class.size + class.tail_waste == run,
            "its run does not add up",
        );
        check(class.tail_waste < class.size, "its run could hold one more");
        check((1..=16).contains(&class.colors), "its colours are out of range");
        check(shifts <= class.tail_waste, "its colours cost objects");
        check(
            class.align.is_power_of_two() && class.align <= PAGE,
            "its alignment is none",
        );
        // Every object of every colour, one by one.
        let aligned = (0..class.colors)
            .flat_map(|color| (0..class.objects).map(move |object| color * 64 + object * class.size))
            .all(|address| address % class.align == 0 && address + class.size <= run);
        check(aligned, "an object is not aligned, or leaves its run");
        check(class.batch >= 1 && class.batch <= 65535, "its batch is out of range");
        check(
            (1..=class.batch).contains(&class.batch_first),
            "its first batch is out of range",
        );
        check(
            (class.batch..=65535).contains(&class.burst),
            "its longest list is out of range",
        );
        // The tag round trip: the offset leads back to the class, and fits its field.
        check(
            offset / u64::from(SLOT_BYTES) == u64::from(class.id.0) + 1,
            "its slot leads elsewhere",
        );
        check(offset % u64::from(SLOT_BYTES) == 0, "its slot is none");
        check(
            offset > 0 && offset < 1 << plan.tag.bin_bits,
            "its slot offset does not fit the tag",
        );
    }
    let bank: u64 = plan
        .classes
        .iter()
        .map(|class| u64::from(class.burst) * u64::from(class.size))
        .sum();
    let depot = plan.classes.iter().zip(&plan.depot.batches);
    let depot: u64 = depot
        .map(|(class, held)| u64::from(class.burst) * u64::from(class.size) * u64::from(*held))
        .sum();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    check(
        plan.classes.first().is_some_and(|class| class.size == 16),
        "the first class is not 16",
    );
    let full = bank * u64::from(plan.policy.cache.magazines);
    let slow = plan.classes.iter().any(|class| class.batch_first < class.batch);
    let bound = if slow { full.min(plan.cache.thread_bytes) } else { full };
    // What a thread holds of other owners' objects: a slot array for each, or a ring of the largest ones.
    let owners = u64::from(plan.ownership.shards);
    let mut remote = 0;
    if plan.ownership.mode == Ownership::OwnerBank {
        for class in &plan.classes {
            let kept = class.batch.min(plan.policy.remote.batch);
            remote += (owners - 1) * u64::from(kept) * u64::from(class.size);
        }
    }
    if plan.ownership.mode == Ownership::OwnerRing {
        remote = u64::from(plan.policy.ownership.ring)
            * plan
                .classes
                .iter()
                .map(|class| u64::from(class.size))
                .max()
                .unwrap_or(0);
    }
    check(
        plan.cache.bytes_bound(1) == bound + remote,
        "the cache's bound is wrong",
    );
    check(plan.depot.bytes_bound == depot * owners, "the depots' bound is wrong");
    check(plan.depot.batches.len() == plan.classes.len(), "a class has no depot");
    check(
        plan.depot.batches.iter().all(|held| *held <= plan.depot.slots),
        "a depot has too few slots",
    );
    check(
        plan.tag.bin_bits + plan.tag.dst_bits <= plan.tag.width,
        "a tag overflows",
    );
    let entries = plan.lookup.fine.len() + plan.lookup.coarse.as_ref().map_or(0, |coarse| coarse.table.len());
    check(
        plan.lookup.bytes as usize == entries * 2,
        "the lookup's bytes are wrong",
    );
    check(
        plan.lookup.fine.len() as u32 == plan.lookup.fine_max / plan.lookup.granule + 1,
        "the fine table's length is wrong",
    );
    if let Some(coarse) = &plan.lookup.coarse {
        check(
            coarse.table.len() as u32 == coarse.max >> coarse.shift,
            "the coarse table's length is wrong",
        );
        check(
            coarse.max == largest,
            "the coarse table does not end at the largest class",
        );
    } else {
        check(
            plan.lookup.fine_max == largest,
            "the fine table does not end at the largest class",
        );
    }
    faults
}

/// Panics with the table if something is wrong with it.
pub fn prove(plan: &Plan) {
    let faults = faults(plan);
    if faults.is_empty() {
        return;
    }
    let mut table = String::new();
    for class in &plan.classes {
        let _ = writeln!(table, "{class:?}");
    }
    let shown: Vec<&String> = faults.iter().take(20).collect();
    panic!(
        "{}: {} faults\n{shown:#?}\n{table}{:?}\n{:?}",
        plan.name,
        faults.len(),
        plan.lookup,
        plan.tag
    );
}
