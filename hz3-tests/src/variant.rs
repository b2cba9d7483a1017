//! Allocators: a variant of hz3, which is built when it is first asked for, or the C library's own.

use crate::place::{self, PLACE};
use hz3_project::build::{Builder, Options};
use hz3_project::{Error, Library, current};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

/// What serves malloc in a process.
#[derive(Debug, Clone)]
pub enum Allocator {
    /// The C library itself: the control.
    Glibc,
    /// A variant, by its name and its library, which is preloaded.
    Variant(Arc<Variant>),
    /// A variant that is in the program itself.
    Linked(Arc<Variant>),
}

/// A built variant.
#[derive(Debug)]
pub struct Variant {
    /// The name of its config.
    pub name: String,
    /// Its library.
    pub path: PathBuf,
    /// What the library says of itself.
    pub library: Library,
}

impl Allocator {
    /// The variant of a config. Builds its library unless that is what the config and the sources say now.
    ///
    /// # Errors
    ///
    /// What the config's check, cargo, or a look at the result says; in full for the first who asks.
    pub fn variant(name: &str) -> Result<Allocator, String> {
        type Built = Result<Arc<Variant>, String>;
        static BUILT: LazyLock<Mutex<BTreeMap<String, Built>>> = LazyLock::new(Mutex::default);
        // Held while cargo runs: it would only make the others wait at its own lock.
        let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(variant) = built.get(name) {
            return variant.clone().map(Allocator::Variant);
        }
        let result = provide(name).map(Arc::new);
        let later = |_| format!("no libhz3_{name}.so: the first test of {name} that failed says why");
        built.insert(name.to_owned(), result.clone().map_err(later));
        result.map(Allocator::Variant)
    }

    /// The same in a program that has it in it.
    pub fn linked(&self) -> Allocator {
        match self {
            Allocator::Variant(variant) => Allocator::Linked(Arc::clone(variant)),
            other => other.clone(),
        }
    }

    /// The static archive of the variant, made when it is first asked for: by its library, and so it is what the sources say.
    ///
    /// # Errors
    ///
    /// What cargo or the linker says; or that the C library has none.
    pub fn archive(&self) -> Result<PathBuf, String> {
        static MADE: LazyLock<Mutex<BTreeMap<String, Result<PathBuf, String>>>> = LazyLock::new(Mutex::default);
        let Allocator::Variant(variant) = self else {
            return Err("the C library's malloc is in no archive of ours".to_owned());
        };
        let make = || {
            let plan = hz3_config::load(&place::config(&variant.name)).map_err(|e| e.to_string())?;
            Builder::open(&PLACE, Options::default(), || ())
                .and_then(|builder| builder.archive(&plan, Some(&variant.library)))
                .map_err(told)
        };
        let mut made = MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        made.entry(variant.name.clone()).or_insert_with(make).clone()
    }

    /// `glibc`, or the variant's name.
    pub fn name(&self) -> &str {
        match self {
            Allocator::Glibc => "glibc",
            Allocator::Variant(variant) | Allocator::Linked(variant) => &variant.name,
        }
    }

    /// What puts it into a process; the clients prove with `HZ3_EXPECT` that it got there.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        match self {
            Allocator::Glibc => Vec::new(),
            Allocator::Linked(variant) => vec![("HZ3_EXPECT".into(), variant.name.clone().into())],
            Allocator::Variant(variant) => vec![
                ("LD_PRELOAD".into(), variant.path.clone().into_os_string()),
                ("HZ3_EXPECT".into(), variant.name.clone().into()),
            ],
        }
    }
}

fn provide(name: &str) -> Result<Variant, String> {
    let plan = hz3_config::load(&place::config(name)).map_err(|e| e.to_string())?;
    let built = || match current::library(&PLACE, &plan)? {
        Some(path) => Library::read(&path),
        None => Builder::open(&PLACE, Options::default(), || ())?.library(&plan),
    };
    let library = built().map_err(told)?;
    Ok(Variant {
        name: name.to_owned(),
        path: library.path.clone(),
        library,
    })
}

fn told(error: Error) -> String {
    [Some(error.message), error.help]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}
