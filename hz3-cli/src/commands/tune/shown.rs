//! What was found, for people, for programs, and as the comment of a config.

use super::candidates::Candidate;
use crate::style;
use hz3_lab::record::{self, Outcome as Verdict, Search};
use hz3_lab::rows::Job;
use hz3_lab::stats;
use hz3_lab::tune::{ALPHA, Found};
use std::fmt::Write as _;

/// What was found.
pub struct Shown<'a> {
    /// The base's name.
    pub base: &'a str,
    /// What is to be small.
    pub goal: &'a str,
    /// The rows.
    pub jobs: &'a [Job],
    /// Who was found.
    pub found: &'a Found,
    /// All candidates, by their numbers, from 1.
    pub made: &'a [Candidate],
}

fn interval(o: Option<Verdict>) -> String {
    match o.and_then(|o| o.judged()) {
        Some((lo, hi)) => format!("[{lo:.3}, {hi:.3}]"),
        None => "-".into(),
    }
}

fn ratio(o: Option<Verdict>) -> String {
    o.map_or("-".into(), |o| format!("{:.3}", o.ratio))
}

fn word(o: Option<Verdict>) -> String {
    o.map_or("-".into(), |o| o.word())
}

/// What the second column is: time, or the tail of single calls.
fn value_title(jobs: &[Job]) -> &'static str {
    match jobs.iter().any(|job| job.metric.call().is_some()) {
        true => "latency",
        false => "time",
    }
}

impl<'a> Shown<'a> {
    /// The candidate of a number.
    pub fn candidate(&self, who: usize) -> &'a Candidate {
        &self.made[who - 1]
    }

    /// Tables for people.
    pub fn print(&self) {
        let (found, goal) = (self.found, self.goal);
        let rows: Vec<&str> = self.jobs.iter().map(|job| job.name.as_str()).collect();
        style::print_fields(&[
            ("base", self.base.to_owned()),
            ("goal", format!("{goal}, on {}", rows.join(", "))),
            (
                "tried",
                format!(
                    "{} candidates; {} finalists, judged in {} blocks of their own",
                    self.made.len(),
                    found.finalists.len(),
                    found.blocks
                ),
            ),
        ]);
        println!();
        let front = self.found.front();
        let value = value_title(self.jobs);
        let header = [
            "",
            "front",
            goal,
            "judged by",
            "verdict",
            value,
            "judged by",
            "verdict",
            "peak RSS",
            "judged by",
            "verdict",
        ];
        let mut table = style::table(&header, 2);
        let mark = |who: usize| if front.contains(&who) { "*" } else { "" }.to_owned();
        let mut base = vec![self.base.to_owned(), mark(0)];
        base.extend((0..3).flat_map(|_| ["1.000".to_owned(), String::new(), String::new()]));
        table.add_row(base);
        for judged in &found.finalists {
            let mut line = vec![self.candidate(judged.who).label.clone(), mark(judged.who)];
            match &judged.problem {
                Some(problem) => line.push(problem.clone()),
                None => line.extend(
                    [judged.goal, judged.value, judged.peak]
                        .into_iter()
                        .flat_map(|o| [ratio(o), interval(o), word(o)]),
                ),
            }
            table.add_row(line);
        }
        style::print_table(&table);
        println!(
            "front: what nothing else here beats in {value} and peak RSS at once. Chance that any verdict of a column is wrong: {:.0} % at most",
            ALPHA * 100.0
        );
        self.print_dropped();
        println!("\n{}", self.verdict());
    }

    fn print_dropped(&self) {
        if self.found.dropped.is_empty() {
            return;
        }
        println!("\nNot worth it (medians of the search; they are no evidence):");
        let mut table = style::table(
            &["", "from", "blocks", self.goal, value_title(self.jobs), "peak RSS"],
            2,
        );
        for one in &self.found.dropped {
            let candidate = self.candidate(one.who);
            let median = |samples: &[f64]| format!("{:.3}", stats::median(samples).exp());
            let mut line = vec![
                candidate.label.clone(),
                candidate.origin.into(),
                one.trial.goal.len().to_string(),
            ];
            match &one.problem {
                Some(problem) => line.push(problem.clone()),
                None if one.trial.goal.is_empty() => line.push("not tried".into()),
                None => line.extend([&one.trial.goal, &one.trial.value, &one.trial.peak].map(|s| median(s))),
            }
            table.add_row(line);
        }
        style::print_table(&table);
    }

    /// One sentence, and the keys.
    fn verdict(&self) -> String {
        let Some(best) = self.found.best else {
            return format!(
                "keep {}: none of {} candidates was shown to be better in {}",
                self.base,
                self.made.len(),
                self.goal
            );
        };
        let judged = self.found.judged(best);
        let goal = judged.and_then(|j| j.goal);
        let mut text = format!(
            "recommended: {}, {} {} {}",
            self.candidate(best).label,
            self.goal,
            ratio(goal),
            interval(goal)
        );
        for setting in &self.candidate(best).settings {
            let _ = write!(text, "\n  {} = {}", setting.key, setting.value);
        }
        text
    }

    /// Why the config has its keys, as comments.
    pub fn reasons(&self, best: usize) -> String {
        let mut text = String::new();
        let Some(judged) = self.found.judged(best) else {
            return text;
        };
        let rows: Vec<&str> = self.jobs.iter().map(|job| job.about.as_str()).collect();
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let _ = writeln!(
            text,
            "# Against {}, with the goal {}, on {}:",
            self.base,
            self.goal,
            line(&rows.join("; "))
        );
        for (title, o) in [
            ("goal", judged.goal),
            (value_title(self.jobs), judged.value),
            ("peak RSS", judged.peak),
        ] {
            let _ = writeln!(
                text,
                "# - {title}: {} {}, {}, {} blocks",
                ratio(o),
                interval(o),
                word(o),
                judged.trial.goal.len()
            );
        }
        let _ = writeln!(
            text,
            "# The best of {} candidates, judged on blocks that the search had not seen. The chance that a verdict on any of {} finalists is\n\
             # wrong, is {:.0} % at most in each line.",
            self.made.len(),
            self.found.finalists.len(),
            ALPHA * 100.0
        );
        text
    }

    /// All of it, for programs and for the ledger.
    pub fn search(&self) -> Search {
        self.found.search(self.base, self.goal, |who| {
            let one = self.candidate(who);
            let settings = one.settings.iter().map(|s| (s.key.clone(), s.value.clone()));
            record::Candidate {
                label: one.label.clone(),
                from: one.origin.to_owned(),
                settings: settings.collect(),
            }
        })
    }
}
