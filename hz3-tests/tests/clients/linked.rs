//! The clients as programs of other kinds: static ones of glibc and of musl, which have the variant's archive in them, and
//! dynamic ones of musl, with the archive or with the library preloaded.
//!
//! A few cases run under `default` in three of these ways, one or two for each part of the C library that the allocator stands on:
//! the surface, threads, keys, `fork`, limits. `HZ3_TEST_LINKED` names variants under which all run that apply, in all ways
//! (`.ci/musl`). Under an emulator those few run under the named ones, in static programs of glibc (`.ci/aarch64`).

use crate::cases::{CASES, Case};
use hz3_tests::place::{self, PLACE};
use hz3_tests::run::is_emulated;
use hz3_tests::{Allocator, Run, client};
use libtest_mimic::{Failed, Trial};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How a program is linked, and how the variant comes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linked {
    /// Static, of glibc.
    Static,
    /// Static, of musl.
    MuslStatic,
    /// Of musl, with the archive in the program.
    MuslArchive,
    /// Of musl, with the library preloaded.
    Musl,
}

const ALL: [Linked; 4] = [Linked::Static, Linked::MuslStatic, Linked::MuslArchive, Linked::Musl];

/// Those that are built where no variant is named. The archive in a dynamic program of musl is the archive of the static one, on the
/// C library of the preloaded one.
const USUAL: [Linked; 3] = [Linked::Static, Linked::MuslStatic, Linked::Musl];

/// Cases that run wherever no variant is named, with arguments that make them short if they take any: what they have to show here is
/// that a part of the C library does what the allocator wants of it, and the first calls show that.
const FEW: [(&str, &str); 6] = [
    ("abi_surface", ""),
    ("threads_pattern", "8 8000"),
    ("fork_storm", "12"),
    ("fork_threads", "threads 100"),
    ("life_keys", "1500"),
    ("limits_self", ""),
];

/// glibc keeps the stack of a thread that has ended for the next one.
const THREADS_AT_LIMITS: &str = "threads that start where memory has run out";

/// Cases that do not apply to programs of musl, each with what they are about.
const NOT_MUSL: &[(&str, &str)] = &[
    ("abi_foreign", "second names of glibc's malloc"),
    ("life_atexit", "arguments of constructors"),
    ("limits_as_24m", THREADS_AT_LIMITS),
    ("limits_as_64m", THREADS_AT_LIMITS),
    ("limits_as_256m", THREADS_AT_LIMITS),
    ("limits_data_48m", THREADS_AT_LIMITS),
    ("limits_data_64m", THREADS_AT_LIMITS),
    ("limits_data_256m", THREADS_AT_LIMITS),
    (
        "fork_streams",
        "a child that flushes streams, one of which another thread had: musl waits for that thread",
    ),
    (
        "fork_spawn",
        "a child that calls `exit` while another thread has a stream: musl waits for that thread, which is not there",
    ),
];

/// Plugins that musl's compiler can make, and what they are about musl has.
const MUSL_PLUGINS: [&str; 2] = ["life_plugin", "fork_handlers_plugin"];

/// Cases that do not apply to programs that have the allocator in them.
const NOT_LINKED: &[(&str, &str)] = &[(
    "limits_refused",
    "functions in front of the C library's, which the dynamic linker finds",
)];

/// Cases that do not apply to static programs.
const NOT_STATIC: &[(&str, &str)] = &[
    ("limits_later", "a library that is loaded under a limit"),
    ("abi_foreign", "objects of the shared C library's malloc"),
];

impl Linked {
    fn name(self) -> &'static str {
        match self {
            Linked::Static => "static",
            Linked::MuslStatic => "musl-static",
            Linked::MuslArchive => "musl-archive",
            Linked::Musl => "musl",
        }
    }

    fn is_musl(self) -> bool {
        self != Linked::Static
    }

    fn is_static(self) -> bool {
        matches!(self, Linked::Static | Linked::MuslStatic)
    }

    /// Whether a case says anything of such programs.
    fn runs(self, case: &Case) -> bool {
        let cpp = is_cpp(case.client);
        let named = |list: &[(&str, &str)]| list.iter().any(|(name, _)| *name == case.name);
        // A static program loads nothing, valgrind is told by the preloaded library, and musl comes without a C++ library.
        case.tool.is_none()
            && !(self.is_musl() && (cpp || named(NOT_MUSL)))
            && !(self != Linked::Musl && named(NOT_LINKED))
            && !(self.is_static() && (case.plugin.is_some() || named(NOT_STATIC)))
            && case
                .plugin
                .is_none_or(|plugin| !self.is_musl() || self == Linked::Musl && MUSL_PLUGINS.contains(&plugin))
    }

    /// The client, compiled and linked so.
    fn build(self, name: &str, allocator: &Allocator) -> Result<PathBuf, String> {
        let archive = allocator.archive()?;
        let bytes = std::fs::read(&archive).map_err(|e| format!("{}: {e}", archive.display()))?;
        let stamp = format!("-DHZ3_ARCHIVE={:#x}", hz3_project::hash::of(&bytes));
        let archive = archive.to_string_lossy().into_owned();
        // In front of the source, so that something has to ask for it; and nothing has its name to itself.
        let linked = ["-DHZ3_LINKED", &stamp, "-Wl,--undefined=malloc", &archive];
        let headers = if self.is_musl() {
            kernel_headers()?
        } else {
            String::new()
        };
        let headers = ["-idirafter", &headers];
        let more: Vec<&str> = match self {
            // A static program has of the C++ library what it asks for, and asks for this where it throws something.
            Linked::Static if is_cpp(name) => [
                &[
                    "-static",
                    "-Wl,--undefined=_ZSt17__throw_bad_allocv,--undefined=_ZSt15get_new_handlerv",
                ][..],
                &linked,
            ]
            .concat(),
            Linked::Static => [&["-static"][..], &linked].concat(),
            Linked::MuslStatic => [&["-static"][..], &linked, &headers].concat(),
            Linked::MuslArchive => [&linked[..], &headers].concat(),
            // What only the library has is not there when the program is linked.
            Linked::Musl => [&["-Wl,-z,dynamic-undefined-weak"][..], &headers].concat(),
        };
        let compiler = match self.is_musl() {
            true => Some(place::program(MUSL).ok_or_else(|| format!("{MUSL} is not installed"))?),
            false => None,
        };
        let folder = format!("{}-{}", allocator.name(), self.name());
        client::build_with(name, compiler.as_deref(), &folder, &more)
    }
}

fn is_cpp(client: &str) -> bool {
    place::source(&format!("clients/{client}.cc")).is_file()
}

/// musl's compiler.
const MUSL: &str = "musl-gcc";

/// A folder with the kernel's headers and no others: those of the other C library lie beside them.
fn kernel_headers() -> Result<String, String> {
    static MADE: OnceLock<Result<String, String>> = OnceLock::new();
    let make = || {
        let folder = PLACE.clients().join("kernel");
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let machine = format!("/usr/include/{}-linux-gnu/asm", std::env::consts::ARCH);
        for (name, to) in [
            ("linux", "/usr/include/linux"),
            ("asm-generic", "/usr/include/asm-generic"),
            ("asm", &*machine),
        ] {
            match std::os::unix::fs::symlink(Path::new(to), folder.join(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e.to_string()),
                _ => {}
            }
        }
        Ok(folder.to_string_lossy().into_owned())
    };
    MADE.get_or_init(make).clone()
}

/// Tests of programs that are linked in other ways.
pub fn trials() -> Vec<Trial> {
    let named = std::env::var("HZ3_TEST_LINKED").ok();
    let names: Vec<String> = match &named {
        Some(names) => names
            .split([',', ' '])
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        None => vec!["default".to_owned()],
    };
    let whole = named.is_some() && !is_emulated();
    let ways = match whole {
        true => &ALL[..],
        false if is_emulated() => &[Linked::Static][..],
        false => &USUAL[..],
    };
    let mut trials = Vec::new();
    for name in names {
        for &linked in ways {
            for case in CASES.iter().filter(|case| linked.runs(case)) {
                let few = FEW.iter().find(|(few, _)| *few == case.name);
                match (whole, few) {
                    (false, None) => {}
                    (false, Some((_, words))) if !words.is_empty() => {
                        trials.push(trial(&name, linked, case, Some(words)));
                    }
                    _ => trials.push(trial(&name, linked, case, None)),
                }
            }
        }
    }
    trials
}

/// The test of a case, with other arguments than its own if there are any.
fn trial(name: &str, linked: Linked, case: &'static Case, words: Option<&'static str>) -> Trial {
    let label = format!("{name}-{}::{}", linked.name(), case.name);
    if linked.is_musl() && place::program(MUSL).is_none() {
        return Trial::test(format!("{label} ({MUSL} is not installed)"), || Ok(())).with_ignored_flag(true);
    }
    let name = name.to_owned();
    Trial::test(label, move || run(&name, linked, case, words))
}

fn run(name: &str, linked: Linked, case: &Case, words: Option<&str>) -> Result<(), Failed> {
    let allocator = Allocator::variant(name)?;
    let client = linked.build(case.client, &allocator)?;
    let inside = match linked {
        Linked::Musl => allocator.clone(),
        _ => allocator.linked(),
    };
    let arguments = match words {
        Some(words) => words.split(' ').map(str::to_owned).collect(),
        None => (case.arguments)(name),
    };
    let plugin = case.plugin.map(|plugin| linked.build(plugin, &allocator)).transpose()?;
    let plugin = plugin.map(|path| path.to_string_lossy().into_owned());
    let run = Run::new(client, &inside).args(plugin.into_iter().chain(arguments));
    if case.confined && crate::is_flat(&inside)? {
        return crate::refused(&run.outcome()?);
    }
    Ok(run.success().map(drop)?)
}
