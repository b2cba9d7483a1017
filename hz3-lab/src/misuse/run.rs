//! The processes: each kind in its own, under a library that is proven to be at work.

use super::{CLIENT, Contender, Ending, Family, Found};
use crate::{clients::Clients, prove};
use hz3_config::suggest;
use hz3_project::{Allocator, Error, Result, program};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The client, compiled, and the kinds that are wanted.
#[derive(Debug, Clone)]
pub struct Misuser {
    program: PathBuf,
    families: Vec<Family>,
}

/// Which kinds are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// All.
    All,
    /// Those of these names, and those of families of these names.
    Only(&'a [String]),
}

impl Misuser {
    /// Compiles the client, and asks it which kinds there are.
    pub fn of(clients: &Clients, choice: Choice<'_>) -> Result<Self> {
        let program = clients.program(&CLIENT)?;
        let fault = |e: String| Error::unfit(format!("{}: {e}", program.display()));
        let out = program::clean(&program)
            .arg("--list")
            .output()
            .map_err(|e| fault(e.to_string()))?;
        let families: Vec<Family> = serde_json::from_slice(&out.stdout).map_err(|e| fault(e.to_string()))?;
        let families = match choice {
            Choice::All => families,
            Choice::Only(words) => chosen(families, words)?,
        };
        Ok(Self { program, families })
    }

    /// The kinds.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// Commits all kinds under an allocator, each `rounds` times.
    pub fn commit(&self, clients: &Clients, allocator: &Allocator, rounds: u32) -> Result<Contender> {
        prove::program(&self.program, "misuse", &[], allocator)?;
        let jobs: Vec<(&Family, &str)> = self
            .families
            .iter()
            .flat_map(|f| f.kinds.iter().map(move |k| (f, k.name.as_str())))
            .collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![None; jobs.len()]));
        let work = || -> Result<()> {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((family, kind)) = jobs.get(at) else {
                    return Ok(());
                };
                let all = (0..rounds).map(|_| self.once(family, kind, allocator));
                let one = Found::together(all.collect::<Result<Vec<_>>>()?);
                if let (Ok(mut found), Some(one)) = (found.lock(), one) {
                    found[at] = Some(one);
                }
            }
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|w| w.join());
            ended
                .map(|e| e.unwrap_or_else(|_| Err(Error::failed("a thread that commits misuse ended badly"))))
                .collect::<Result<Vec<()>>>()
        })?;
        let found: Vec<Found> = found.into_inner().unwrap_or_default().into_iter().flatten().collect();
        Ok(Contender {
            label: allocator.label.clone(),
            library: allocator.path.as_ref().map(|path| path.display().to_string()),
            version: prove::version(clients, allocator),
            found,
            instructions: None,
            timed: Vec::new(),
        })
    }

    /// One process.
    fn once(&self, family: &Family, kind: &str, allocator: &Allocator) -> Result<Found> {
        let mut command = program::clean(&self.program);
        if let Some(path) = &allocator.path {
            command.env("LD_PRELOAD", path);
        }
        let out = command
            .arg(kind)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Error::unfit(format!("{}: {e}", self.program.display())))?;
        let ending = Ending {
            exit: out.status.code().unwrap_or(-1),
            signal: out.status.signal().unwrap_or(0),
            said: &String::from_utf8_lossy(&out.stdout),
            told: &out.stderr,
        };
        Ok(ending.judge(family.access, family.property))
    }
}

/// The kinds that words name.
fn chosen(families: Vec<Family>, words: &[String]) -> Result<Vec<Family>> {
    let known: Vec<&str> = families
        .iter()
        .flat_map(|f| f.kinds.iter().map(|k| k.name.as_str()).chain([f.name.as_str()]))
        .collect();
    for word in words {
        if !known.contains(&word.as_str()) {
            let unknown = Error::bad_input(format!("`{word}` is no kind of misuse and no family of kinds"));
            return Err(match suggest::nearest(word, known.iter().copied()) {
                Some(near) => unknown.help(format!("did you mean `{near}`?")),
                None => unknown.help("cargo hz3 misuse --list shows them"),
            });
        }
    }
    let keep = |mut family: Family| {
        if !words.contains(&family.name) {
            family.kinds.retain(|kind| words.contains(&kind.name));
        }
        (!family.kinds.is_empty()).then_some(family)
    };
    Ok(families.into_iter().filter_map(keep).collect())
}
