//! Records of comparisons, as they stand in a ledger: from anywhere, and shown in every way. And what somebody wants of a
//! comparison: sums and conditions over what was measured.

use crate::Target;
use hz3_lab::expression::{Condition, Sum};
use hz3_lab::ledger::merge::{self, Found};
use hz3_lab::record::Record;
use hz3_lab::{export, figures, ledger, report, table};

pub(crate) const TARGET: Target = Target {
    name: "record",
    about: "a record of the ledger, in every way that it is shown; and sums and conditions over what was measured",
    run: |data| check(data, written),
    // A fault to be found: the seconds are written as whole ones.
    planted: |data| {
        check(data, |record| {
            let mut record = record.clone();
            record.seconds = record.seconds.round();
            written(&record)
        });
    },
};

fn written(record: &Record) -> String {
    record
        .line()
        .unwrap_or_else(|e| panic!("what was read cannot be written: {}", e.message))
}

fn check(data: &[u8], write: fn(&Record) -> String) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(record) = Record::read(text) else {
        return expression(text);
    };
    let line = write(&record);
    assert!(line.ends_with('\n') && line.lines().count() == 1);
    let again = Record::read(&line).unwrap_or_else(|e| panic!("what was written cannot be read: {e}\n{line}"));
    assert_eq!(written(&again), written(&record));

    table::text(&record);
    table::summary(&record);
    table::small_heaps(&record);
    table::by_contender(&record);
    figures::text(&record);
    figures::missing(&record);
    export::csv(&[&record]).expect("CSV");
    export::markdown(&record);
    record.headline();
    ledger::tested(&record);
    let _ = ledger::side_by_side(&record, &record);
    report::page(std::slice::from_ref(&record));
    let wish: Condition = "rss > 1.05 and not time < 0.5 cpu".parse().expect("a condition");
    for row in &record.rows {
        row.client_share();
        for cell in &row.cells {
            wish.shown(row, cell);
        }
    }
    if !record.libraries.is_empty() {
        let found = |record| Found {
            at: "fuzz:1".to_owned(),
            record,
        };
        let mut other = record.clone();
        other.id.push('2');
        let _ = merge::merge(vec![found(record), found(other)]);
    }
}

fn expression(text: &str) {
    if let Ok(condition) = text.parse::<Condition>() {
        assert!(!condition.names().is_empty());
        let again: Condition = condition.text().parse().expect("its own text");
        assert_eq!(again.names(), condition.names());
    }
    let Ok(sum) = text.parse::<Sum>() else { return };
    assert!(!sum.names().is_empty());
    // For a contender that is as the base it is more than 0.
    assert!(sum.relative(|_| 1.0).is_finite());
    // Parentheses around the whole change nothing; blanks around each sign neither.
    let figure = |sum: &Sum| sum.relative(|quantity| 0.5 + quantity.name().len() as f64 / 8.0);
    for same in [format!("({text})"), text.replace('(', " ( ").replace(')', " ) ")] {
        match same.parse::<Sum>() {
            Ok(again) => assert!(
                figure(&again).to_bits() == figure(&sum).to_bits() || figure(&sum).is_nan(),
                "{same}: {} and {}",
                figure(&again),
                figure(&sum)
            ),
            // Only so much may be nested, by parentheses and by signs.
            Err(_) if text.matches(['(', '-']).count() > 50 => {}
            Err(fault) => panic!("{same}: {fault:?}"),
        }
    }
}
