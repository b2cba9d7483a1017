//! Allocators: a variant of hz3, which is built when it is first asked for, or the C library's own.

use crate::library::Library;
use crate::place::{self, PLACE};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::SystemTime;

/// What serves malloc in a process.
#[derive(Debug, Clone)]
pub enum Allocator {
    /// The C library itself: the control.
    Glibc,
    /// A variant, by its name and its library.
    Variant(Arc<Variant>),
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

/// Crates whose sources reach a library.
const CRATES: [&str; 4] = ["hz3-config", "hz3-core", "hz3-macros", "hz3-preload"];

impl Allocator {
    /// The variant of a config. Builds its library unless that is newer than all that it is made from.
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

    /// `glibc`, or the variant's name.
    pub fn name(&self) -> &str {
        match self {
            Allocator::Glibc => "glibc",
            Allocator::Variant(variant) => &variant.name,
        }
    }

    /// What puts it into a process; the clients prove with `HZ3_EXPECT` that it got there.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        match self {
            Allocator::Glibc => Vec::new(),
            Allocator::Variant(variant) => vec![
                ("LD_PRELOAD".into(), variant.path.clone().into_os_string()),
                ("HZ3_EXPECT".into(), variant.name.clone().into()),
            ],
        }
    }
}

fn provide(name: &str) -> Result<Variant, String> {
    let config = PLACE.config_file(name);
    let plan = hz3_config::load(&config).map_err(|e| e.to_string())?;
    let (hash, path) = (
        plan.hash.to_string(),
        PLACE.libraries().join(format!("libhz3_{name}.so")),
    );
    if let Some(library) = fresh(&path, &plan.sources, &hash) {
        return Ok(Variant {
            name: name.to_owned(),
            path,
            library,
        });
    }
    // Another cargo may replace cargo's output between its build and our copy of it: then the note tells.
    let mut last = String::new();
    for _ in 0..4 {
        match build(&config, &path) {
            Ok(library) if library.name == name && library.hash == hash => {
                return Ok(Variant {
                    name: name.to_owned(),
                    path,
                    library,
                });
            }
            Ok(other) => {
                last = format!(
                    "cargo made `{}` (config {}), not `{name}` ({hash})",
                    other.name, other.hash
                )
            }
            Err(e) => return Err(e),
        }
    }
    Err(last)
}

/// The library at `path`, if it was made from this config and nothing that it depends on is younger.
fn fresh(path: &Path, sources: &[PathBuf], hash: &str) -> Option<Library> {
    let made = modified(path)?;
    let mut inputs = vec![PLACE.root.join("Cargo.toml"), PLACE.root.join("Cargo.lock")];
    inputs.extend_from_slice(sources);
    for name in CRATES {
        let dir = PLACE.root.join(name);
        inputs.extend([dir.join("Cargo.toml"), dir.join("build.rs")]);
        files_below(&dir.join("src"), &mut inputs);
    }
    let stale = inputs
        .iter()
        .filter_map(|file| modified(file))
        .any(|changed| changed >= made);
    let library = Library::read(path).ok()?;
    (!stale && library.hash == hash).then_some(library)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn files_below(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, files)
        } else {
            files.push(path)
        }
    }
}

/// The command line's own build command.
fn build(config: &Path, path: &Path) -> Result<Library, String> {
    let folder = place::target().join("hz3-build");
    let started = SystemTime::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            "hz3-preload",
            "--profile",
            "variant",
            "--target-dir",
        ])
        .arg(&folder)
        .current_dir(&PLACE.root)
        .env("HZ3_CONFIG", config)
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "HZ3_CONFIG={} cargo build -p hz3-preload --profile variant failed:\n{}",
            config.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let say = |what: &str, e: std::io::Error| format!("cannot {what} {}: {e}", path.display());
    std::fs::create_dir_all(PLACE.libraries()).map_err(|e| say("make the folder of", e))?;
    // In one step, as a process may have the old one mapped; dated at the start, as sources may have changed since.
    let draft = path.with_extension("so.new");
    std::fs::copy(folder.join("variant/libhz3_preload.so"), &draft).map_err(|e| say("copy cargo's output to", e))?;
    let file = std::fs::File::options()
        .write(true)
        .open(&draft)
        .map_err(|e| say("open", e))?;
    file.set_modified(started).map_err(|e| say("date", e))?;
    let library = Library::read(&draft)?;
    std::fs::rename(&draft, path).map_err(|e| say("replace", e))?;
    Ok(library)
}
