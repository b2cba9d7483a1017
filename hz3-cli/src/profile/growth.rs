//! What has grown from one profile to another.

use super::show::{interval, size};
use super::source::Source;
use crate::style;
use hz3_lab::profile::{Growth, Site, growth, same_process};

/// What two profiles differ in.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The earlier one.
    pub before: String,
    /// The later one.
    pub now: String,
    /// Whether both are of one process.
    pub same_process: bool,
    /// Bytes in use by the earlier one.
    pub bytes_before: f64,
    /// Bytes in use by the later one.
    pub bytes_now: f64,
    /// Sites that hold more, the most first, then those that hold less.
    pub sites: Vec<Growth>,
}

impl Report {
    /// Of two profiles.
    pub fn of(before: &Source, now: &Source) -> Self {
        let sites = growth(&before.profile, &now.profile);
        let live = |source: &Source| {
            let rows = source.profile.rows.iter().filter(|row| row.live());
            rows.map(|row| row.bytes as f64).sum::<f64>()
        };
        Self {
            before: before.name.clone(),
            now: now.name.clone(),
            same_process: same_process(&before.profile, &now.profile),
            bytes_before: live(before),
            bytes_now: live(now),
            sites,
        }
    }
}

/// Prints it: the `top` sites that hold more.
pub fn print(report: &Report, top: usize) {
    if !report.same_process {
        let warning = style::warning("warning");
        eprintln!("{warning}: the two are not of one process, one after the other: their chances add up");
    }
    style::print_fields(&[
        ("in use", format!("{} in {}", size(report.bytes_before), report.before)),
        ("", format!("{} in {}", size(report.bytes_now), report.now)),
    ]);
    println!();
    let mut table = style::table(&["more", "95 %", "", "before", "now", "samples", "site"], 0);
    if let Some(last) = table.column_mut(6) {
        last.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    for grown in report.sites.iter().filter(|site| site.more.value > 0.0).take(top) {
        let site = Site {
            function: grown.site.0.clone(),
            place: grown.site.1.clone(),
            callers: grown.callers.clone(),
        };
        table.add_row([
            size(grown.more.value),
            interval(&grown.more, size),
            if grown.more.low > 0.0 { "grows" } else { "?" }.to_owned(),
            size(grown.before),
            size(grown.now),
            grown.more.samples.to_string(),
            super::show::site(&site),
        ]);
    }
    style::print_table(&table);
    let less: f64 = report.sites.iter().map(|site| site.more.value.min(0.0)).sum();
    let count = report.sites.iter().filter(|site| site.more.value < 0.0).count();
    println!(
        "{count} sites hold less: {} in all\n\
         grows: the interval is above 0; samples: objects that came and went in between",
        size(-less)
    );
}
