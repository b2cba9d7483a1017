//! `tune`: the best config for a program, found in a given time.

use super::compare::contender;
use super::new;
use super::rows::{Rows, duration};
use crate::bar::Bar;
use crate::derived::{self, Derived, Setting};
use crate::fresh::Fresh;
use crate::{configs, neighbours, style};
use hz3_config::Plan;
use hz3_lab::clients::Clients;
use hz3_lab::compare::Watch;
use hz3_lab::expression::{Quantity, Sum};
use hz3_lab::record::Outcome as Verdict;
use hz3_lab::rows::Job;
use hz3_lab::stats;
use hz3_lab::tune::{self, ALPHA, Field, Found, Judged, Wish};
use hz3_project::{Allocator, Error, Outcome, Place, file, name};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `tune`.
#[derive(clap::Args)]
#[command(after_help = "\
Candidates are what `fit` makes of a recording of the command, the configs of --also, and the neighbourhood of the base: one
key, or a few that belong together, set otherwise. They race by successive halving; then what is made of the best ones enters.
The last few are judged on blocks that the search has not seen. The chance that any of them is called better or worse than the
base although it is not, is 2 % at most, however many were tried.

The goal is a sum of ratios to the base: time, rss, latency, final, cpu, faults; time + 0.3 rss. Over several rows it is the
geometric mean. latency is p99.9 of malloc on rows of the lab's clients.

Examples:
  cargo hz3 tune --budget 10m -o configs/mine.toml -- ./my-server --selftest
  cargo hz3 tune --goal 'time + 0.3 rss' --rows app,mixed,mt-r50 --budget 20m
  cargo hz3 tune --base compact --also mine --goal rss -- ./my-server --selftest")]
pub struct Arguments {
    /// The base: a config of the project, a preset, or a path
    #[arg(long, default_value = "default", value_name = "NAME")]
    base: String,
    /// What is to be small
    #[arg(long, default_value = "time", value_name = "SUM")]
    goal: Sum,
    /// Time for everything, builds included: 90s, 10m, 1h
    #[arg(long, default_value = "10m", value_parser = duration)]
    budget: Duration,
    /// Configs that are candidates, too
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    also: Vec<String>,
    /// Do not record the command for `fit`
    #[arg(long)]
    no_fit: bool,
    /// Effects surely below this many percent are not worth more time
    #[arg(long, default_value_t = 0.5, value_name = "PERCENT", value_parser = super::rows::percent)]
    margin: f64,
    /// Write the config that is recommended
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// What was found as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    fresh: Fresh,
    #[command(flatten)]
    rows: Rows,
}

/// One that was tried.
struct Candidate {
    label: String,
    /// Where it comes from.
    origin: &'static str,
    /// What it sets; nothing of a config that was named.
    settings: Vec<Setting>,
}

/// Who makes candidates.
struct Maker<'a> {
    place: &'a Place,
    base: &'a Plan,
    config: &'a Path,
    resolved: toml::Table,
    /// Named configs and what `fit` made, before anything else.
    first: Vec<(Candidate, Allocator)>,
    /// All, by their numbers, from 1.
    made: &'a RefCell<Vec<Candidate>>,
    hashes: Vec<hz3_config::plan::ConfigHash>,
}

impl Maker<'_> {
    /// Candidates, as many as can be built in so many seconds.
    fn make(&mut self, best: &[usize], seconds: f64, most: usize, watch: &mut impl Watch) -> Vec<Allocator> {
        let start = Instant::now();
        let mut libraries = Vec::new();
        for (candidate, library) in std::mem::take(&mut self.first) {
            self.made.borrow_mut().push(candidate);
            libraries.push(library);
        }
        let wanted = match best {
            [] => neighbours::around(&self.resolved),
            best => {
                let made = self.made.borrow();
                let best: Vec<Vec<Setting>> = best.iter().map(|who| made[who - 1].settings.clone()).collect();
                let best: Vec<Vec<Setting>> = best.into_iter().filter(|one| !one.is_empty()).collect();
                neighbours::combined(&best, &self.resolved)
            }
        };
        let origin = if best.is_empty() {
            "neighbourhood"
        } else {
            "what did well, together"
        };
        for settings in wanted {
            if libraries.len() >= most || watch.stop() {
                break;
            }
            // The first is built whatever it takes, or there would be nothing to measure.
            if !libraries.is_empty() && start.elapsed().as_secs_f64() >= seconds {
                break;
            }
            let Ok(one) = Derived::of(self.place, self.base, self.config, &settings) else {
                continue;
            };
            if self.hashes.contains(&one.plan.code_hash) {
                continue;
            }
            self.hashes.push(one.plan.code_hash);
            watch.progress(0.0, &format!("building {}", one.label));
            if let Err(e) = derived::build(self.place, std::slice::from_ref(&one)) {
                watch.say(&format!("warning: {}: {}", one.label, e.message));
                continue;
            }
            libraries.push(one.allocator(self.place));
            self.made.borrow_mut().push(Candidate {
                label: one.label,
                origin,
                settings,
            });
        }
        libraries
    }
}

/// Runs `tune`.
pub fn run(mut arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let config = name::config(&place, &arguments.base)?;
    let base = configs::load(&config)?;
    if let Some(path) = &arguments.output {
        file::writable(path)?;
        sound(&place, path, &text(&place, path, &config, &base, "", &[]))?;
    }
    if arguments.goal.names().contains(&Quantity::Latency) && arguments.rows.tail.is_none() {
        if !arguments.rows.command.is_empty() {
            return Err(Error::bad_input(
                "single calls are timed in clients of the lab only: latency needs --rows",
            ));
        }
        arguments.rows.tail = Some("malloc".into());
    }
    let clients = Clients::of(&place, |name| eprintln!("building the client {name}"))?;
    let jobs = arguments.rows.jobs(&place, &clients)?;
    had(&arguments.goal, &jobs)?;
    arguments
        .fresh
        .prepare(&place, std::iter::once(&arguments.base).chain(&arguments.also))?;
    let library = contender(&place, &arguments.base)?;

    let budget = arguments.budget.as_secs_f64();
    let start = Instant::now();
    let resolved = toml::from_str(&base.resolved).map_err(|e| Error::failed(format!("{}: {e}", base.name)))?;
    let made = RefCell::new(Vec::new());
    let mut maker = Maker {
        place: &place,
        base: &base,
        config: &config,
        resolved,
        first: Vec::new(),
        made: &made,
        hashes: vec![base.code_hash],
    };
    named(&place, &arguments, &mut maker)?;
    if !arguments.no_fit && !arguments.rows.command.is_empty() {
        fitted(&place, &arguments, &mut maker);
    }
    let wish = Wish {
        goal: arguments.goal.clone(),
        budget: (budget - start.elapsed().as_secs_f64()).max(1.0),
        margin: (1.0 + arguments.margin / 100.0).ln(),
        seed: arguments.rows.seed,
        floored: true,
    };
    let mut bar = Bar::new()?;
    let make = |best: &[usize], seconds: f64, most: usize, watch: &mut Bar| maker.make(best, seconds, most, watch);
    let found =
        Field::new(&clients, jobs.clone(), library, wish.seed, wish.budget, make, &mut bar).and_then(|mut field| {
            tune::search(&mut field, &wish).map_err(|why| Error::failed(format!("{}: {why}", base.name)))
        });
    bar.finish();
    let found = found?;
    let made = made.into_inner();
    let shown = Shown {
        base: &base,
        arguments: &arguments,
        jobs: &jobs,
        found: &found,
        made: &made,
    };
    if arguments.json {
        super::print_json(&shown.json())?;
    } else {
        shown.print();
    }
    if found.stopped {
        return Err(Error::stopped("stopped by hand: the figures above are what there is"));
    }
    match (&arguments.output, found.best) {
        (Some(path), Some(best)) => {
            let own = &made[best - 1];
            let lines = shown.reasons(best);
            let text = match own.settings.is_empty() {
                // A config that was named stays what it is: the new one is another name of it.
                true => text(&place, path, &name::config(&place, &own.label)?, &base, &lines, &[]),
                false => text(&place, path, &config, &base, &lines, &own.settings),
            };
            sound(&place, path, &text)?;
            file::write(path, text.as_bytes())?;
            println!("{}", path.display());
        }
        (Some(path), None) => eprintln!("{}: {} is not written", style::note("note"), path.display()),
        (None, _) => {}
    }
    Ok(())
}

/// Refuses a goal with a name that some row lacks.
fn had(goal: &Sum, jobs: &[Job]) -> Outcome {
    for name in goal.names() {
        let lacks = |job: &&Job| !name.is_had(job.metric, job.client.is_some(), false);
        if let Some(job) = jobs.iter().find(lacks) {
            return Err(Error::bad_input(format!(
                "--goal '{}': the row {} has no `{}`",
                goal.text(),
                job.name,
                name.name()
            )));
        }
    }
    Ok(())
}

/// Configs that were named as candidates.
fn named(place: &Place, arguments: &Arguments, maker: &mut Maker<'_>) -> Outcome {
    for word in &arguments.also {
        let plan = configs::load(&name::config(place, word)?)?;
        if maker.hashes.contains(&plan.code_hash) {
            eprintln!(
                "{}: {word} is the same allocator as another one",
                style::note("left out")
            );
            continue;
        }
        maker.hashes.push(plan.code_hash);
        let candidate = Candidate {
            label: word.clone(),
            origin: "--also",
            settings: Vec::new(),
        };
        maker.first.push((candidate, contender(place, word)?));
    }
    Ok(())
}

/// What `fit` makes of a recording of the command. If it makes nothing, or fails, there is no such candidate.
fn fitted(place: &Place, arguments: &Arguments, maker: &mut Maker<'_>) {
    eprintln!("recording the command for `fit`");
    let answer = std::env::current_exe().and_then(|own| {
        let mut command = std::process::Command::new(own);
        command.args(["fit", "--base", &arguments.base, "--format", "json", "--"]);
        command
            .args(&arguments.rows.command)
            .stdin(std::process::Stdio::null())
            .output()
    });
    let left_out = |why: &str| eprintln!("{}: what `fit` makes: {why}", style::note("left out"));
    let answer = match answer {
        Ok(answer) if answer.status.success() => answer,
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.stderr);
            return left_out(said.lines().last().unwrap_or("it failed"));
        }
        Err(e) => return left_out(&e.to_string()),
    };
    let text: Option<String> = serde_json::from_slice::<serde_json::Value>(&answer.stdout)
        .ok()
        .and_then(|json| Some(json.get("config")?.as_str()?.to_owned()));
    let Some(text) = text else {
        return left_out("it keeps the base");
    };
    let settings = settings_of(&text);
    let derived = Derived::of(place, maker.base, maker.config, &settings);
    let Ok(mut one) = derived else {
        return left_out("it is no config of this base");
    };
    if settings.is_empty() || maker.hashes.contains(&one.plan.code_hash) {
        return left_out("it is the base");
    }
    if let Err(e) = derived::build(place, std::slice::from_ref(&one)) {
        return left_out(&e.message);
    }
    maker.hashes.push(one.plan.code_hash);
    one.label = "fitted".into();
    let candidate = Candidate {
        label: one.label.clone(),
        origin: "fit",
        settings,
    };
    maker.first.push((candidate, one.allocator(place)));
}

/// The keys of a config's tables.
fn settings_of(text: &str) -> Vec<Setting> {
    let Ok(document) = toml::from_str::<toml::Table>(text) else {
        return Vec::new();
    };
    let tables = document
        .iter()
        .filter_map(|(table, keys)| Some((table, keys.as_table()?)));
    let keys = tables.flat_map(|(table, keys)| {
        keys.iter().map(move |(key, value)| Setting {
            key: format!("{table}.{key}"),
            value: value.to_string(),
        })
    });
    keys.collect()
}

/// Whether a text would be a sound config in this file.
fn sound(place: &Place, path: &Path, text: &str) -> Outcome {
    hz3_config::load_str(path, text).map(drop).map_err(|faults| {
        eprintln!("{}", faults.render(style::stderr_colour()));
        Error::bad_input(format!("{} would be no valid config", place.shown(path)))
    })
}

/// The config: a head, why, and the keys.
fn text(place: &Place, path: &Path, parent: &Path, base: &Plan, reasons: &str, settings: &[Setting]) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let sibling = folder.canonicalize().is_ok_and(|folder| folder == place.configs());
    let extends = match sibling {
        true => new::extends(place, parent),
        false => parent.display().to_string(),
    };
    let description = format!("{}, tuned", base.name);
    let mut text = new::head(place, &stem, &extends, &description, None);
    text.push('\n');
    text.push_str(reasons);
    for setting in settings {
        let _ = writeln!(text, "{} = {}", setting.key, setting.value);
    }
    text
}

/// What was found, for people.
struct Shown<'a> {
    base: &'a Plan,
    arguments: &'a Arguments,
    jobs: &'a [Job],
    found: &'a Found,
    made: &'a [Candidate],
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

impl Shown<'_> {
    fn label(&self, who: usize) -> &str {
        &self.made[who - 1].label
    }

    /// Who of base (0) and finalists is on the front.
    fn front(&self) -> Vec<usize> {
        let judged = self.found.finalists.iter().filter(|j| j.problem.is_none());
        let points = judged.filter_map(|j| Some((j.who, (j.value?.ratio, j.peak?.ratio))));
        let all: Vec<(usize, (f64, f64))> = std::iter::once((0, (1.0, 1.0))).chain(points).collect();
        let points: Vec<(f64, f64)> = all.iter().map(|(_, point)| *point).collect();
        tune::front(&points).into_iter().map(|i| all[i].0).collect()
    }

    fn print(&self) {
        let (found, goal) = (self.found, self.arguments.goal.text());
        let rows: Vec<&str> = self.jobs.iter().map(|job| job.name.as_str()).collect();
        style::print_fields(&[
            ("base", self.base.name.clone()),
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
        let front = self.front();
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
        let mut base = vec![self.base.name.clone(), mark(0)];
        base.extend((0..3).flat_map(|_| ["1.000".to_owned(), String::new(), String::new()]));
        table.add_row(base);
        let mut finalists: Vec<&Judged> = found.finalists.iter().collect();
        finalists.sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
        for judged in finalists {
            let mut line = vec![self.label(judged.who).to_owned(), mark(judged.who)];
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
        let goal = self.arguments.goal.text();
        let mut table = style::table(&["", "from", "blocks", goal, value_title(self.jobs), "peak RSS"], 2);
        let mut dropped: Vec<_> = self.found.dropped.iter().collect();
        dropped.sort_by(|a, b| a.trial.median().total_cmp(&b.trial.median()));
        for one in dropped {
            let candidate = &self.made[one.who - 1];
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
                self.base.name,
                self.made.len(),
                self.arguments.goal.text()
            );
        };
        let judged = self.found.finalists.iter().find(|j| j.who == best);
        let goal = judged.and_then(|j| j.goal);
        let mut text = format!(
            "recommended: {}, {} {} {}",
            self.label(best),
            self.arguments.goal.text(),
            ratio(goal),
            interval(goal)
        );
        for setting in &self.made[best - 1].settings {
            let _ = write!(text, "\n  {} = {}", setting.key, setting.value);
        }
        text
    }

    /// Why the config has its keys, as comments.
    fn reasons(&self, best: usize) -> String {
        let mut text = String::new();
        let Some(judged) = self.found.finalists.iter().find(|j| j.who == best) else {
            return text;
        };
        let rows: Vec<&str> = self.jobs.iter().map(|job| job.about.as_str()).collect();
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let _ = writeln!(
            text,
            "# Goal: {}, against {}, on {}.",
            self.arguments.goal.text(),
            self.base.name,
            line(&rows.join("; "))
        );
        for (title, o) in [
            ("Goal", judged.goal),
            (value_title(self.jobs), judged.value),
            ("Peak RSS", judged.peak),
        ] {
            let _ = writeln!(
                text,
                "# {title}: {} {}, {}, {} blocks.",
                ratio(o),
                interval(o),
                word(o),
                judged.trial.goal.len()
            );
        }
        let _ = writeln!(
            text,
            "# The best of {} candidates, judged on blocks that the search had not seen; any of {} finalists is wrong with {:.0} % at most.",
            self.made.len(),
            self.found.finalists.len(),
            ALPHA * 100.0
        );
        text
    }

    fn json(&self) -> serde_json::Value {
        let candidate = |who: usize| {
            let one = &self.made[who - 1];
            let settings = one.settings.iter().map(|s| (s.key.clone(), s.value.clone().into()));
            let settings: serde_json::Map<String, serde_json::Value> = settings.collect();
            serde_json::json!({ "label": one.label, "from": one.origin, "settings": settings })
        };
        let front = self.front();
        let finalists = self.found.finalists.iter().map(|j| {
            serde_json::json!({
                "candidate": candidate(j.who), "goal": j.goal, "value": j.value, "peak": j.peak,
                "blocks": j.trial.goal.len(), "front": front.contains(&j.who), "problem": j.problem,
            })
        });
        let dropped = self.found.dropped.iter().map(|d| {
            let median = |samples: &[f64]| (!samples.is_empty()).then(|| stats::median(samples).exp());
            serde_json::json!({
                "candidate": candidate(d.who), "blocks": d.trial.goal.len(), "problem": d.problem,
                "goal": median(&d.trial.goal), "value": median(&d.trial.value), "peak": median(&d.trial.peak),
            })
        });
        serde_json::json!({
            "base": self.base.name,
            "goal": self.arguments.goal.text(),
            "alpha": ALPHA,
            "blocks": self.found.blocks,
            "base_on_front": front.contains(&0),
            "best": self.found.best.map(candidate),
            "finalists": finalists.collect::<Vec<_>>(),
            "dropped": dropped.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_config_are_the_keys_of_its_tables() {
        let text =
            "name = \"x\"\nextends = \"default\"\ncache.batch_max = 64\n[classes]\nsteps = [{ sizes = [32, 48] }]\n";
        let settings = settings_of(text);
        let all: Vec<String> = settings.iter().map(|s| format!("{} = {}", s.key, s.value)).collect();
        assert_eq!(all, ["cache.batch_max = 64", "classes.steps = [{ sizes = [32, 48] }]"]);
    }
}
