//! Who owns what is freed: no model says what threads do to each other, so recordings are replayed under each way.

use super::Input;
use crate::bar::Bar;
use crate::derived::{self, Derived, Setting};
use crate::{neighbours, style};
use hz3_lab::clients::Clients;
use hz3_lab::expression::Sum;
use hz3_lab::record::Outcome as Judgement;
use hz3_lab::rows::Job;
use hz3_lab::stats::Verdict;
use hz3_lab::trace::Trace;
use hz3_lab::tune::{self, Field, Judged, Wish};
use hz3_project::{Allocator, Error, Result};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What is to be small: whoever wins must win something and lose nothing.
const GOAL: &str = "time + rss";
/// Effects surely smaller than this are not worth more blocks.
const MARGIN: f64 = 0.005;
/// Where the seeds of the blocks begin.
const SEED: u64 = 1;

/// A way, as it was judged on the replays.
#[derive(serde::Serialize)]
pub struct Way {
    /// Its keys.
    keys: String,
    /// Time of the replays against the base; none if it failed, or lost before it was judged.
    time: Option<Judgement>,
    /// Their peak memory.
    peak: Option<Judgement>,
    /// Why it is out.
    problem: Option<String>,
    taken: bool,
    #[serde(skip)]
    settings: Vec<Setting>,
}

/// What came of it.
#[derive(serde::Serialize)]
pub struct Ways {
    /// All ways, the best first.
    ways: Vec<Way>,
    /// Blocks of the judgement.
    blocks: usize,
    /// Seconds that it took, builds included.
    seconds: f64,
}

/// Replays the recordings for about so long, builds included, under the base with what was fitted, and under each other way to own
/// objects. A way is taken if it is shown to save time or memory, and not shown to cost any.
pub fn replay(input: &Input<'_>, traces: &[Trace], config: Option<&str>, budget: Duration) -> Result<Ways> {
    let (place, start) = (input.place, Instant::now());
    let fitted = config.map(Setting::all_of).unwrap_or_default();
    let derived = |more: &[Setting]| {
        let all: Vec<Setting> = fitted.iter().chain(more).cloned().collect();
        Derived::of(place, &input.base, input.path, &all)
    };
    let base = derived(&[]).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        Error::failed("what was fitted is no config")
    })?;
    if base.plan.no_library.is_some() {
        return Err(Error::bad_input(
            "what was fitted has classes of 8 bytes, for a Rust program: no library can replay under it",
        )
        .help("leave --owners out, and try the modes in the program itself"));
    }
    let clients = Clients::of(place, |name| eprintln!("building the client {name}"))?;
    let jobs: Vec<Job> = traces
        .iter()
        .zip(&input.evidence)
        .map(|(trace, evidence)| Job::trace(&evidence.name, trace, &clients))
        .collect::<Result<_>>()?;
    // A mode that the base forbids is no way.
    let all = neighbours::owners();
    let ways = all.into_iter().filter_map(|way| Some((derived(&way).ok()?, way)));
    let mut ways: Vec<(Derived, Vec<Setting>)> = ways.collect();
    ways.retain(|(one, _)| one.plan.code_hash != base.plan.code_hash);
    derived::build(place, std::slice::from_ref(&base))?;
    let mut built: Vec<Allocator> = Vec::new();
    for (one, way) in &ways {
        derived::build(place, std::slice::from_ref(one))?;
        built.push(Allocator {
            label: keys(way),
            ..one.allocator(place)
        });
    }

    let wish = Wish {
        goal: GOAL.parse::<Sum>().expect("the goal is a constant"),
        budget: budget.saturating_sub(start.elapsed()).as_secs_f64().max(1.0),
        margin: (1.0 + MARGIN).ln(),
        seed: SEED,
        floored: true,
    };
    let mut bar = Bar::new()?;
    let make = |_: &[usize], _: f64, _: usize, _: &mut Bar| std::mem::take(&mut built);
    let field = Field::new(
        &clients,
        jobs,
        base.allocator(place),
        wish.seed,
        wish.budget,
        make,
        &mut bar,
    );
    let found = field.and_then(|mut field| tune::search(&mut field, &wish).map_err(Error::failed));
    bar.finish();
    let found = found?;
    if found.stopped {
        return Err(Error::stopped(
            "stopped by hand: nobody knows who had better own what is freed",
        ));
    }
    let best = found
        .finalists
        .iter()
        .find(|judged| wins(judged))
        .map(|judged| judged.who);
    let mut shown: Vec<Way> = Vec::new();
    let mut show = |who: usize, judged: Option<&Judged>, problem: Option<&String>| {
        let settings = ways[who - 1].1.clone();
        shown.push(Way {
            keys: keys(&settings),
            time: judged.and_then(|one| one.value),
            peak: judged.and_then(|one| one.peak),
            problem: problem.cloned(),
            taken: best == Some(who),
            settings,
        });
    };
    for judged in &found.finalists {
        show(judged.who, Some(judged), judged.problem.as_ref());
    }
    for dropped in &found.dropped {
        show(dropped.who, None, dropped.problem.as_ref());
    }
    Ok(Ways {
        ways: shown,
        blocks: found.blocks,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Whether a way saves time or memory, and costs neither.
fn wins(judged: &Judged) -> bool {
    let is = |outcome: Option<Judgement>, verdict: Verdict| outcome.is_some_and(|o| o.verdict == verdict);
    let both = [judged.value, judged.peak];
    judged.problem.is_none() && both.iter().any(|o| is(*o, Verdict::Go)) && !both.iter().any(|o| is(*o, Verdict::NoGo))
}

/// The keys of a way.
fn keys(settings: &[Setting]) -> String {
    let all: Vec<String> = settings.iter().map(|s| format!("{} = {}", s.key, s.value)).collect();
    all.join(", ")
}

/// A ratio with the interval that its verdict rests on.
fn told(outcome: Option<Judgement>) -> String {
    match outcome.map(|o| (o.ratio, o.judged(), o.word())) {
        Some((ratio, Some((lo, hi)), word)) => format!("{ratio:.3} [{lo:.3}, {hi:.3}] {word}"),
        Some((ratio, None, _)) => format!("{ratio:.3}"),
        None => "not judged".into(),
    }
}

impl Ways {
    fn taken(&self) -> Option<&Way> {
        self.ways.iter().find(|way| way.taken)
    }

    /// A table, and a sentence.
    pub fn print(&self, base: &str) {
        let mut table = style::table(&["who owns", "time of replays", "peak", ""], 1);
        for way in &self.ways {
            let word = way.problem.clone().unwrap_or_else(|| match way.taken {
                true => "taken".into(),
                false => String::new(),
            });
            table.add_row([way.keys.clone(), told(way.time), told(way.peak), word]);
        }
        println!(
            "\nby replays, in {} blocks, {:.0} s with builds:",
            self.blocks, self.seconds
        );
        style::print_table(&table);
        match self.taken() {
            Some(way) => println!("{} is taken", way.keys),
            None => println!("owners as in {base}: no other way was shown to save time or memory at no cost"),
        }
    }

    /// The table of the config for what is taken, with its reason.
    pub fn lines(&self, input: &Input<'_>) -> Option<String> {
        let way = self.taken()?;
        let mut text = format!(
            "\n[ownership]\n# What threads do to each other no model says: the recordings were replayed under each way, in {} blocks.\n\
             # Measured against what stands above: time {}, peak {} (evidence {}).\n",
            self.blocks,
            told(way.time),
            told(way.peak),
            input.ids()
        );
        for setting in &way.settings {
            let name = setting
                .key
                .split_once('.')
                .map_or(setting.key.as_str(), |(_, name)| name);
            let _ = writeln!(text, "{name} = {}", setting.value);
        }
        Some(text)
    }

    /// A config of what is taken alone, where nothing else was fitted.
    pub fn alone(&self, input: &Input<'_>) -> Option<String> {
        let (way, lines) = (self.taken()?, self.lines(input)?);
        let is_time = way.time.is_some_and(|o| o.verdict == Verdict::Go);
        let (goal, outcome) = if is_time { ("time", way.time) } else { ("rss", way.peak) };
        let hypothesis = format!(
            "{} against {}: {} {}, as on replays.",
            keys(&way.settings),
            input.base.name,
            if is_time { "time" } else { "peak memory" },
            told(outcome)
        );
        Some(input.head(Some(goal), &hypothesis) + &lines)
    }
}
