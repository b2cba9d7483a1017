//! Building the library of a variant: the code is written here, cargo compiles it with `hz3-core` and `hz3-preload` and
//! nothing else, and what comes out is looked at before it replaces what was there.

use crate::archive;
use crate::library::{Library, Note, abi};
use crate::place::{target, user_folder};
use crate::sources::{DYNAMIC_LIST, Sources, VERSION};
use crate::{Error, OnPath, Outcome, Place, Result, file};
use hz3_config::Plan;
use hz3_config::emit::library;
use hz3_config::plan::{Optimize, Stacks, Tls};
use hz3_config::soname;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What cargo is told beside what to build.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// To use no network.
    pub offline: bool,
    /// To colour what it says.
    pub colour: bool,
}

/// What cargo makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A library to preload or to link.
    Shared,
    /// An archive to link statically.
    Archive,
}

/// The folder in which cargo builds, which this process has for itself as long as this lives.
pub struct Builder<'a> {
    place: &'a Place,
    options: Options,
    sources: Sources,
    workspace: PathBuf,
    target: PathBuf,
    // Cargo writes each variant to the same file: two builds at once must not take each other's.
    _lock: Flock<File>,
}

impl<'a> Builder<'a> {
    /// Takes the folder, and puts the sources there. `wait` is called if another process has it.
    ///
    /// # Errors
    ///
    /// If a folder cannot be written, or the sources of a checkout cannot be read.
    pub fn open(place: &'a Place, options: Options, wait: impl FnOnce()) -> Result<Self> {
        let sources = Sources::of(place)?;
        let (workspace, target) = if place.is_checkout() {
            let target = target(&place.root).join("hz3-build");
            (target.join("sources"), target)
        } else {
            let cache = user_folder("XDG_CACHE_HOME", ".cache")?;
            let name = format!("sources-{VERSION}-{:016x}", sources.own_hash());
            (cache.join(name), cache.join("build"))
        };
        std::fs::create_dir_all(&target).on("create", &target)?;
        let lock = lock(&target.join(".lock"), wait)?;
        sources.unpack(&workspace)?;
        Ok(Self {
            place,
            options,
            sources,
            workspace,
            target,
            _lock: lock,
        })
    }

    /// Builds the library of a plan, looks at it, and puts it in its place.
    ///
    /// # Errors
    ///
    /// What cargo says; or what is wrong with the library that it made.
    pub fn library(&self, plan: &Plan) -> Result<Library> {
        let library = self.unplaced(plan)?;
        let made = library.path.clone();
        let folder = self.place.libraries();
        std::fs::create_dir_all(folder).on("create", folder)?;
        let path = self.place.library(&plan.name);
        place_copy(&made, &path)?;
        name_it(folder, &plan.name)?;
        if let Some(config) = plan.sources.first() {
            remember(self.place, &plan.name, config)?;
        }
        Ok(Library { path, ..library })
    }

    /// Builds the library of a plan and looks at it, where cargo made it: the next one replaces it.
    fn unplaced(&self, plan: &Plan) -> Result<Library> {
        let library = Library::read(&self.compile(plan, Shape::Shared)?)?;
        verify(plan, &self.sources.hash(plan).to_string(), &library)?;
        Ok(library)
    }

    /// Builds the static archive of a plan, looks at it, and puts it in its place. `library` is the plan's, built before, if there is
    /// one. A plan of which no shared library can be made is held against its twin's.
    ///
    /// # Errors
    ///
    /// What cargo or the linker says; or what is wrong with the archive.
    pub fn archive(&self, plan: &Plan, library: Option<&Library>) -> Result<PathBuf> {
        let other = match library {
            Some(_) => None,
            None => Some(self.unplaced(&twin(plan))?),
        };
        let Some(library) = library.or(other.as_ref()) else {
            return Err(Error::failed(format!("no library of `{}`", plan.name)));
        };
        let rust = self.compile(plan, Shape::Archive)?;
        let work = self.target.join("hz3-archive");
        std::fs::create_dir_all(&work).on("create", &work)?;
        let made = archive::make(&rust, library, &plan.name, &work)?;
        let path = self.place.archive(&plan.name);
        place_copy(&made, &path)?;
        Ok(path)
    }

    /// Has cargo build a plan, and gives the file that it made, which the next call replaces.
    ///
    /// # Errors
    ///
    /// Why the plan can be no library; what cargo says.
    pub fn compile(&self, plan: &Plan, shape: Shape) -> Result<PathBuf> {
        possible(plan, shape)?;
        let generated = library::Library::of(plan);
        let code = self.target.join("hz3-variants").join(format!("{}.rs", plan.name));
        let text = generated.text(plan, VERSION, self.sources.hash(plan));
        if std::fs::read(&code).ok().as_deref() != Some(text.as_bytes()) {
            let folder = code.parent().unwrap_or(&self.target);
            std::fs::create_dir_all(folder).on("create", folder)?;
            file::write(&code, text.as_bytes())?;
        }
        // Named, so that the file lies where it is looked for, whatever the user's settings say.
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let (crate_type, name) = match shape {
            Shape::Shared => ("cdylib", "libhz3_preload.so"),
            Shape::Archive => ("staticlib", "libhz3_preload.a"),
        };
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(&self.workspace)
            .args([
                "rustc",
                "--quiet",
                "--locked",
                "--package",
                "hz3-preload",
                "--lib",
                "--profile",
                "variant",
            ])
            .args(["--crate-type", crate_type, "--target", &triple, "--target-dir"])
            .arg(&self.target)
            .args(self.options.offline.then_some("--offline"));
        command.args(
            plan.segment
                .feature()
                .iter()
                .flat_map(|feature| ["--features", feature]),
        );
        if shape == Shape::Shared && cfg!(target_arch = "aarch64") {
            // All of a library is near.
            command.args(["--features", "near"]);
        }
        if plan.build.optimize == Optimize::Size {
            command.args(["--config", "profile.variant.opt-level=\"s\""]);
        }
        command.arg("--");
        if plan.policy.stats.stacks == Stacks::FramePointers {
            command.arg("-Cforce-frame-pointers=yes");
        }
        if shape == Shape::Shared {
            let list = format!("--dynamic-list={DYNAMIC_LIST}");
            let arguments = generated.linker.iter().chain([&list]);
            command.args(arguments.map(|argument| format!("-Clink-arg=-Wl,{argument}")));
        }
        command
            .env("HZ3_VARIANT", &code)
            .env("CARGO_TERM_COLOR", if self.options.colour { "always" } else { "never" })
            .env_remove("LD_PRELOAD");
        let output = command.output().map_err(|e| {
            let program = command.get_program().to_string_lossy();
            Error::unfit(format!("cannot start {program}: {e}")).help("install Rust, or set CARGO to the path of cargo")
        })?;
        if output.status.success() {
            return Ok(self.target.join(triple).join("variant").join(name));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::failed(format!(
            "cannot build `{}`:\n{}",
            plan.name,
            said.trim_end()
        )))
    }
}

/// Whether cargo can make this of a plan.
///
/// # Errors
///
/// Why not, with the place in the config.
pub fn possible(plan: &Plan, shape: Shape) -> Outcome {
    let no_shared = plan.no_shared.as_ref().filter(|_| shape == Shape::Shared);
    match plan.no_library.as_ref().or(no_shared) {
        Some(reason) => Err(Error::bad_input(format!("cannot build `{}`:\n{reason}", plan.name))),
        None => Ok(()),
    }
}

/// The plan that differs from this one only in that a shared library can be made of it.
fn twin(plan: &Plan) -> Plan {
    let mut twin = plan.clone();
    if twin.no_shared.take().is_some() {
        twin.build.tls = Tls::InitialExec;
    }
    twin
}

/// Copies a file to where others look for it. Programs may be running on the old one: it is replaced, never written to.
fn place_copy(made: &Path, path: &Path) -> Outcome {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    let placed = std::fs::copy(made, &new)
        .on("write", &new)
        .and_then(|_| std::fs::rename(&new, path).on("write", path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    placed
}

/// The file's lock, held until the process ends or the file is closed.
pub(crate) fn lock(path: &Path, wait: impl FnOnce()) -> Result<Flock<File>> {
    let file = File::create(path).on("create", path)?;
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(lock),
        Err((file, _)) => file,
    };
    wait();
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, e)| Error::failed(format!("cannot lock {}: {e}", path.display())))
}

/// A library that is not what its config says is worse than none.
fn verify(plan: &Plan, sources: &str, library: &Library) -> Outcome {
    let fault = |what: String| {
        Err(Error::failed(format!(
            "the library of `{}` is not usable: {what}",
            plan.name
        )))
    };
    let (missing, surplus) = abi::faults(&library.exports, &library::token_functions(plan));
    if !missing.is_empty() {
        return fault(format!("it does not export {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        return fault(format!("it exports what is not its business: {}", surplus.join(", ")));
    }
    let soname = soname::soname(&plan.name);
    if library.soname.as_deref() != Some(&soname) {
        return fault(format!(
            "its SONAME is {}, not {soname}",
            library.soname.as_deref().unwrap_or("missing")
        ));
    }
    let hash = plan.hash.to_string();
    match &library.note {
        None => fault("it has no note".to_owned()),
        Some(Note { hash: found, name, .. }) if *found != hash || *name != plan.name => fault(format!(
            "its note names config {name} {found}, not {} {hash}",
            plan.name
        )),
        Some(note) if note.sources != sources => fault("its note names other sources than those of now".to_owned()),
        Some(_) => Ok(()),
    }
}

/// Gives the library its SONAME as a second name: a program that was linked against it in this folder looks for that.
fn name_it(folder: &Path, name: &str) -> Outcome {
    let (file, link) = (soname::link_name(name), folder.join(soname::soname(name)));
    if std::fs::read_link(&link).is_ok_and(|to| to == Path::new(&file)) {
        return Ok(());
    }
    let new = link.with_extension(std::process::id().to_string());
    std::os::unix::fs::symlink(&file, &new).on("write", &new)?;
    std::fs::rename(&new, &link).on("write", &link)
}

/// The config that the library of this name was made from.
pub fn origin(place: &Place, name: &str) -> Option<PathBuf> {
    let bytes = std::fs::read(place.origin(name)).ok()?;
    Some(place.root.join(std::ffi::OsStr::from_bytes(bytes.trim_ascii_end())))
}

/// Remembers it, in a form that survives when the project is moved.
fn remember(place: &Place, name: &str, config: &Path) -> Outcome {
    let config = config.strip_prefix(&place.root).unwrap_or(config);
    let line = [config.as_os_str().as_bytes(), b"\n"].concat();
    file::write(&place.origin(name), &line)
}
