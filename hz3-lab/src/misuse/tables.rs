//! A survey as tables: for terminals, Markdown and pages alike.

use super::{Survey, Tally};
use crate::table::mib;

/// A table whose first columns are words, and the others one for each contender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub title: &'static str,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Lines; one that has a first cell only is the title of those below it.
    pub lines: Vec<Vec<String>>,
}

impl Survey {
    fn header(&self, first: &str) -> Vec<String> {
        let labels = self.contenders.iter().map(|c| c.label.clone());
        [first.to_owned()].into_iter().chain(labels).collect()
    }

    fn line(&self, first: &str, cell: impl Fn(&super::Contender) -> String) -> Vec<String> {
        [first.to_owned()]
            .into_iter()
            .chain(self.contenders.iter().map(cell))
            .collect()
    }

    /// All tables: each kind, families, totals, and what calls cost.
    pub fn tables(&self) -> Vec<Table> {
        let tables = [self.by_kind(), self.by_family(), self.totals(), self.price()];
        tables.into_iter().filter(|table| !table.lines.is_empty()).collect()
    }

    fn by_kind(&self) -> Table {
        let mut lines = Vec::new();
        let mut at = 0;
        for family in &self.families {
            lines.push(vec![family.title.clone()]);
            for kind in &family.kinds {
                lines.push(self.line(&kind.name, |c| c.found.get(at).map_or(String::new(), |f| f.word())));
                at += 1;
            }
        }
        Table {
            title: "What came of each kind",
            header: self.header("kind"),
            lines,
        }
    }

    fn by_family(&self) -> Table {
        let counts = |t: Tally| format!("{}/{}/{}/{}", t.detected, t.fault + t.crash, t.harm, t.nothing);
        let line =
            |family: &super::Family| self.line(&family.title, |c| counts(self.tally(c, |f| f.name == family.name)));
        Table {
            title: "Families: detected/crash/harm/nothing",
            header: self.header("family"),
            lines: self.families.iter().map(line).collect(),
        }
    }

    /// Of all kinds that are a misuse.
    fn totals(&self) -> Table {
        let counts = |t: Tally| [t.detected, t.fault, t.crash, t.nothing, t.harm];
        let names = ["detected", "fault", "crash", "nothing", "harm"];
        let line =
            |(i, name): (usize, &&str)| self.line(name, |c| counts(self.tally(c, |f| !f.property))[i].to_string());
        let any = self.families.iter().any(|f| !f.property);
        Table {
            title: "All misuse",
            header: self.header("ended by"),
            lines: names.iter().enumerate().filter(|_| any).map(line).collect(),
        }
    }

    /// Instructions and rows, as far as there are some.
    fn price(&self) -> Table {
        let mut lines = Vec::new();
        let counted = self.contenders.iter().find_map(|c| c.instructions);
        if let Some(first) = counted {
            for (name, of) in [
                ("malloc", (|i| i.malloc) as fn(super::Instructions) -> u32),
                ("free", |i| i.free),
            ] {
                let name = format!("{name}, instructions at {} B", first.size_bytes);
                lines.push(self.line(&name, |c| c.instructions.map_or("-".into(), |i| of(i).to_string())));
            }
        }
        let rows = self.contenders.iter().map(|c| &c.timed).max_by_key(|timed| timed.len());
        for row in rows.into_iter().flatten() {
            let of = |c: &super::Contender, show: fn(&super::Timed) -> String| {
                let own = c.timed.iter().find(|t| t.row == row.row);
                own.map_or("-".into(), show)
            };
            lines.push(self.line(&format!("{}, {}", row.row, row.unit), |c| {
                of(c, |t| format!("{:.2}", t.value))
            }));
            lines.push(self.line(&format!("{}, peak RSS", row.row), |c| of(c, |t| mib(t.rss_peak_bytes))));
        }
        Table {
            title: "What it costs",
            header: self.header("cost"),
            lines,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Contender, Family, Found, Instructions, Kind, Stage, Survey, Timed, Verdict};

    /// Two contenders and three kinds, one of them a property.
    pub(crate) fn sample() -> Survey {
        let kind = |name: &str| Kind {
            name: name.into(),
            says: "It is done, and \"more\".".into(),
        };
        let family = |name: &str, property, kinds| Family {
            name: name.into(),
            title: name.to_uppercase(),
            property,
            access: true,
            kinds,
        };
        let found = |verdict| Found {
            verdict,
            stage: Stage::After,
            why: "a|b, c".into(),
            rounds: vec![verdict, Verdict::Detected],
        };
        let contender = |label: &str, verdicts: [Verdict; 3], instructions, timed| Contender {
            label: label.into(),
            library: None,
            version: "1".into(),
            found: verdicts.map(found).to_vec(),
            instructions,
            timed,
        };
        let instructions = Instructions {
            size_bytes: 64,
            malloc: 15,
            free: 16,
        };
        let timed = Timed {
            row: "mixed".into(),
            value: 9.5,
            unit: "ns/op".into(),
            rss_peak_bytes: 2097152.0,
        };
        use Verdict::{Crash, Detected, Fault, Harm, Nothing};
        Survey {
            rounds: 2,
            families: vec![
                family("stale", false, vec![kind("stale-a"), kind("stale-b")]),
                family("told", true, vec![kind("told-a")]),
            ],
            contenders: vec![
                contender("a", [Detected, Fault, Harm], Some(instructions), vec![timed]),
                contender("b|c", [Harm, Crash, Nothing], None, Vec::new()),
            ],
        }
    }

    #[test]
    fn tables_count_misuse_and_not_properties() {
        let survey = sample();
        let tables = survey.tables();
        let lines = |i: usize| tables[i].lines.iter().map(|l| l.join(" ")).collect::<Vec<_>>();
        assert_eq!(
            lines(0),
            [
                "STALE",
                "stale-a detected HARM 1/2",
                "stale-b fault 1/2 crash 1/2",
                "TOLD",
                "told-a HARM 1/2 nothing 1/2"
            ]
        );
        assert_eq!(lines(1), ["STALE 1/1/0/0 0/1/1/0", "TOLD 0/0/1/0 0/0/0/1"]);
        assert_eq!(
            lines(2),
            ["detected 1 0", "fault 1 0", "crash 0 1", "nothing 0 0", "harm 0 1"]
        );
        assert_eq!(
            lines(3),
            [
                "malloc, instructions at 64 B 15 -",
                "free, instructions at 64 B 16 -",
                "mixed, ns/op 9.50 -",
                "mixed, peak RSS 2.0 M -"
            ]
        );
    }
}
