//! What a variant's tables and stores make of a profile.

use super::show::{count, head, interval, percent, site, size};
use super::source::Source;
use crate::style;
use hz3_config::Plan;
use hz3_lab::profile::held::{Bytes, Held};
use hz3_lab::profile::waste::{self, ClassWaste, SiteWaste, Waste, Weight};
use hz3_lab::profile::{Estimate, Moment, Profile, Site};

/// Sites that are shown.
const SITES: usize = 10;
/// Classes with less than this share of the waste are not shown.
const SHOWN: f64 = 0.01;

/// A site and its waste.
#[derive(Debug, serde::Serialize)]
pub struct AtSite {
    #[serde(flatten)]
    site: Site,
    wasted: Estimate,
    asked_bytes: f64,
    /// The size with the most waste, and what an object of it takes.
    size_bytes: u64,
    taken_bytes: f64,
}

/// A variant on a profile.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The profile.
    pub profile: String,
    level: hz3_lab::profile::Level,
    /// What is wasted, weighed in each way that the profile knows.
    pub waste: Vec<Waste>,
    /// How the tables below are weighed.
    pub weight: Weight,
    classes: Vec<ClassWaste>,
    sites: Vec<AtSite>,
    /// What stores would hold beside live objects.
    pub held: Held,
}

/// The profile of the moment when the most was in use, where that can be had.
fn peak(source: &Source) -> Option<Profile> {
    source
        .trace
        .as_ref()
        .map(|trace| Profile::of_trace(trace, Moment::Peak))
}

/// What counts most: memory over time, if there is any time.
fn main(weights: &[Weight]) -> Weight {
    let first = weights.first().copied().unwrap_or(Weight::Allocated);
    if weights.contains(&Weight::OverTime) {
        Weight::OverTime
    } else {
        first
    }
}

/// What each of several variants makes of a profile; of a recording, what is in use is what was so at its peak.
fn weighed(plan: &Plan, source: &Source, peak: Option<&Profile>) -> (Vec<Waste>, Held) {
    let end = &source.profile;
    let at = peak.unwrap_or(end);
    let mut weights = waste::weights(end);
    if waste::weights(at).contains(&Weight::InUse) && !weights.contains(&Weight::InUse) {
        weights.insert(0, Weight::InUse);
    }
    let of = |weight| match weight {
        Weight::InUse => Waste::of(plan, at, weight),
        other => Waste::of(plan, end, other),
    };
    (weights.into_iter().map(of).collect(), Held::of(plan, at))
}

impl Report {
    /// Of one variant.
    pub fn of(plan: &Plan, source: &Source) -> Self {
        let (waste, held) = weighed(plan, source, peak(source).as_ref());
        let profile = &source.profile;
        let weight = main(&waste::weights(profile));
        let sites = profile.sites();
        let at_site = |one: SiteWaste| AtSite {
            site: sites.all[one.site].clone(),
            wasted: one.wasted,
            asked_bytes: one.asked,
            size_bytes: one.size.0,
            taken_bytes: one.size.1,
        };
        Self {
            profile: source.name.clone(),
            level: profile.level,
            waste,
            weight,
            classes: waste::by_class(plan, profile, weight),
            sites: waste::wasteful(plan, profile, &sites, weight, SITES)
                .into_iter()
                .map(at_site)
                .collect(),
            held,
        }
    }
}

/// Prints what one variant makes of a profile.
pub fn print(source: &Source, report: &Report) {
    style::print_fields(&head(source));
    println!();
    let recorded = source.trace.is_some();
    let name = |waste: &Waste| match waste.weight {
        Weight::InUse if recorded => "in use at the peak",
        other => other.name(),
    };
    let mut header = vec!["bytes"];
    header.extend(report.waste.iter().map(name));
    let mut table = style::table(&header, 1);
    type Of = fn(&Waste) -> String;
    let rows: [(&str, Of); 7] = [
        ("asked for", |w| size(w.asked.value)),
        ("wasted in objects", |w| size(w.inside.value)),
        ("at ends of runs", |w| size(w.tails.value)),
        ("in large objects' pages", |w| size(w.pages.value)),
        ("wasted, of all taken", |w| format!("{:.2} %", 100.0 * w.share.value)),
        ("95 %", |w| {
            interval(&w.share, |share| format!("{:.2} %", 100.0 * share))
        }),
        ("samples", |w| w.share.samples.to_string()),
    ];
    for (what, of) in rows {
        table.add_row(std::iter::once(what.to_owned()).chain(report.waste.iter().map(of)));
    }
    style::print_table(&table);
    classes(report);
    held(&report.held, recorded);
    sites(report);
}

fn whole(report: &Report) -> f64 {
    report
        .classes
        .iter()
        .map(|class| class.wasted.value)
        .sum::<f64>()
        .max(1.0)
}

fn classes(report: &Report) {
    let whole = whole(report);
    println!(
        "\n{}",
        style::strong(&format!(
            "Waste by class, {} ({})",
            report.weight.name(),
            report.level.word()
        ))
    );
    let mut table = style::table(
        &["class B", "objects", "asked for", "wasted", "share", "95 %", "samples"],
        0,
    );
    let mut rest = (0, 0.0);
    for class in &report.classes {
        if class.wasted.value < SHOWN * whole {
            rest = (rest.0 + 1, rest.1 + class.wasted.value);
            continue;
        }
        table.add_row([
            class.size.map_or("large".to_owned(), |size| size.to_string()),
            count(class.objects.value),
            size(class.asked),
            size(class.wasted.value),
            percent(class.wasted.value / whole),
            interval(&class.wasted, size),
            class.objects.samples.to_string(),
        ]);
    }
    style::print_table(&table);
    if rest.0 > 0 {
        println!(
            "and {} classes with less than 1 % of it each, {} together",
            rest.0,
            size(rest.1)
        );
    }
}

fn held(held: &Held, recorded: bool) {
    let moment = if recorded { "at the peak" } else { "at the end" };
    let title = format!(
        "Held beside that {moment}, for {} classes and {} threads (predicted)",
        held.classes, held.threads
    );
    println!("\n{}", style::strong(&title));
    let mut table = style::table(&["", "likely", "at most"], 1);
    for (what, Bytes { likely, most }) in [
        ("free objects in magazines", held.magazines),
        ("free objects in depots", held.depots),
        ("places of open runs", held.runs),
    ] {
        table.add_row([what.to_owned(), size(likely), size(most)]);
    }
    for (what, bytes) in [
        ("headers of segments, tags", held.headers),
        ("thread blocks", held.blocks),
    ] {
        table.add_row([what.to_owned(), size(bytes), size(bytes)]);
    }
    style::print_table(&table);
}

fn sites(report: &Report) {
    // A recording has no stacks.
    if report.sites.iter().all(|at| at.site.function == "(no stack)") {
        return;
    }
    println!(
        "\n{}",
        style::strong(&format!(
            "Call sites with the most waste, {} ({})",
            report.weight.name(),
            report.level.word()
        ))
    );
    let mut table = style::table(
        &["wasted", "share", "95 %", "samples", "asked for", "mostly", "site"],
        0,
    );
    if let Some(last) = table.column_mut(6) {
        last.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    let whole = whole(report);
    for at in &report.sites {
        table.add_row([
            size(at.wasted.value),
            percent(at.wasted.value / whole),
            interval(&at.wasted, size),
            at.wasted.samples.to_string(),
            size(at.asked_bytes),
            format!("{} in {}", at.size_bytes, at.taken_bytes),
            site(&at.site),
        ]);
    }
    style::print_table(&table);
}

/// A figure of two variants on one profile.
#[derive(Debug, serde::Serialize)]
pub struct Pair {
    /// What it is.
    pub what: String,
    /// Of the one.
    pub a: String,
    /// Of the other.
    pub b: String,
}

/// Two variants on a profile, side by side.
#[derive(Debug, serde::Serialize)]
pub struct Pairs {
    /// The profile.
    pub profile: String,
    /// Figures that differ.
    pub pairs: Vec<Pair>,
    /// Bytes that the second wastes more, for each way of weighing.
    pub more: Vec<(Weight, Estimate)>,
}

/// Compares two variants on a profile.
pub fn compare(a: &Plan, b: &Plan, source: &Source) -> Pairs {
    let peak = peak(source);
    let ((waste_a, held_a), (waste_b, held_b)) = (weighed(a, source, peak.as_ref()), weighed(b, source, peak.as_ref()));
    let mut pairs = Vec::new();
    let mut add = |what: String, a: String, b: String| {
        if a != b {
            pairs.push(Pair { what, a, b });
        }
    };
    let mut more = Vec::new();
    for (x, y) in waste_a.iter().zip(&waste_b) {
        let name = match x.weight {
            Weight::InUse if peak.is_some() => "in use at the peak",
            other => other.name(),
        };
        let share = |w: &Waste| format!("{:.2} %", 100.0 * w.share.value);
        add(format!("wasted, {name}"), share(x), share(y));
        for (what, of) in [
            ("in objects", (|w| &w.inside) as fn(&Waste) -> &Estimate),
            ("at ends of runs", |w| &w.tails),
            ("in large objects' pages", |w| &w.pages),
        ] {
            add(format!("  {what}"), size(of(x).value), size(of(y).value));
        }
        let profile = if x.weight == Weight::InUse {
            peak.as_ref().unwrap_or(&source.profile)
        } else {
            &source.profile
        };
        more.push((x.weight, waste::difference(a, b, profile, x.weight)));
    }
    type Of = fn(&Held) -> Bytes;
    let held: [(&str, Of); 3] = [
        ("magazines", |h| h.magazines),
        ("depots", |h| h.depots),
        ("open runs", |h| h.runs),
    ];
    let both = |bytes: Bytes| format!("{}, at most {}", size(bytes.likely), size(bytes.most));
    for (what, of) in held {
        add(format!("held in {what}"), both(of(&held_a)), both(of(&held_b)));
    }
    for (what, of) in [
        ("headers of segments", (|h| h.headers) as fn(&Held) -> f64),
        ("thread blocks", |h| h.blocks),
    ] {
        add(what.to_owned(), size(of(&held_a)), size(of(&held_b)));
    }
    Pairs {
        profile: source.name.clone(),
        pairs,
        more,
    }
}

/// Prints it.
pub fn print_pairs(source: &Source, pairs: &Pairs, a: &str, b: &str) {
    let title = format!("On {} ({})", source.name, source.profile.level.word());
    if pairs.pairs.is_empty() {
        println!("{title}: no difference\n");
        return;
    }
    let mut table = style::table(&[&title, a, b], 3);
    for pair in &pairs.pairs {
        table.add_row([pair.what.clone(), pair.a.clone(), pair.b.clone()]);
    }
    style::print_table(&table);
    for (weight, more) in &pairs.more {
        println!(
            "{b} wastes {} more than {a}, {} (95 %: {}; {} samples)",
            size(more.value),
            weight.name(),
            interval(more, size),
            more.samples
        );
    }
    println!();
}
