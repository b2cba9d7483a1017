//! `explain`: the tables of a config and their cost, before anything is built.

use super::Format;
use crate::configs;
use crate::profile::{source, waste};
use crate::style::{self, bytes, roughly};
use crate::tables;
use hz3_config::Plan;
use hz3_config::cost::Cost;
use hz3_config::plan::{LOTS, PAGE, SLOT_BYTES, TagSpace};
use hz3_lab::profile::Moment;
use hz3_project::library::note::keys;
use hz3_project::{Outcome, Place, name};
use std::fmt::Write as _;

/// Arguments of `explain`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A config: the name of a file in configs/, or a path
    #[arg(value_name = "NAME|FILE")]
    name: String,
    /// Threads for which the bound of cached memory is worked out
    #[arg(long, default_value_t = 16, value_name = "T")]
    threads: u64,
    /// A profile or a recording: show what is wasted on its sizes and lifetimes, and what would be held of it
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// Output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs `explain`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let plan = configs::load(&name::config(&place, &arguments.name)?)?;
    let cost = Cost::of(&plan);
    let profile = arguments.profile.as_ref();
    let profile = profile
        .map(|word| source::read(&place, word, Moment::End))
        .transpose()?;
    let on_profile = profile
        .as_ref()
        .map(|source| (source, waste::Report::of(&plan, source)));
    if arguments.format == Format::Json {
        let mut json = tables::json(&plan, &cost, arguments.threads);
        if let Some((_, report)) = &on_profile {
            json["profile"] = serde_json::to_value(report).unwrap_or_default();
        }
        return super::print_json(&json);
    }
    head(&place, &plan);
    section("Classes");
    classes(&plan, &cost);
    section("From size to class");
    lookup(&plan, &cost, on_profile.is_some());
    section("Memory");
    memory(&plan, &cost, arguments.threads);
    if let Some((source, report)) = &on_profile {
        section("On the profile");
        waste::print(source, report);
    }
    section("Policies");
    policies(&plan);
    remarks(&plan);
    configs::report_refuted(&plan);
    Ok(())
}

fn section(title: &str) {
    println!("\n{}", style::strong(title));
}

fn head(place: &Place, plan: &Plan) {
    println!("{}  {}", style::strong(&plan.name), plan.description);
    let mut fields = Vec::new();
    if let Some(hypothesis) = &plan.hypothesis {
        fields.push(("hypothesis", hypothesis.clone()));
    }
    if let Some(goal) = plan.goal {
        fields.push(("goal", goal.word().to_owned()));
    }
    if let Some(refuted) = &plan.refuted {
        fields.push(("refuted", refuted.clone()));
    }
    let sources: Vec<String> = plan.sources.iter().map(|s| place.shown(s)).collect();
    fields.push(("files", sources.join(", which extends ")));
    fields.push(("hash", format!("{}, of the code {}", plan.hash, plan.code_hash)));
    style::print_fields(&fields);
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn classes(plan: &Plan, cost: &Cost) {
    let coloured = plan.classes.iter().any(|c| c.colors > 1);
    let mut header = vec![
        "class", "size B", "from", "waste", "align B", "pages", "objects", "tail B", "tail", "batch", "first", "burst",
        "thread B", "depot", "borrow", "slot", "",
    ];
    if coloured {
        header.push("colours");
    }
    let mut table = style::table(&header, 0);
    for ((class, c), depot) in plan.classes.iter().zip(&cost.classes).zip(&plan.depot.batches) {
        let mut row = vec![
            class.id.0.to_string(),
            class.size.to_string(),
            c.smallest.to_string(),
            percent(c.average_share),
            class.align.to_string(),
            class.run_pages.to_string(),
            class.objects.to_string(),
            class.tail_waste.to_string(),
            percent(c.tail_share),
            class.batch.to_string(),
            class.batch_first.to_string(),
            class.burst.to_string(),
            c.thread_bytes.to_string(),
            depot.to_string(),
            class.borrow.to_string(),
            class.slot_offset.to_string(),
            if c.saves_nothing { "=" } else { "" }.to_owned(),
        ];
        if coloured {
            row.push(class.colors.to_string());
        }
        table.add_row(row);
    }
    style::print_table(&table);
    println!(
        "from: smallest request, in bytes; waste: mean unused share of an object; pages, objects, tail: of a run; batch,\n\
         first, burst: objects of a full batch, of a thread's first, and of its longest list; thread: most bytes that one\n\
         thread holds; depot: most batches that wait there; borrow: larger classes that serve before the heap grows;\n\
         slot: byte offset in a slot array; =: saves no memory, as an object of the next larger class takes no more of its run"
    );
}

/// `known`: the sizes that are asked for are known, so that nobody need take each for equally likely.
fn lookup(plan: &Plan, cost: &Cost, known: bool) {
    let (tables, tag) = (&cost.lookup, &plan.tag);
    let fine = bytes(u64::from(plan.lookup.fine_max));
    let mut fields = vec![(
        "up to",
        format!(
            "{fine}: table of {} entries by (n + {}) / {}",
            tables.fine_entries,
            plan.lookup.granule - 1,
            plan.lookup.granule
        ),
    )];
    if let Some(coarse) = &plan.lookup.coarse {
        let (most, step) = (bytes(u64::from(coarse.max)), 1u64 << coarse.shift);
        let entries = tables.coarse_entries;
        fields.push((
            "above",
            format!("to {most}: table of {entries} entries by (n - 1) / {step}"),
        ));
    }
    let space = match tag.space {
        TagSpace::Arena => "a table over the arena, so free checks the range",
        TagSpace::Flat => "a table over the whole address space, so free checks no range",
    };
    let largest = bytes(plan.classes.last().map_or(0, |c| u64::from(c.size)));
    let (small, all) = (percent(cost.waste_to_4096), percent(cost.waste_to_largest));
    fields.extend([
        (
            "tables",
            format!(
                "{} B in {} cache lines; requests up to 1 KiB touch {}",
                tables.bytes, tables.lines, tables.lines_to_1024
            ),
        ),
        (
            "page tag",
            format!(
                "{} bits: {} for the bin, {} for the owner above; {space}",
                tag.width, tag.bin_bits, tag.dst_bits
            ),
        ),
    ]);
    if !known {
        fields.push((
            "waste",
            format!("{small} of requests of 1 B to 4 KiB, each size equally likely"),
        ));
        fields.push(("", format!("{all} of requests of 1 B to {largest}")));
    }
    if let Some(share) = cost.waste_sub4k.filter(|_| !known) {
        let share = percent(share);
        fields.push((
            "",
            format!("{share} of requests of 2049 to 4095 B, the tails of runs included"),
        ));
    }
    style::print_fields(&fields);
}

fn memory(plan: &Plan, cost: &Cost, threads: u64) {
    let threads_bytes = plan.cache.bytes_bound(threads);
    let exactly = |n: u64| format!("{n} B ({})", roughly(n));
    let (alone, floor) = (cost.thread_cache_bytes, cost.thread_floor_bytes);
    let who = if plan.policy.per_cpu() {
        "a processor"
    } else {
        "a thread"
    };
    let mut thread = format!("{who} holds at most {}", exactly(alone));
    if floor < alone {
        let _ = write!(thread, " alone, each of many {}", exactly(floor));
    }
    if cost.thread_crowd_bytes < floor {
        let _ = write!(thread, ", each of a crowd {}", exactly(cost.thread_crowd_bytes));
    }
    let all = threads_bytes
        .saturating_add(cost.depot_bytes)
        .saturating_add(cost.empty_run_bytes);
    let (tags, arena) = (&cost.metadata, &plan.policy.arena);
    if cost.quarantine_bytes > 0 {
        let quarantine = exactly(cost.quarantine_bytes);
        let _ = write!(thread, "; its quarantine at most {quarantine}");
    }
    let mut fields = vec![
        ("thread-local storage", local(plan, cost)),
        ("mapped with a thread", outside(plan)),
        ("free objects", thread),
        ("", format!("all depots at most {}", exactly(cost.depot_bytes))),
        (
            "",
            format!("empty runs in central at most {}", exactly(cost.empty_run_bytes)),
        ),
        (
            "",
            match cost.lot_bytes {
                0 => "no lots".to_owned(),
                n => format!(
                    "free pages in all {LOTS} lots at most {}, where threads meet at the page heap",
                    exactly(n)
                ),
            },
        ),
        (
            "",
            if plan.policy.per_cpu() {
                format!("together on {threads} processors at most {}", exactly(all))
            } else {
                format!("together with {threads} threads at most {}", exactly(all))
            },
        ),
        (
            "segment",
            format!(
                "{}: {} pages of {PAGE} B for objects, header {} B ({})",
                bytes(plan.segment.bytes),
                plan.segment.usable_pages,
                tags.segment_header_bytes,
                percent(tags.segment_share)
            ),
        ),
        (
            "page tags",
            format!(
                "{} of address space, {} B for each segment in use",
                bytes(tags.tag_table_bytes),
                tags.tag_bytes_per_segment
            ),
        ),
        (
            "arena",
            format!("{} reserved, {}", bytes(arena.size as u64), base(arena.base)),
        ),
    ];
    if cost.sample_bytes > 0 {
        let (tables, stats) = (exactly(cost.sample_bytes), &plan.policy.stats);
        let most = u64::from(stats.samples).next_power_of_two();
        fields.push((
            "samples",
            format!(
                "tables at most {tables}, of which what is used is backed; {most} objects at a time, those of a class in pages\n\
                 of their own: one in {} that are in use",
                bytes(stats.sample_bytes)
            ),
        ));
    }
    let kept = plan.policy.hardening.quarantine_large as u64;
    if kept > 0 {
        fields.push((
            "freed large objects",
            format!("wait in at most {} of address space, none of it memory", bytes(kept)),
        ));
    }
    if cost.pen_bytes > 0 {
        let hardening = &plan.policy.hardening;
        fields.push((
            "guarded",
            format!(
                "at most {} for {} objects at a time: one in {} that come to threads",
                exactly(cost.pen_bytes),
                hardening.guarded / 2,
                bytes(hardening.guarded_bytes)
            ),
        ));
    }
    style::print_fields(&fields);
}

/// What a thread has in its block.
fn local(plan: &Plan, cost: &Cost) -> String {
    let (bytes, lines, slots) = (cost.tls_bytes, cost.tls_lines, plan.all_classes() + 1);
    let inside = if plan.policy.per_cpu() {
        "slots are processors'".to_owned()
    } else if plan.ownership.mode.has_bank() {
        "its slots are outside".to_owned()
    } else {
        format!("{slots} slots of {SLOT_BYTES} B among them")
    };
    format!("{bytes} B a thread in {lines} cache lines ({inside})")
}

/// What a thread has outside of its block.
fn outside(plan: &Plan) -> String {
    let room = hz3_config::cost::room(plan);
    if room.bytes == 0 {
        room.holds
    } else {
        format!("{} B: {}", room.bytes, room.holds)
    }
}

fn base(base: usize) -> String {
    if base == 0 {
        "where the kernel likes".to_owned()
    } else {
        format!("at {base:#x} if that is free")
    }
}

fn remarks(plan: &Plan) {
    let remarks = hz3_config::remarks::of(plan);
    if remarks.is_empty() {
        return;
    }
    section("Remarks");
    for remark in remarks {
        println!("{}", remark.text);
    }
}

fn policies(plan: &Plan) {
    // The resolved config says them in the words that a user would write; tables above have said the rest.
    let shown = [
        "ownership",
        "cache.",
        "arena.",
        "large.",
        "purge.",
        "pressure.",
        "hardening.",
        "placement.",
        "stats",
        "hot.",
    ];
    let keys = keys(&plan.resolved);
    let fields: Vec<(&str, String)> = keys
        .iter()
        .filter(|(key, _)| shown.iter().any(|prefix| key.starts_with(prefix)))
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    style::print_fields(&fields);
}
