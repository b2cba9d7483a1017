//! Whether samples show that a condition holds.

use super::{Condition, Node, Operator, Quantity, Told};
use crate::record::{Cell, RowRecord};
use crate::stats::{self, Looks};

/// What samples say of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// Neither was shown.
    Open,
}

impl Condition {
    /// What the blocks of a row show for a contender; nothing if the row lacks one of the names.
    ///
    /// Each comparison is made block by block, so that both sides are of one process, and its differences have the interval
    /// that verdicts rest on, at the error of one look.
    pub fn shown(&self, row: &RowRecord, cell: &Cell) -> Option<Shown> {
        let base = row.cells.first()?;
        let ratios: Vec<(Quantity, Vec<f64>)> = self
            .names()
            .into_iter()
            .map(|name| Some((name, ratios(name, row, cell, base)?)))
            .collect::<Option<_>>()?;
        Some(of(&self.node, &ratios))
    }
}

/// Ratios of a quantity by block; one alone for what is measured once.
fn ratios(name: Quantity, row: &RowRecord, cell: &Cell, base: &Cell) -> Option<Vec<f64>> {
    let floats = |v: &[u64]| v.iter().map(|x| *x as f64).collect::<Vec<_>>();
    let told = Told {
        metric: row.metric,
        client: true,
        counted: true,
        timed: true,
    };
    let had = |name: Quantity| name.is_had(told);
    let (own, base) = match name {
        Quantity::Time | Quantity::Latency if had(name) => (cell.values.clone(), base.values.clone()),
        Quantity::Time | Quantity::Latency => return None,
        Quantity::Single(figure) => (cell.single.get(figure)?.clone(), base.single.get(figure)?.clone()),
        Quantity::Cpu => (cell.cpu.clone(), base.cpu.clone()),
        Quantity::Peak => (floats(&cell.rss_peak), floats(&base.rss_peak)),
        Quantity::Final => (floats(&cell.rss_end), floats(&base.rss_end)),
        Quantity::Faults => (floats(&cell.faults), floats(&base.faults)),
        Quantity::Instructions => (vec![cell.instructions? as f64], vec![base.instructions? as f64]),
    };
    let ratios: Vec<f64> = own.iter().zip(&base).map(|(a, b)| a / b).collect();
    (!ratios.is_empty()).then_some(ratios)
}

fn of(node: &Node, ratios: &[(Quantity, Vec<f64>)]) -> Shown {
    match node {
        Node::Not(inner) => match of(inner, ratios) {
            Shown::Yes => Shown::No,
            Shown::No => Shown::Yes,
            Shown::Open => Shown::Open,
        },
        Node::Two(Operator::And, a, b) => match (of(a, ratios), of(b, ratios)) {
            (Shown::No, _) | (_, Shown::No) => Shown::No,
            (Shown::Yes, Shown::Yes) => Shown::Yes,
            _ => Shown::Open,
        },
        Node::Two(Operator::Or, a, b) => match (of(a, ratios), of(b, ratios)) {
            (Shown::Yes, _) | (_, Shown::Yes) => Shown::Yes,
            (Shown::No, Shown::No) => Shown::No,
            _ => Shown::Open,
        },
        Node::Two(operator, a, b) => compared(*operator, a, b, ratios),
        Node::Number(_) | Node::Name(_) => Shown::Open,
    }
}

fn compared(operator: Operator, a: &Node, b: &Node, ratios: &[(Quantity, Vec<f64>)]) -> Shown {
    let mut names = Vec::new();
    a.names(&mut names);
    b.names(&mut names);
    let used: Vec<&(Quantity, Vec<f64>)> = ratios.iter().filter(|(name, _)| names.contains(name)).collect();
    // What is measured once is the same in every block.
    let once = |name: Quantity| name == Quantity::Instructions;
    let blocks = used.iter().filter(|(name, _)| !once(*name)).map(|(_, r)| r.len()).min();
    let difference = |block: usize| {
        let value = |name: Quantity| {
            let found = used.iter().find(|(of, _)| *of == name);
            found.map_or(f64::NAN, |(_, r)| r[if once(name) { 0 } else { block }])
        };
        a.value(&value) - b.value(&value)
    };
    let (lo, hi) = match blocks {
        // Counts are exact.
        None => (difference(0), difference(0)),
        Some(blocks) => {
            let d: Vec<f64> = (0..blocks).map(difference).collect();
            let judged = stats::look_at(&d, 0.0, Looks::alpha()).judged;
            (judged.lo, judged.hi)
        }
    };
    let (yes, no) = match operator {
        Operator::More => (lo > 0.0, hi <= 0.0),
        Operator::AtLeast => (lo >= 0.0, hi < 0.0),
        Operator::Less => (hi < 0.0, lo >= 0.0),
        _ => (hi <= 0.0, lo > 0.0),
    };
    match (yes, no) {
        (true, _) => Shown::Yes,
        (_, true) => Shown::No,
        _ => Shown::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::sample;

    #[test]
    fn what_blocks_show() {
        let mut record = sample("a", "2026-01-01T00:00:00Z");
        let row = &mut record.rows[0];
        row.cells[1].rss_peak = (0..9).map(|i| (4 << 20) * (110 + i) / 100).collect();
        row.cells[0].instructions = Some(100);
        row.cells[1].instructions = Some(103);
        let of = |ns: f64| (0..10).map(|i| ns + f64::from(i)).collect();
        row.cells[0].single.insert("free.p99".into(), of(200.0));
        row.cells[1].single.insert("free.p99".into(), of(300.0));
        let row = &record.rows[0];
        let shown = |text: &str| text.parse::<Condition>().unwrap().shown(row, &row.cells[1]);
        for (text, want) in [
            // Time is .8 of the base's in every block, memory 1.10 to 1.18 times as much.
            ("rss > 1.05", Some(Shown::Yes)),
            ("rss > 1.2", Some(Shown::No)),
            ("rss > 1.14", Some(Shown::Open)),
            ("not rss > 1.2", Some(Shown::Yes)),
            ("time < 0.9 and rss > 1.05", Some(Shown::Yes)),
            ("time > 1 or rss > 1.05", Some(Shown::Yes)),
            ("time > 1 or rss > 1.14", Some(Shown::Open)),
            ("time > 1 and rss > 1.14", Some(Shown::No)),
            ("time + rss > 1.85", Some(Shown::Yes)),
            ("rss > time", Some(Shown::Yes)),
            ("instructions > 1.02", Some(Shown::Yes)),
            ("instructions >= 1.03", Some(Shown::Yes)),
            ("instructions > 1.03", Some(Shown::No)),
            ("instructions > rss", Some(Shown::No)),
            ("final > 1.01", Some(Shown::No)),
            ("free.p99 > 1.4", Some(Shown::Yes)),
            ("free.p99 > 1.5", Some(Shown::No)),
            ("malloc.p99 > 1", None),
            // The row is judged by time, and has no page faults.
            ("p99.9 > 1", None),
            ("faults > 1", None),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }
}
