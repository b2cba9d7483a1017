//! Who races: configs that were named, what `fit` makes, and the neighbourhood of the base.

use crate::commands::compare::claims;
use crate::commands::fit;
use crate::derived::{self, Derived, Setting};
use crate::fresh::Fresh;
use crate::{configs, neighbours, style};
use hz3_config::Plan;
use hz3_config::plan::{ConfigHash, Goal};
use hz3_lab::compare::Watch;
use hz3_lab::record::Claim;
use hz3_project::{Allocator, Error, Outcome, Place, Result, name};
use std::path::Path;
use std::time::Instant;

/// One that was tried.
pub struct Candidate {
    /// What tables call it.
    pub label: String,
    /// Where it comes from.
    pub origin: &'static str,
    /// What it sets; nothing of a config that was named.
    pub settings: Vec<Setting>,
    /// What its config says that it is for: of what `fit` made, the prediction.
    pub claim: Option<Claim>,
}

impl Candidate {
    /// Made of settings. A list of classes would be wider than any table; no other one has the label.
    fn made(origin: &'static str, settings: Vec<Setting>, others: &[Self]) -> Self {
        const LONGEST: usize = 28;
        let brief = |setting: &Setting| match setting.short() {
            long if long.chars().count() > LONGEST => long.chars().take(LONGEST).chain(['…']).collect(),
            short => short,
        };
        let all: Vec<String> = settings.iter().map(brief).collect();
        let mut label = all.join(" ");
        let taken = |label: &str| others.iter().filter(|other| other.label.starts_with(label)).count();
        match taken(&label) {
            0 => {}
            n => label += &format!(" ({})", n + 1),
        }
        Self {
            label,
            origin,
            settings,
            claim: None,
        }
    }
}

/// Who makes candidates.
pub struct Maker<'a> {
    place: &'a Place,
    base: &'a Plan,
    config: &'a Path,
    resolved: toml::Table,
    /// Libraries of the first candidates, which wait for the race to begin.
    first: Vec<Allocator>,
    /// All candidates, by their numbers, from 1.
    made: Vec<Candidate>,
    /// The base, and what was made: nothing is made twice.
    hashes: Vec<ConfigHash>,
}

impl<'a> Maker<'a> {
    /// Nothing is made yet.
    pub fn new(place: &'a Place, base: &'a Plan, config: &'a Path) -> Result<Self> {
        let resolved = toml::from_str(&base.resolved).map_err(|e| Error::failed(format!("{}: {e}", base.name)))?;
        Ok(Self {
            place,
            base,
            config,
            resolved,
            first: Vec::new(),
            made: Vec::new(),
            hashes: vec![base.code_hash],
        })
    }

    /// All that were made, by their numbers, from 1.
    pub fn made(&self) -> &[Candidate] {
        &self.made
    }

    /// What their configs say that they are for, by label.
    pub fn claims(&self) -> impl Iterator<Item = (String, Claim)> {
        self.made
            .iter()
            .filter_map(|one| Some((one.label.clone(), one.claim.clone()?)))
    }

    /// Adds configs that were named.
    pub fn named(&mut self, words: &[String], fresh: &Fresh) -> Outcome {
        fresh.prepare(self.place, words)?;
        for word in words {
            let plan = configs::load(&name::config(self.place, word)?)?;
            if self.hashes.contains(&plan.code_hash) {
                eprintln!(
                    "{}: {word} is the same allocator as another one",
                    style::note("left out")
                );
                continue;
            }
            self.hashes.push(plan.code_hash);
            self.first.push(Allocator::find(self.place, word)?);
            self.made.push(Candidate {
                label: word.clone(),
                origin: "--also",
                settings: Vec::new(),
                claim: claims(self.place, [word].into_iter()).pop().map(|(_, claim)| claim),
            });
        }
        Ok(())
    }

    /// Adds what `fit` makes of a recording of the command. If it makes nothing, or fails, there is no such candidate.
    pub fn fitted(&mut self, command: &[String]) {
        eprintln!("recording the command for `fit`");
        if let Err(why) = self.fit(command) {
            eprintln!("{}: what `fit` makes: {why}", style::note("left out"));
        }
    }

    fn fit(&mut self, command: &[String]) -> std::result::Result<(), String> {
        let text = fit::of_command(self.place, self.config, self.base.clone(), command).map_err(|e| e.message)?;
        let text = text.ok_or("it keeps the base")?;
        let settings = Setting::all_of(&text);
        let one = Derived::of(self.place, self.base, self.config, &settings)
            .map_err(|_| "it is no config of this base".to_owned())?;
        if self.hashes.contains(&one.plan.code_hash) {
            return Err("it is the same allocator as another one".into());
        }
        derived::build(self.place, std::slice::from_ref(&one)).map_err(|e| e.message)?;
        self.hashes.push(one.plan.code_hash);
        let label = "fitted".to_owned();
        self.first.push(Allocator {
            label: label.clone(),
            ..one.allocator(self.place)
        });
        self.made.push(Candidate {
            label,
            origin: "fit",
            settings,
            claim: claim_of(&text),
        });
        Ok(())
    }

    /// The libraries of candidates, as many as can be built in so many seconds: to begin with, what was added and the
    /// neighbourhood of the base; later what is made of the best.
    pub fn make(&mut self, best: &[usize], seconds: f64, most: usize, watch: &mut impl Watch) -> Vec<Allocator> {
        let start = Instant::now();
        let mut libraries = std::mem::take(&mut self.first);
        let (wanted, origin) = match best {
            [] => (neighbours::around(&self.resolved), "neighbourhood"),
            best => {
                let best = best.iter().map(|who| self.made[who - 1].settings.clone());
                let best: Vec<Vec<Setting>> = best.filter(|one| !one.is_empty()).collect();
                (neighbours::combined(&best, &self.resolved), "what did well, together")
            }
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
            let candidate = Candidate::made(origin, settings, &self.made);
            watch.progress(0.0, &format!("building {}", candidate.label));
            if let Err(e) = derived::build(self.place, std::slice::from_ref(&one)) {
                watch.say(&format!("warning: {}: {}", candidate.label, e.message));
                continue;
            }
            libraries.push(Allocator {
                label: candidate.label.clone(),
                ..one.allocator(self.place)
            });
            self.made.push(candidate);
        }
        libraries
    }
}

/// What a config's text says that it is for.
fn claim_of(text: &str) -> Option<Claim> {
    let document: toml::Table = toml::from_str(text).ok()?;
    let word = |key: &str| Some(document.get(key)?.as_str()?.to_owned());
    let hypothesis = Some(word("hypothesis")?);
    let goal = word("goal").unwrap_or_else(|| Goal::default().word().to_owned());
    Some(Claim { hypothesis, goal })
}
