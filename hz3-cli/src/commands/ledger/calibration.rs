//! How near the predictions of `fit` came.

use crate::commands::{Format, print_json};
use crate::style;
use hz3_lab::ledger::{Ledger, Tested, tested};
use hz3_project::Outcome;

/// What was predicted, beside what was measured.
pub fn print(ledger: &Ledger, format: Format) -> Outcome {
    let all: Vec<Tested> = ledger.all()?.iter().flat_map(|(_, record)| tested(record)).collect();
    if format == Format::Json {
        return print_json(&all);
    }
    if all.is_empty() {
        println!("no prediction was measured yet: `cargo hz3 fit --name NAME` makes one, and `compare` measures it");
        return Ok(());
    }
    let header = [
        "record",
        "config",
        "row",
        "peak KiB",
        "90 % range",
        "measured",
        "",
        "CPU %",
        "90 % range",
        "measured",
        "",
    ];
    let mut table = style::table(&header, 3);
    let word = |holds: bool| if holds { "holds" } else { "FAILS" }.to_owned();
    for one in &all {
        let (peak, time) = (one.predicted.peak, one.predicted.time);
        table.add_row([
            one.id.clone(),
            one.config.clone(),
            one.row.chars().take(24).collect(),
            format!("{:+.0}", peak.at),
            format!("{:+.0} to {:+.0}", peak.low, peak.high),
            format!("{:+.0}", one.peak),
            word(one.peak_holds),
            format!("{:+.2}", time.at),
            format!("{:+.2} to {:+.2}", time.low, time.high),
            format!("{:+.2}", one.time),
            word(one.time_holds),
        ]);
    }
    style::print_table(&table);
    let count = |holds: fn(&Tested) -> bool| all.iter().filter(|one| holds(one)).count();
    println!(
        "ranges of 90 % held for peak memory in {} of {n} cases, for CPU time in {}",
        count(|one| one.peak_holds),
        count(|one| one.time_holds),
        n = all.len()
    );
    Ok(())
}
