//! From a chain of files to a [`Plan`]: every check, and every derived number.

mod cache;
mod classes;
mod lookup;
mod memory;
mod nodes;
mod overrides;
mod per;
mod prose;
mod record;
mod runs;
mod tag;
mod unused;

pub(crate) use prose::NAME_MAX;
pub(crate) use unused::condition;

use crate::chain::Chain;
use crate::diagnostic::Sink;
use crate::knob::{Merged, Settings, TOP};
use crate::plan::{
    BuildPlan, ClassId, ClassPlan, ConfigHash, DoubleFree, HotPlan, OwnershipPlan, Plan, Policy, Record, SLOT_BYTES,
    SegmentPlan, StatsPlan, Tls,
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
    nodes::check(&settings, sink);
    classes::exact(&settings, sink);
    record::check(&settings, sink);
    per::check(&settings, sink);

    let sizes = classes::sizes(&settings, sink);
    if let Some(sizes) = &sizes {
        classes::groups(&settings, sizes, sink);
        memory::kept(&settings, sizes, sink);
    }
    let runs = sizes.as_ref().and_then(|sizes| runs::plan(&settings, sizes, sink));
    let lookup = sizes.as_ref().and_then(|sizes| lookup::plan(&settings, sizes, sink));
    let tag = sizes
        .as_ref()
        .and_then(|sizes| tag::plan(&settings, sizes.len() * classes::rows(&settings), sink));
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
            burst: batch.burst,
            batch_carve: batch.carve,
            borrow: classes::lenders(&settings, &sizes, size),
            slot_offset: (u32::from(id) + 1) * SLOT_BYTES,
        })
        .collect();
    let no_library = classes::no_library(&settings, &chain.sources);
    let no_shared = no_shared(&settings, &chain.sources);
    let cache = cache::plan(&settings, &classes, sink)?;
    let shards = narrow(owners(&settings));
    let s = settings;
    let resolved = resolve::text(&relevant);
    let mut plan = Plan {
        name: s.top.name.value?,
        description: s.top.description.value?,
        hypothesis: s.top.hypothesis.value,
        goal: s.top.goal.value,
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
            shards,
        },
        cache,
        depot: depot?,
        policy: Policy::new(&merged, &unused),
        stats: StatsPlan {
            level: s.stats.level.value,
            exit_report: s.stats.exit_report.value,
            record: s.stats.record.value,
            record_bytes: s.stats.record_bytes.value,
            profile_path: s
                .stats
                .profile_path
                .value
                .filter(|_| s.stats.record.value != Record::Off),
        },
        hot: HotPlan {
            prefetch: s.hot.prefetch.value,
            encode_links: s.hardening.encode_links.value,
            double_free_head: matches!(s.hardening.double_free.value, DoubleFree::Head | DoubleFree::List),
            interior: s.hardening.interior.value,
        },
        segment: SegmentPlan::of(s.arena.segment.value),
        build: BuildPlan {
            optimize: s.build.optimize.value,
            tls: s.build.tls.value,
        },
        no_library,
        no_shared,
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
        goal: _,
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
        policy,
        stats,
        hot,
        segment,
        build,
        // They follow from the lookup and the build.
        no_library: _,
        no_shared: _,
    } = plan;
    let tables = (classes, lookup, tag, cache, depot);
    let policies = (ownership, policy, stats, hot, build);
    // Fields come out in the order of their declaration.
    let mut text = serde_json::to_string(&(tables, policies)).unwrap_or_default();
    text.extend(segment.feature());
    hash::of(&text)
}

/// Why no shared library can be made of it; `None` if one can.
fn no_shared(settings: &Settings, sources: &[Source]) -> Option<String> {
    let tls = &settings.build.tls;
    if tls.value != Tls::LocalExec {
        return None;
    }
    let mut sink = Sink::default();
    let message = "no shared library can be made of a config with `tls = \"local-exec\"`: only a program's linker knows the distance";
    let help = "make its archive by `cargo hz3 build --static`, link it into a Rust program by `hz3::variant!`, or set `build.tls` to \"initial-exec\"";
    sink.error(tls.at, message, "", help);
    sink.finish(sources).map(|faults| faults.render(false))
}

/// Owners of runs.
fn owners(settings: &Settings) -> u64 {
    let group = &settings.ownership;
    group.mode.value.owners(group.shards.value)
}

/// A number whose knob's range keeps it far below the limit.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
