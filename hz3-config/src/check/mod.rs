//! From a chain of files to a [`Plan`]: every check, and every derived number.

mod cache;
mod classes;
mod lookup;
mod memory;
mod overrides;
mod prose;
mod runs;
mod tag;
mod unused;

pub(crate) use prose::NAME_MAX;
pub(crate) use unused::condition;

use crate::chain::Chain;
use crate::diagnostic::Sink;
use crate::knob::{Merged, Settings, TOP};
use crate::plan::{
    ArenaPlan, BuildPlan, ClassId, ClassPlan, ConfigHash, HardeningPlan, HotPlan, LargePlan, Ownership, OwnershipPlan,
    PlacementPlan, Plan, PressurePlan, PurgePlan, Relief, SLOT_BYTES, StatsPlan,
};
use crate::source::Source;
use crate::{hash, resolve, support};

/// Checks everything and derives the plan; `None` if a fault was reported, now or before.
pub(crate) fn plan(chain: &Chain, sink: &mut Sink) -> Option<Plan> {
    if !chain.sound {
        return None;
    }
    for (file, source) in chain.sources.iter().enumerate() {
        prose::check(file, source, &chain.entries[file], sink);
    }
    let merged = chain.merge();
    let settings = Settings::new(&merged);
    let unused = unused::check(&merged, &settings, sink);
    let relevant = merged.iter().filter(|(path, _)| !unused.contains(path));
    let relevant: Merged = relevant.map(|(path, entry)| (*path, entry.clone())).collect();
    support::check(&relevant, sink);
    memory::check(&settings, sink);

    let sizes = classes::sizes(&settings, sink);
    let runs = sizes.as_ref().and_then(|sizes| runs::plan(&settings, sizes, sink));
    let lookup = sizes.as_ref().and_then(|sizes| lookup::plan(&settings, sizes, sink));
    let tag = sizes.as_ref().and_then(|sizes| tag::plan(&settings, sizes.len(), sink));
    let batches = cache::batches(&settings, sizes.as_deref(), sink);
    let depot = cache::depot(&settings, sizes.as_deref(), batches.as_deref(), sink);
    if !sink.is_empty() {
        return None;
    }
    let (sizes, runs, batches) = (sizes?, runs?, batches?);
    let classes: Vec<ClassPlan> = (0u16..)
        .zip(sizes.iter().zip(&runs).zip(&batches))
        .map(|(id, ((&size, run), batch))| ClassPlan {
            id: ClassId(id),
            size,
            align: run.align,
            run_pages: run.pages,
            objects: run.objects,
            tail_waste: run.tail_waste,
            colors: run.colors,
            batch: batch.full,
            batch_first: batch.first,
            batch_carve: batch.carve,
            borrow: classes::lenders(&settings, &sizes, size),
            slot_offset: (u32::from(id) + 1) * SLOT_BYTES,
        })
        .collect();
    let cache = cache::plan(&settings, &classes, sink)?;
    let s = settings;
    let shards = if s.ownership.mode.value == Ownership::Adopt {
        1
    } else {
        s.ownership.shards.value
    };
    let ring = if s.ownership.mode.value == Ownership::OwnerRing {
        s.ownership.ring.value
    } else {
        0
    };
    let remote_batch = if s.ownership.mode.value == Ownership::OwnerBank {
        s.remote.batch.value
    } else {
        0
    };
    let quarantine_events = if s.placement.quarantine.value {
        s.placement.quarantine_events.value
    } else {
        0
    };
    let relief = if s.pressure.enabled.value {
        s.pressure.relief.value
    } else {
        Relief::All
    };
    let (budget, reclaim) = if s.pressure.enabled.value {
        (s.pressure.budget.value, s.pressure.reclaim.value)
    } else {
        (0, 0)
    };
    let max_age_ms = if s.large.cache.value > 0 {
        s.large.max_age_ms.value
    } else {
        0
    };
    let resolved = resolve::text(&relevant);
    let mut plan = Plan {
        name: s.top.name.value?,
        description: s.top.description.value?,
        hypothesis: s.top.hypothesis.value,
        refuted: s.top.refuted.value,
        hash: hash(&relevant),
        code_hash: ConfigHash(0),
        resolved,
        sources: chain.sources.iter().map(Source::path).collect(),
        classes,
        lookup: lookup?,
        tag: tag?,
        ownership: OwnershipPlan {
            mode: s.ownership.mode.value,
            shards: narrow(shards),
            ring: narrow(ring),
            remote_batch: narrow(remote_batch),
        },
        cache,
        depot: depot?,
        arena: ArenaPlan {
            size: s.arena.size.value,
            base: s.arena.base.value.unwrap_or(0),
            commit: s.arena.commit.value,
            on_full: s.arena.on_full.value,
            thp: s.arena.thp.value,
        },
        large: LargePlan {
            cache_bytes: s.large.cache.value,
            max_age_ms,
        },
        placement: PlacementPlan {
            order: s.placement.order.value,
            quarantine_events: narrow(quarantine_events),
            pack_tries: narrow(s.placement.pack_tries.value),
        },
        purge: PurgePlan {
            dirty_bytes: s.purge.dirty.value,
            delay_ms: s.purge.delay_ms.value,
            at_thread_exit: s.purge.at_thread_exit.value,
            helper: s.purge.idle.value.0 == "helper",
        },
        pressure: PressurePlan {
            enabled: s.pressure.enabled.value,
            budget_bytes: budget,
            reclaim_bytes: reclaim,
            relief,
        },
        hardening: HardeningPlan {
            foreign: s.hardening.foreign.value,
            double_free: s.hardening.double_free.value,
            encode_links: s.hardening.encode_links.value,
        },
        stats: StatsPlan {
            level: s.stats.level.value,
            exit_report: s.stats.exit_report.value,
        },
        hot: HotPlan {
            prefetch: s.hot.prefetch.value,
        },
        build: BuildPlan { tls: s.build.tls.value },
    };
    plan.code_hash = code_hash(&plan);
    Some(plan)
}

/// The hash of what a config says: of its resolved text without prose, so that a word to people makes no other variant.
fn hash(relevant: &Merged) -> ConfigHash {
    let mut sober = relevant.clone();
    sober.retain(|(group, key), _| *group != TOP || !resolve::PROSE.contains(key));
    hash::of(&resolve::text(&sober))
}

/// The hash of all that reaches the generated code: the plan's numbers, without name, prose, text and files.
fn code_hash(plan: &Plan) -> ConfigHash {
    // Every field is named, so that a new one cannot be forgotten here.
    let Plan {
        name: _,
        description: _,
        hypothesis: _,
        refuted: _,
        resolved: _,
        hash: _,
        code_hash: _,
        sources: _,
        classes,
        lookup,
        tag,
        ownership,
        cache,
        depot,
        arena,
        large,
        placement,
        purge,
        pressure,
        hardening,
        stats,
        hot,
        build,
    } = plan;
    let tables = (classes, lookup, tag, cache, depot);
    let policies = (
        ownership, arena, large, placement, purge, pressure, hardening, stats, hot, build,
    );
    // Fields come out in the order of their declaration.
    hash::of(&serde_json::to_string(&(tables, policies)).unwrap_or_default())
}

/// A number whose knob's range keeps it far below the limit.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
