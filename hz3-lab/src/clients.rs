//! Builds the clients with the C compiler that the `cc` crate finds, once per source and flags.

use crate::{Error, Result};
use hz3_config::file;
use hz3_project::Place;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Header that all clients share.
const HEADER: &str = include_str!("../clients/lab.h");

/// What a source becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    /// A program.
    Program,
    /// A small program without shared libraries, if the machine has the static C library.
    Static,
    /// A library to preload.
    Library,
}

/// One C source.
struct Source {
    name: &'static str,
    text: &'static str,
    shape: Shape,
}

macro_rules! source {
    ($name:literal, $shape:ident) => {
        Source {
            name: $name,
            text: include_str!(concat!("../clients/", $name, ".c")),
            shape: Shape::$shape,
        }
    };
}

/// Every source of the lab.
const SOURCES: &[Source] = &[
    source!("random", Program),
    source!("ring", Program),
    source!("prodcons", Program),
    source!("threads", Program),
    source!("big", Program),
    source!("scratch", Program),
    source!("phase", Program),
    source!("families", Program),
    source!("replay", Program),
    source!("time", Static),
    source!("empty", Library),
    source!("tracer", Library),
];

/// Scripts and inputs of the rows that run real programs.
const FILES: &[(&str, &str)] = &[
    ("python.py", include_str!("../scripts/python.py")),
    ("perl.pl", include_str!("../scripts/perl.pl")),
    ("sqlite.sql", include_str!("../scripts/sqlite.sql")),
    ("redis.sh", include_str!("../scripts/redis.sh")),
    ("gcc.c", include_str!("../scripts/gcc.c")),
];

/// The built clients of a project.
#[derive(Debug, Clone)]
pub struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// Builds what is not there yet. `note` hears which source is being built.
    pub fn build(place: &Place, mut note: impl FnMut(&str)) -> Result<Self> {
        let compiler = compiler()?;
        let folder = place.clients().to_owned();
        let write = |path: &Path, text: &str| {
            if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
                return Ok(());
            }
            file::replace(path, text.as_bytes())
                .map_err(|why| Error::unfit(format!("cannot write {}: {why}", path.display())))
        };
        let src = folder.join("src");
        std::fs::create_dir_all(&src).map_err(|e| Error::unfit(format!("{}: {e}", src.display())))?;
        write(&src.join("lab.h"), HEADER)?;
        for (name, text) in FILES {
            write(&folder.join(name), text)?;
        }
        for source in SOURCES {
            let c = src.join(format!("{}.c", source.name));
            write(&c, source.text)?;
            build_one(&compiler, source, &c, &folder, &mut note)?;
        }
        Ok(Self { folder })
    }

    /// The program of a client.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
    /// The wrapper that runs one command and says what it cost.
    pub fn timer(&self) -> PathBuf {
        self.folder.join("time")
    }
    /// The empty allocator.
    pub fn empty(&self) -> PathBuf {
        self.folder.join("libempty.so")
    }
    /// The recording shim.
    pub fn tracer(&self) -> PathBuf {
        self.folder.join("libtracer.so")
    }
    /// The folder: scripts are here, and reports of single executions.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Flags that all sources share. The malloc family must stay calls: a compiler that knows malloc may drop a pair.
const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-O2",
    "-g",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Wno-unused-function",
    "-fno-builtin-malloc",
    "-fno-builtin-free",
    "-fno-builtin-calloc",
    "-fno-builtin-realloc",
    "-fno-builtin-aligned_alloc",
];

fn compiler() -> Result<cc::Tool> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    build
        .target(&triple)
        .host(&triple)
        .opt_level(2)
        .cargo_metadata(false)
        .cargo_warnings(false)
        .no_default_flags(true);
    build.try_get_compiler().map_err(|e| {
        Error::unfit(format!(
            "no C compiler: {e}. Install one (apt install gcc libc6-dev) or set CC"
        ))
    })
}

fn build_one(compiler: &cc::Tool, source: &Source, c: &Path, folder: &Path, note: &mut impl FnMut(&str)) -> Result<()> {
    let out = match source.shape {
        Shape::Library => folder.join(format!("lib{}.so", source.name)),
        _ => folder.join(source.name),
    };
    let mut hasher = DefaultHasher::new();
    (
        compiler.path(),
        compiler.args(),
        FLAGS,
        source.text,
        HEADER,
        source.shape,
    )
        .hash(&mut hasher);
    let stamp = format!("{:016x}\n", hasher.finish());
    let stamp_file = folder.join(format!("{}.stamp", source.name));
    if out.is_file() && std::fs::read_to_string(&stamp_file).is_ok_and(|s| s == stamp) {
        return Ok(());
    }
    note(source.name);
    // Built beside and moved into place, so that a build that was cut short, or a second one at the same time, leaves
    // no half file.
    let fresh = folder.join(format!(".{}.{}", source.name, std::process::id()));
    let attempt = |extra: &[&str]| -> Result<std::process::Output> {
        compiler
            .to_command()
            .args(FLAGS)
            .args(extra)
            .arg("-o")
            .arg(&fresh)
            .arg(c)
            .arg("-ldl")
            .output()
            .map_err(|e| Error::unfit(format!("{}: {e}", compiler.path().display())))
    };
    let mut result = match source.shape {
        Shape::Program => attempt(&[])?,
        Shape::Static => attempt(&["-static"])?,
        Shape::Library => attempt(&["-shared", "-fPIC"])?,
    };
    if source.shape == Shape::Static && !result.status.success() {
        result = attempt(&[])?;
    }
    if !result.status.success() {
        return Err(Error::unfit(format!(
            "{} does not compile:\n{}",
            c.display(),
            String::from_utf8_lossy(&result.stderr)
        )));
    }
    std::fs::rename(&fresh, &out).map_err(|e| Error::unfit(format!("{}: {e}", out.display())))?;
    std::fs::write(&stamp_file, stamp).map_err(|e| Error::unfit(format!("{}: {e}", stamp_file.display())))
}
