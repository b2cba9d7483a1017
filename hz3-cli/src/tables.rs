//! A plan as JSON: every number that `explain` shows, with its unit in its name.

use hz3_config::Plan;
use hz3_config::cost::Cost;
use hz3_config::plan::{SLOT_BYTES, TagSpace};
use serde_json::{Value, json};

/// The plan and its cost; bounds are for `threads` threads.
pub fn json(plan: &Plan, cost: &Cost, threads: u64) -> Value {
    json!({
        "name": plan.name,
        "description": plan.description,
        "hypothesis": plan.hypothesis,
        "goal": plan.goal,
        "refuted": plan.refuted,
        "hash": plan.hash.to_string(),
        "code_hash": plan.code_hash.to_string(),
        "files": plan.sources,
        "config": keys(plan),
        "classes": classes(plan, cost),
        "lookup": {
            "fine_max_bytes": plan.lookup.fine_max,
            "fine_entries": cost.lookup.fine_entries,
            "coarse_max_bytes": plan.lookup.coarse.as_ref().map(|c| c.max),
            "coarse_shift": plan.lookup.coarse.as_ref().map(|c| c.shift),
            "coarse_entries": cost.lookup.coarse_entries,
            "bytes": cost.lookup.bytes,
            "cache_lines": cost.lookup.lines,
            "cache_lines_to_1024": cost.lookup.lines_to_1024,
        },
        "tag": {
            "width_bits": plan.tag.width,
            "bin_bits": plan.tag.bin_bits,
            "dst_bits": plan.tag.dst_bits,
            "space": match plan.tag.space { TagSpace::Arena => "arena", TagSpace::Flat => "flat" },
        },
        "tls": { "bytes": cost.tls_bytes, "cache_lines": cost.tls_lines, "slots": plan.all_classes() + 1, "slot_bytes": SLOT_BYTES },
        "thread_body_bytes": cost.thread_body_bytes,
        "waste": {
            "share_to_4096": cost.waste_to_4096,
            "share_to_largest": cost.waste_to_largest,
            "share_sub4k_with_tails": cost.waste_sub4k,
        },
        "bounds": {
            "thread_cache_bytes": cost.thread_cache_bytes,
            "thread_floor_bytes": cost.thread_floor_bytes,
            "thread_crowd_bytes": cost.thread_crowd_bytes,
            "quarantine_bytes": cost.quarantine_bytes,
            "depot_bytes": cost.depot_bytes,
            "sample_bytes": cost.sample_bytes,
            "pen_bytes": cost.pen_bytes,
            "empty_run_bytes": cost.empty_run_bytes,
            "lot_bytes": cost.lot_bytes,
            "threads": threads,
            "total_bytes": plan
                .cache
                .bytes_bound(threads)
                .saturating_add(cost.depot_bytes)
                .saturating_add(cost.empty_run_bytes),
        },
        "metadata": {
            "segment_header_bytes": cost.metadata.segment_header_bytes,
            "segment_share": cost.metadata.segment_share,
            "tag_table_bytes": cost.metadata.tag_table_bytes,
            "tag_bytes_per_segment": cost.metadata.tag_bytes_per_segment,
        },
        "remarks": hz3_config::remarks::of(plan),
        "arena": { "bytes": plan.policy.arena.size, "base": plan.policy.arena.base },
    })
}

fn keys(plan: &Plan) -> Value {
    // The resolved text is hz3-config's own; if it were not TOML the plan would not exist.
    toml::from_str::<toml::Table>(&plan.resolved)
        .ok()
        .and_then(|t| serde_json::to_value(t).ok())
        .unwrap_or(Value::Null)
}

fn classes(plan: &Plan, cost: &Cost) -> Vec<Value> {
    plan.classes
        .iter()
        .zip(&cost.classes)
        .zip(&plan.depot.batches)
        .map(|((class, c), depot)| {
            json!({
                "id": class.id.0,
                "size_bytes": class.size,
                "smallest_request_bytes": c.smallest,
                "average_waste_share": c.average_share,
                "worst_waste_bytes": c.worst_waste,
                "align_bytes": class.align,
                "run_pages": class.run_pages,
                "run_objects": class.objects,
                "tail_waste_bytes": class.tail_waste,
                "tail_waste_share": c.tail_share,
                "bytes_per_object": c.bytes_per_object,
                "saves_nothing": c.saves_nothing,
                "colors": class.colors,
                "batch_objects": class.batch,
                "first_batch_objects": class.batch_first,
                "burst_objects": class.burst,
                "batch_bytes": c.batch_bytes,
                "thread_bytes": c.thread_bytes,
                "depot_batches": depot,
                "depot_bytes": c.depot_bytes,
                "borrow_classes": class.borrow,
                "slot_offset_bytes": class.slot_offset,
            })
        })
        .collect()
}
