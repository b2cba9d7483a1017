//! Whatever fits recordings.

use super::owners::{self, Ways};
use super::{Evidence, Format, Input, demands, list, print_curve, share, size};
use crate::style;
use hz3_lab::fit::search::{Figures, Finding, Found, Priced, Search, is_finer};
use hz3_lab::fit::{self, Demand, Fit, Prediction, Strides};
use hz3_lab::trace::Trace;
use hz3_project::Error;
use std::fmt::Write as _;
use std::time::Duration;

/// What was fitted, to what.
#[derive(serde::Serialize)]
struct Report<'a> {
    base: &'a str,
    threads: u64,
    from: &'a [Evidence],
    /// What was found, key by key.
    #[serde(flatten)]
    found: &'a Found,
    /// How fewer or more classes would do.
    curve: &'a [fit::Point],
    /// Frees and resizes by another thread than the one that made the object, as a share.
    remote: f64,
    /// What the config is expected to change; none where the base is best.
    prediction: Option<Prediction>,
    /// Who had better own what is freed, where that was asked.
    owners: &'a Option<Ways>,
    /// The config; none where the base is best.
    config: &'a Option<String>,
}

/// From this share of frees by other threads on, who owns objects may matter.
const REMOTE: f64 = 0.01;

/// Searches.
fn search(
    input: &Input<'_>,
    traces: &[Trace],
    (demands, witnesses): (&[Demand], &[Demand]),
    strides: &Strides,
) -> Result<Found, Error> {
    Search::new(traces, demands, &input.parent(), &input.base, strides)
        .witnessed(witnesses)
        .run()
        .ok_or_else(|| Error::bad_input(format!("{} cannot be extended", input.base.name)))
}

/// Fits. Returns the config; none where the base is best.
pub fn config_of(input: &Input<'_>, traces: &[Trace]) -> Result<Option<String>, Error> {
    let demands = demands(input, traces);
    let found = search(input, traces, (&demands, &[]), &input.strides()?)?;
    Ok(found.changes().then(|| config(input, &found, &demands)))
}

/// Fits, and shows what came of it. Returns the config; none where the base is best. Nothing is fitted to `witnesses`, which are of
/// profiles: they judge classes. Replays may take so long, if there shall be any.
pub fn run(
    input: &Input<'_>,
    traces: &[Trace],
    witnesses: &[Demand],
    replays: Option<Duration>,
    format: Format,
) -> Result<Option<String>, Error> {
    let strides = input.strides()?;
    let mut demands = demands(input, traces);
    for demand in &mut demands {
        demand.aligned.extend(witnesses.iter().flat_map(|one| &one.aligned));
    }
    let found = search(input, traces, (&demands, witnesses), &strides)?;
    let fit = fit::fit(&demands, &input.sizes(), &strides);
    let remote = remote(traces);
    let mut config = found.changes().then(|| config(input, &found, &demands));
    let ways = match replays {
        Some(_) if traces.iter().all(|trace| trace.threads() < 2) => {
            eprintln!(
                "{}: nothing is replayed for --owners: whatever is freed was made by the same thread",
                style::note("note")
            );
            None
        }
        Some(budget) => Some(owners::replay(input, traces, config.as_deref(), budget)?),
        None => None,
    };
    if let Some(ways) = &ways {
        config = match config {
            Some(text) => Some(text + &ways.lines(input).unwrap_or_default()),
            None => ways.alone(input),
        };
    }
    if format == Format::Json {
        let report = Report {
            base: &input.base.name,
            threads: input.threads,
            from: &input.evidence,
            found: &found,
            curve: &fit.curve,
            remote,
            owners: &ways,
            prediction: found.changes().then(|| Prediction::of(&found)),
            config: &config,
        };
        crate::commands::print_json(&report)?;
    } else {
        print(input, &found, &fit, remote);
        if let Some(ways) = &ways {
            ways.print(&input.base.name);
        } else if input.threads > 1 && remote >= REMOTE {
            println!("who owns what is freed may matter to it: --owners 3m replays it under each way");
        }
    }
    Ok(config)
}

/// How many of the objects that went were made by another thread.
fn remote(traces: &[Trace]) -> f64 {
    let all = traces.iter().map(hz3_lab::trace::summary);
    let (remote, frees) = all.fold((0, 0), |sum, one| {
        (sum.0 + one.remote_frees, sum.1 + one.frees + one.resizes)
    });
    remote as f64 / frees.max(1) as f64
}

/// Milliseconds, signed.
fn milliseconds(nanoseconds: f64) -> String {
    format!("{:+.2} ms", nanoseconds / 1e6)
}

fn signed(bytes: f64) -> String {
    let plus = if bytes >= 0.5 { "+" } else { "" };
    format!("{plus}{}", size(bytes))
}

/// What a finding's keys say.
fn keys(finding: &Finding) -> String {
    if finding.lines.is_empty() {
        return finding.name.to_owned();
    }
    let all: Vec<String> = finding
        .lines
        .iter()
        .map(|(key, value)| match value.lines().count() {
            1 => format!("{key} = {value}"),
            // A list, with a range a line.
            3 => format!("{key} of one range"),
            lines => format!("{key} of {} ranges", lines - 2),
        })
        .collect();
    all.join(", ")
}

fn print(input: &Input<'_>, found: &Found, fit: &Fit, remote: f64) {
    input.print_fields(fit.asked);
    let mut table = style::table(&["keys", "peak", "mean", "time", "faults", "peak elsewhere", ""], 1);
    let row = |name: String, figures: &Figures, elsewhere: &[Figures], word: &str| {
        let peaks: Vec<String> = elsewhere.iter().map(|one| signed(one.peak)).collect();
        [
            name,
            signed(figures.peak),
            signed(figures.mean),
            milliseconds(figures.nanoseconds),
            format!("{:+}", figures.faults),
            peaks.join(", "),
            word.to_owned(),
        ]
    };
    let base = &found.before;
    table.add_row([
        format!("{} as it is", input.base.name),
        size(base.peak),
        size(base.mean),
        format!("{:.2} ms", base.nanoseconds / 1e6),
        base.faults.to_string(),
        String::new(),
        String::new(),
    ]);
    for finding in &found.findings {
        let word = if finding.taken { "taken" } else { "" };
        table.add_row(row(keys(finding), &finding.effect, &finding.elsewhere, word));
    }
    if found.changes() {
        table.add_row(row("all that is taken".into(), &found.effect, &found.elsewhere, ""));
    }
    style::print_table(&table);
    println!(
        "by a model of the allocator ({} configs): memory of the heap, and time of events, page faults and purging;\n\
         elsewhere: on the parts that the values were not chosen by",
        found.models
    );
    println!();
    print_curve(&input.base, fit);
    print_prices(&found.prices);
    for (waste, number) in found.waste.iter().zip(1..) {
        println!(
            "ends of objects, judged on part {number}: {} under {}, {} fitted",
            size(waste.base),
            input.base.name,
            size(waste.fitted)
        );
    }
    for (waste, evidence) in found
        .witnesses
        .iter()
        .zip(input.evidence.iter().rev().take(found.witnesses.len()).rev())
    {
        println!(
            "ends of objects in {}: {} under {}, {} fitted",
            evidence.name,
            size(waste.base),
            input.base.name,
            size(waste.fitted)
        );
    }
    if input.threads > 1 {
        println!("{} of what is freed was made by another thread", share(remote, 1.0));
    }
    println!("\n{}", verdict(input, found));
}

/// The curve of the price of a class by the model.
fn print_prices(prices: &[Priced]) {
    let mut table = style::table(
        &[
            "price of a class",
            "classes",
            "wasted",
            "peak",
            "mean",
            "time",
            "counts",
        ],
        1,
    );
    let alike =
        |a: &Priced, b: &Priced| (a.weight, a.classes, a.slack, a.effect) == (b.weight, b.classes, b.slack, b.effect);
    for same in prices.chunk_by(alike) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else {
            continue;
        };
        let price = if first.price < last.price {
            format!("x {} to {}", first.price, last.price)
        } else {
            format!("x {}", first.price)
        };
        let [peak, mean, time] = first.effect.map_or_else(
            || ["not allowed".into(), String::new(), String::new()],
            |effect| {
                [
                    signed(effect.peak),
                    signed(effect.mean),
                    milliseconds(effect.nanoseconds),
                ]
            },
        );
        let counts = match first.weight {
            fit::Weight::Live => "what is live",
            fit::Weight::Held => "the most so far",
        };
        let (classes, wasted) = (first.classes.to_string(), size(first.slack));
        table.add_row([price, classes, wasted, peak, mean, time, counts.to_owned()]);
    }
    if !prices.is_empty() {
        println!("\nby the model, for the whole of the recordings:");
        style::print_table(&table);
    }
}

/// One sentence.
fn verdict(input: &Input<'_>, found: &Found) -> String {
    if found.changes() {
        return Prediction::of(found).against(&input.base.name);
    }
    let base = &input.base.name;
    format!("keep {base}: nothing else saves memory or time wherever it was judged, and costs neither")
}

/// The config, with a reason for every line.
fn config(input: &Input<'_>, found: &Found, demands: &[Demand]) -> String {
    let prediction = Prediction::of(found);
    // What a hypothesis speaks of is what matters more.
    let memory = found.effect.peak.min(found.effect.mean) / found.before.peak.max(1.0);
    let goal = if memory <= found.effect.nanoseconds / found.nanoseconds.max(1.0) {
        "rss"
    } else {
        "time"
    };
    let mut text = input.head(Some(goal), &prediction.against(&input.base.name));
    let mut tables: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    for finding in found
        .findings
        .iter()
        .filter(|finding| finding.taken && !finding.lines.is_empty())
    {
        let mut first = true;
        for (key, value) in &finding.lines {
            let (table, name) = key.split_once('.').unwrap_or(("", key));
            let text = tables.entry(table).or_default();
            if std::mem::take(&mut first) {
                let _ = writeln!(text, "# {}\n# {}", finding.why, effect(input, finding));
            }
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    if let Some(bands) = &found.classes {
        tables.insert("classes", classes(input, found, bands, demands));
    }
    for (table, lines) in tables {
        let _ = write!(text, "\n[{table}]\n{lines}");
    }
    text
}

/// What a finding is expected to change, by which evidence.
fn effect(input: &Input<'_>, finding: &Finding) -> String {
    let (all, elsewhere) = (&finding.effect, &finding.elsewhere);
    let peaks: Vec<String> = elsewhere.iter().map(|one| signed(one.peak)).collect();
    format!(
        "Predicted: peak {}, mean {}, {} (evidence {}); peak where it was not chosen by: {}.",
        signed(all.peak),
        signed(all.mean),
        milliseconds(all.nanoseconds),
        input.ids(),
        peaks.join(", ")
    )
}

/// The table of classes.
fn classes(input: &Input<'_>, found: &Found, bands: &[Vec<u32>], demands: &[Demand]) -> String {
    let mut text = String::new();
    if let Some(finding) = found.findings.iter().find(|finding| finding.lines.is_empty()) {
        let _ = writeln!(text, "# {}\n# {}", finding.why, effect(input, finding));
    }
    if is_finer(bands) {
        let _ = writeln!(
            text,
            "# The recorded program names the alignment of whatever it allocates, as Rust does: 24 bytes need not be aligned to 16."
        );
        text.push_str("granule = 8\n");
    }
    text.push_str("steps = [\n");
    let old = fit::rungs(&input.sizes());
    let mut low = 0;
    for (index, band) in bands.iter().enumerate() {
        let high = band.last().copied().unwrap_or(low);
        let base = &input.base.name;
        if found.bands.get(index).copied().unwrap_or(false) {
            let before = fit::band_slack(demands, &old[index], low);
            let after = fit::band_slack(demands, band, low);
            let _ = writeln!(
                text,
                "    # {} to {high} bytes: ends of objects take {} instead of {}, with {} classes instead of {}.",
                low + 1,
                size(after),
                size(before),
                band.len(),
                old[index].len()
            );
        } else {
            let _ = writeln!(text, "    # {} to {high} bytes: as in {base}.", low + 1);
        }
        // The first class of all is always there.
        let sizes = if index == 0 {
            band.get(1..).unwrap_or_default()
        } else {
            band
        };
        if !sizes.is_empty() {
            let _ = writeln!(text, "    {{ sizes = [{}] }},", list(sizes));
        }
        low = high;
    }
    text.push_str("]\n");
    text
}
