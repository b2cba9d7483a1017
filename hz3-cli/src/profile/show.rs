//! A profile on the terminal. Each figure stands with its interval and the samples behind it.

use super::source::Source;
use crate::style::{self, roughly};
use hz3_lab::profile::{AtSite, Band, Clock, Estimate, Level, Profile, Report, Site};

/// Bands with less than this share of the objects are put together.
const SHOWN: f64 = 0.001;
/// Most threads that are listed.
const THREADS: usize = 16;
/// Characters of a function's name at most.
const NAME: usize = 60;

/// Bytes.
pub fn size(bytes: f64) -> String {
    if bytes < 0.0 {
        return format!("-{}", roughly((-bytes).round() as u64));
    }
    roughly(bytes.round() as u64)
}

/// A count of objects.
pub fn count(n: f64) -> String {
    let n = n.round();
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e7 => format!("{:.1} M", n / 1e6),
        n => format!("{n}"),
    }
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The interval of an estimate, where it is one.
pub fn interval(sum: &Estimate, unit: impl Fn(f64) -> String) -> String {
    if sum.low == sum.value && sum.high == sum.value {
        return "exact".into();
    }
    format!("{} to {}", unit(sum.low), unit(sum.high))
}

/// A time by the profile's clock.
pub fn time(clock: Clock, n: u64) -> String {
    if clock == Clock::Events {
        return n.to_string();
    }
    let seconds = n as f64 / 1e9;
    match n {
        0..1_000 => format!("{n} ns"),
        1_000..1_000_000 => format!("{:.1} µs", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

/// A site on one line, then its callers.
pub fn site(site: &Site) -> String {
    let mut name = short(&site.function);
    if !site.place.is_empty() {
        let place = site.place.rsplit('/').next().unwrap_or(&site.place);
        name.push_str(&format!("  {place}"));
    }
    let callers: Vec<String> = site.callers.iter().take(2).map(|caller| short(caller)).collect();
    if callers.is_empty() {
        return name;
    }
    format!("{name}  < {}", callers.join(" < "))
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(NAME - 1).collect();
    format!("{begin}…")
}

/// What the figures are from, as the fields that every page of a profile begins with.
pub fn head(source: &Source) -> Vec<(&'static str, String)> {
    let profile = &source.profile;
    let mut whose = source.name.clone();
    if !profile.command.is_empty() {
        whose.push_str(&format!(": {}", short(&profile.command)));
    }
    let mut fields = vec![("profile", whose)];
    if !profile.config.is_empty() {
        fields.push(("variant", profile.config.clone()));
    }
    let long = match profile.clock {
        Clock::Nanoseconds => time(profile.clock, profile.duration),
        Clock::Events => format!("{} events", profile.duration),
    };
    fields.push(("after", format!("{long}, {} threads started", profile.threads)));
    fields.push((
        "level",
        format!("{}: {}", profile.level.word(), profile.level.meaning()),
    ));
    let samples: u64 = profile.rows.iter().map(|row| row.samples).sum();
    fields.push((
        "seen",
        match profile.level {
            Level::Exact => format!("{samples} objects"),
            _ => format!("{samples} objects, one in {}", roughly(profile.period)),
        },
    ));
    if profile.dropped > 0 {
        let what = match (profile.level, profile.clock) {
            (_, Clock::Events) => "events came after the limit of the recording",
            _ => "samples had no room: all figures are too low by as much (stats.samples is the room)",
        };
        fields.push(("lost", format!("{} {what}", profile.dropped)));
    }
    if let Some(live) = profile.live_bytes {
        let peak = profile
            .peak_live_bytes
            .map(|peak| format!(", {} at the peak", roughly(peak)));
        fields.push(("counted", format!("{} live{}", roughly(live), peak.unwrap_or_default())));
    }
    fields
}

/// Files whose addresses have no names.
pub fn nameless(source: &Source) {
    for file in source.nameless.iter().filter(|file| !file.file.is_empty()) {
        let warning = style::warning("warning");
        eprintln!(
            "{warning}: {} addresses in {} have no names: {}",
            file.locations, file.file, file.why
        );
    }
}

fn section(title: &str, level: Level) {
    println!("\n{} ({})", style::strong(title), level.word());
}

/// Prints a report.
pub fn print(source: &Source, report: &Report) {
    let profile = &source.profile;
    style::print_fields(&head(source));
    println!();
    let sums = [("in use", &report.in_use), ("allocated", &report.allocated)];
    let mut table = style::table(&["", "bytes", "95 %", "objects", "95 %", "samples"], 1);
    for (what, sum) in sums {
        if what == "allocated" && !report.level.sees_all() {
            continue;
        }
        table.add_row([
            what.to_owned(),
            size(sum.bytes.value),
            interval(&sum.bytes, size),
            count(sum.objects.value),
            interval(&sum.objects, count),
            sum.bytes.samples.to_string(),
        ]);
    }
    style::print_table(&table);
    sites(
        "In use by site",
        report.level,
        &report.sites_in_use,
        report.in_use.bytes.value,
    );
    sites(
        "Allocated by site",
        report.level,
        &report.sites_allocated,
        report.allocated.bytes.value,
    );
    section("Sizes in bytes", report.level);
    bands(&report.sizes, report, |band| format!("{}-{}", band.from, band.to));
    ends(profile, report);
    threads(report);
    births(profile, report);
}

fn sites(title: &str, level: Level, sites: &[AtSite], whole: f64) {
    if sites.is_empty() {
        return;
    }
    section(title, level);
    let mut table = style::table(&["bytes", "share", "95 %", "objects", "samples", "site"], 0);
    if let Some(last) = table.column_mut(5) {
        last.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    for AtSite { site, sum } in sites {
        table.add_row([
            size(sum.bytes.value),
            percent(sum.bytes.value / whole.max(1.0)),
            interval(&sum.bytes, size),
            count(sum.objects.value),
            sum.bytes.samples.to_string(),
            self::site(site),
        ]);
    }
    style::print_table(&table);
}

/// Bands with what is in use, and what was allocated if the level sees that.
fn bands(bands: &[Band], report: &Report, name: impl Fn(&Band) -> String) {
    let all = report.level.sees_all();
    let of = |band: &Band| {
        if all {
            band.all.objects.value
        } else {
            band.live.objects.value
        }
    };
    let whole: f64 = bands.iter().map(of).sum();
    let mut header = vec!["", "in use", "objects", "95 %", "samples"];
    if all {
        header.extend(["allocated", "objects", "share", "samples"]);
    }
    let mut table = style::table(&header, 1);
    for band in bands
        .iter()
        .filter(|band| of(band) >= SHOWN * whole || band.live.bytes.value >= SHOWN * report.in_use.bytes.value)
    {
        let mut row = vec![
            name(band),
            size(band.live.bytes.value),
            count(band.live.objects.value),
            interval(&band.live.objects, count),
            band.live.objects.samples.to_string(),
        ];
        if all {
            row.extend([
                size(band.all.bytes.value),
                count(band.all.objects.value),
                percent(band.all.objects.value / whole.max(1.0)),
                band.all.objects.samples.to_string(),
            ]);
        }
        table.add_row(row);
    }
    style::print_table(&table);
}

fn ends(profile: &Profile, report: &Report) {
    let ended = &report.ended;
    if ended.all.objects.samples == 0 {
        return;
    }
    let what = if report.level.sees_all() {
        "Ended"
    } else {
        "Ended, of those that had stayed"
    };
    section(what, report.level);
    let whole = ended.all.objects.value;
    let unit = if profile.clock == Clock::Events {
        "lived, in events"
    } else {
        "lived"
    };
    let mut table = style::table(&[unit, "objects", "share", "95 %", "bytes", "samples"], 1);
    for band in ended
        .lifetimes
        .iter()
        .filter(|band| band.all.objects.value >= SHOWN * whole)
    {
        let share = |n: f64| percent(n / whole.max(1.0));
        table.add_row([
            format!("{} to {}", time(profile.clock, band.from), time(profile.clock, band.to)),
            count(band.all.objects.value),
            share(band.all.objects.value),
            interval(&band.all.objects, share),
            size(band.all.bytes.value),
            band.all.objects.samples.to_string(),
        ]);
    }
    style::print_table(&table);
    let remote = &ended.remote;
    if remote.samples > 0 {
        let (share, interval) = (percent(remote.value), interval(remote, percent));
        println!(
            "{share} of them were freed by another thread (95 %: {interval}; {} samples)",
            remote.samples
        );
    }
}

fn threads(report: &Report) {
    if report.threads.len() < 2 {
        return;
    }
    section("Threads that allocate", report.level);
    let mut threads = report.threads.clone();
    let bytes = |band: &Band| {
        if report.level.sees_all() {
            band.all.bytes.value
        } else {
            band.live.bytes.value
        }
    };
    threads.sort_by(|a, b| bytes(b).total_cmp(&bytes(a)).then(a.from.cmp(&b.from)));
    let rest = threads.split_off(threads.len().min(THREADS));
    let name = |band: &Band| match band.from {
        0 => "not known".to_owned(),
        n => n.to_string(),
    };
    bands(&threads, report, name);
    if !rest.is_empty() {
        println!("and {} more, with {}", rest.len(), size(rest.iter().map(bytes).sum()));
    }
}

fn births(profile: &Profile, report: &Report) {
    if report.births.len() < 2 {
        return;
    }
    section("Phases: by the time of allocation", report.level);
    bands(&report.births, report, |band| {
        format!("{} to {}", time(profile.clock, band.from), time(profile.clock, band.to))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!((size(2048.4), size(-5.0)), ("2.00 KiB".into(), "-5 B".into()));
        assert_eq!(
            (count(3.4), count(2.5e7), count(3e10)),
            ("3".into(), "25.0 M".into(), "30.00 G".into())
        );
        let times = [5, 1_500, 2_500_000, 3_000_000_000].map(|n| time(Clock::Nanoseconds, n));
        assert_eq!(times, ["5 ns", "1.5 µs", "2.5 ms", "3.0 s"]);
        assert_eq!(time(Clock::Events, 1_500), "1500");
        let sure = Estimate {
            value: 3.0,
            low: 3.0,
            high: 3.0,
            samples: 3,
        };
        assert_eq!(interval(&sure, count), "exact");
        assert_eq!(interval(&Estimate { low: 1.0, ..sure }, count), "1 to 3");
        assert_eq!(short(&"x".repeat(100)).chars().count(), NAME);
    }

    #[test]
    fn a_site_names_its_file_and_two_callers() {
        let one = Site {
            function: "grow".into(),
            place: "/src/a.c:3".into(),
            callers: ["b", "c", "d"].map(String::from).to_vec(),
        };
        assert_eq!(site(&one), "grow  a.c:3  < b < c");
    }
}
