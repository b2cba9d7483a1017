//! Classes that fit profiles.

use super::{Evidence, Format, Input, list, print_curve, share, size};
use crate::style;
use hz3_lab::fit::{self, Band, Demand, Fit};
use hz3_project::Error;
use std::fmt::Write as _;

/// What was fitted, to what.
#[derive(serde::Serialize)]
struct Report<'a> {
    base: &'a str,
    threads: u64,
    from: &'a [Evidence],
    #[serde(flatten)]
    fit: &'a Fit,
    /// The config; none where the base is best.
    config: &'a Option<String>,
}

/// Fits, and shows what came of it. Returns the config; none where the base is best.
pub fn run(input: &Input<'_>, demands: &[Demand], format: Format) -> Result<Option<String>, Error> {
    let fit = fit::fit(demands, &input.sizes(), &input.strides()?);
    let config = fit.changes().then(|| config(input, &fit));
    if format == Format::Json {
        let report = Report {
            base: &input.base.name,
            threads: input.threads,
            from: &input.evidence,
            fit: &fit,
            config: &config,
        };
        crate::commands::print_json(&report)?;
    } else {
        print(input, &fit);
    }
    Ok(config)
}

fn print(input: &Input<'_>, fit: &Fit) {
    input.print_fields(fit.asked);
    let header = [
        "bytes",
        "live",
        "classes",
        "wasted",
        "fitted",
        "wasted",
        "saved elsewhere",
        "90 % interval",
        "",
    ];
    let mut table = style::table(&header, 1);
    for band in fit.bands.iter().filter(|band| band.asked > 0.0) {
        let judged = &band.judged;
        table.add_row([
            format!("{}-{}", band.low + 1, band.high),
            size(band.asked),
            band.base.len().to_string(),
            size(band.base_slack),
            band.fitted.len().to_string(),
            size(band.fitted_slack),
            size(judged.saved),
            format!("{} to {}", size(judged.low), size(judged.high)),
            if band.taken { "taken" } else { "" }.to_owned(),
        ]);
    }
    style::print_table(&table);
    println!(
        "wasted: bytes beyond those that were asked for: ends of objects and of runs, and what a class costs by being used;\n\
         saved elsewhere: on what the classes were not made from"
    );
    println!();
    print_curve(&input.base, fit);
    println!("\n{}", verdict(input, fit));
}

/// One sentence.
fn verdict(input: &Input<'_>, fit: &Fit) -> String {
    let judged = &fit.judged;
    if !fit.changes() {
        let base = &input.base.name;
        return format!("keep {base}: no other classes save bytes wherever they were judged");
    }
    format!(
        "predicted: {} less on average over time, {} of live bytes (90 %: {} to {})",
        size(judged.saved),
        share(judged.saved, fit.asked),
        share(judged.low, fit.asked),
        share(judged.high, fit.asked)
    )
}

/// The config, with a reason for every line.
fn config(input: &Input<'_>, fit: &Fit) -> String {
    let base = &input.base.name;
    let of = fit.asked + fit.base_slack;
    let hypothesis = format!(
        "Live objects take {} fewer bytes than under {base} (90 %: {} to {}).",
        share(fit.judged.saved, of),
        share(fit.judged.low, of),
        share(fit.judged.high, of)
    );
    let mut text = input.head(None, &hypothesis);
    text.push_str("[classes]\nsteps = [\n");
    let _ = writeln!(
        text,
        "    # Up to {} bytes: as in {base}.",
        fit.below.last().unwrap_or(&0)
    );
    let _ = writeln!(
        text,
        "    {{ sizes = [{}] }},",
        list(fit.below.get(1..).unwrap_or_default())
    );
    for band in &fit.bands {
        let _ = writeln!(text, "    # {}", reason(input, band));
        let sizes = if band.taken { &band.fitted } else { &band.base };
        let _ = writeln!(text, "    {{ sizes = [{}] }},", list(sizes));
    }
    text.push_str("]\n");
    text
}

/// Why a band has its classes.
fn reason(input: &Input<'_>, band: &Band) -> String {
    let (base, range) = (&input.base.name, format!("{} to {} bytes", band.low + 1, band.high));
    if !band.taken {
        return format!("{range}: as in {base}.");
    }
    format!(
        "{range}: of {} live, {base} wastes {}. These save {} of that where they were not made from it (90 %: {} to {}; {}).",
        size(band.asked),
        size(band.base_slack),
        size(band.judged.saved),
        size(band.judged.low),
        size(band.judged.high),
        input.ids()
    )
}
