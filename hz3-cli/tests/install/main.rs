//! An installed variant, linked against in every way that docs/deploy.md shows, and taken out again. Each program proves by the
//! variant's own statistics that its malloc, the C library's and C++'s `new` are the variant's.
//!
//! A way whose tools are not installed is shown as ignored.

#[path = "../common/mod.rs"]
mod common;
mod deb;
mod page;

use common::{hz3, root};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/install");

/// `default`, installed in a temporary prefix.
struct Installed {
    folder: tempfile::TempDir,
    printed: Vec<PathBuf>,
}

static INSTALLED: LazyLock<Installed> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prefix = folder.path().join("prefix");
    let ended = hz3(&root(), &["install", "default", "--prefix", text(&prefix)]).with(0);
    Installed {
        printed: ended.out.lines().map(PathBuf::from).collect(),
        folder,
    }
});

impl Installed {
    fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    fn library(&self, name: &str) -> PathBuf {
        self.prefix().join("lib").join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Runs a command that must succeed, and returns what it prints.
fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|e| format!("{command:?}: {e}"))?;
    let said = [
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ]
    .concat();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{command:?}: {}\n{said}", output.status).into()),
    }
}

/// The program has to say that it is proven.
fn proven(program: &Path) -> Result<(), Failed> {
    let said = run(Command::new(program).arg("default"))?;
    match said.starts_with("proven: default ") {
        true => Ok(()),
        false => Err(format!("{} says: {said}", program.display()).into()),
    }
}

/// Compiles a source of this folder with these flags before and after it, and runs it.
fn compiled(way: &str, source: &str, before: &[&str], after: &[&str]) -> Result<(), Failed> {
    let compiler = if source.ends_with(".cc") { "g++" } else { "gcc" };
    let program = INSTALLED
        .folder
        .path()
        .join(format!("{way}-{source}").replace([' ', '.'], "-"));
    let include = format!("-I{}", text(&INSTALLED.prefix().join("include")));
    run(Command::new(compiler)
        .args(["-O1", "-Wall", "-Werror", &include])
        .args(before)
        .arg(Path::new(SOURCES).join(source))
        .args(after)
        .arg("-o")
        .arg(&program))?;
    proven(&program)
}

/// What pkg-config tells.
fn pkg_config(package: &str) -> Result<Vec<String>, Failed> {
    let flags = run(Command::new("pkg-config")
        .args(["--cflags", "--libs", package])
        .env("PKG_CONFIG_PATH", INSTALLED.library("pkgconfig")))?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// What makes the dynamic linker look into the prefix.
fn rpath() -> String {
    format!("-Wl,-rpath,{}", text(&INSTALLED.prefix().join("lib")))
}

/// Ways to compile: what each is called, and how it is done with one source.
type Way = (&'static str, fn(&str) -> Result<(), Failed>);

const WAYS: [Way; 6] = [
    ("shared", |source| {
        let folder = format!("-L{}", text(&INSTALLED.prefix().join("lib")));
        compiled("shared", source, &[], &[&folder, "-lhz3_default", &rpath(), "-pthread"])
    }),
    ("archive", |source| {
        let archive = INSTALLED.library("libhz3_default.a");
        compiled("archive", source, &[], &[text(&archive), "-pthread"])?;
        compiled(
            "archive without pie",
            source,
            &["-no-pie"],
            &[text(&archive), "-pthread"],
        )
    }),
    ("wholly_static", |source| {
        let archive = INSTALLED.library("libhz3_default.a");
        compiled("static", source, &["-static"], &[text(&archive), "-pthread"])?;
        compiled("static pie", source, &["-static-pie"], &[text(&archive), "-pthread"])
    }),
    ("pkg_config_shared", |source| {
        let flags = pkg_config("hz3_default")?;
        let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let path = rpath();
        flags.extend([path.as_str(), "-pthread"]);
        compiled("pkg-config", source, &["-Wl,--as-needed"], &flags)
    }),
    ("pkg_config_static", |source| {
        let flags = pkg_config("hz3_default-static")?;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        compiled("pkg-config static", source, &["-Wl,--as-needed"], &flags)
    }),
    ("replaced_operators", |source| {
        let archive = INSTALLED.library("libhz3_default.a");
        compiled("replaced", source, &["-DREPLACED"], &[text(&archive), "-pthread"])
    }),
];

/// A project that finds the package, and has a program for each target and language.
fn cmake() -> Result<(), Failed> {
    let build = INSTALLED.folder.path().join("cmake");
    run(Command::new("cmake")
        .args(["-S", SOURCES, "-B", text(&build)])
        .arg(format!("-DCMAKE_PREFIX_PATH={}", text(&INSTALLED.prefix()))))?;
    run(Command::new("cmake").args(["--build", text(&build), "--parallel", "2"]))?;
    for program in [
        "default-prove_c",
        "default-prove_cc",
        "default-static-prove_c",
        "default-static-prove_cc",
    ] {
        proven(&build.join(program))?;
    }
    needs_the_library(&build.join("idle"))
}

/// A program that calls no malloc itself must not lose the library to `--as-needed`.
fn needs_the_library(program: &Path) -> Result<(), Failed> {
    let said = run(Command::new(program).env("LD_DEBUG", "bindings"))?;
    let bound = said.lines().filter(|line| line.contains("symbol `malloc'"));
    let elsewhere: Vec<&str> = bound
        .clone()
        .filter(|line| !line.contains("/libhz3_default.so.0"))
        .collect();
    match bound.count() > 0 && elsewhere.is_empty() {
        true => Ok(()),
        false => Err(format!("{}: {elsewhere:?}", program.display()).into()),
    }
}

fn idle_with_pkg_config() -> Result<(), Failed> {
    let program = INSTALLED.folder.path().join("idle");
    run(Command::new("gcc")
        .arg("-Wl,--as-needed")
        .arg(Path::new(SOURCES).join("idle.c"))
        .args(pkg_config("hz3_default")?)
        .args([&rpath(), "-o", text(&program)]))?;
    needs_the_library(&program)
}

/// The file that was built and measured is the one that is installed, under all its names, and it can still be preloaded.
fn library() -> Result<(), Failed> {
    let built = hz3_project::Place::checkout().library("default");
    let real = INSTALLED
        .library("libhz3_default.so")
        .canonicalize()
        .map_err(|e| e.to_string())?;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        real.file_name().expect("a name"),
        format!("libhz3_default.so.{version}").as_str()
    );
    assert!(INSTALLED.library("libhz3_default.so.0").exists());
    assert_eq!(std::fs::read(&real).ok(), std::fs::read(built).ok());
    for path in [&real, &INSTALLED.library("libhz3_default.so")] {
        let ended = hz3(&root(), &["doctor", text(path), "--", "sh", "-c", "ls /"]);
        assert!(ended.with(0).out.starts_with("proven: "));
    }
    // A program that has the allocator in it says whose it is.
    compiled(
        "inspected",
        "prove.c",
        &[],
        &[text(&INSTALLED.library("libhz3_default.a")), "-pthread"],
    )?;
    let program = INSTALLED.folder.path().join("inspected-prove-c");
    let note = hz3_project::Library::read(&program).map_err(|e| e.to_string())?.note;
    assert_eq!(note.map(|note| note.name).as_deref(), Some("default"));
    Ok(())
}

/// What is printed is what is there, `--list` prints the same before, and nothing is left at the end.
fn there_and_back() -> Result<(), Failed> {
    for path in &INSTALLED.printed {
        assert!(
            path.symlink_metadata().is_ok(),
            "{} was printed and is not there",
            path.display()
        );
    }
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let destdir = text(folder.path()).to_owned();
    let target = ["--prefix", "/usr", "--destdir", &destdir];
    let place = |verb: &'static str, more: &[&'static str]| {
        let arguments: Vec<&str> = [verb, "default"].iter().chain(&target).chain(more).copied().collect();
        hz3(&root(), &arguments)
    };
    let lib = ["--libdir", "lib/x86_64-linux-gnu"];
    let listed = place("install", &[lib[0], lib[1], "--list"]).with(0).out;
    assert!(
        folder.path().read_dir().map_err(|e| e.to_string())?.next().is_none(),
        "--list does nothing"
    );
    let printed = place("install", &lib).with(0).out;
    assert_eq!(printed, listed);
    let text = |path: &str| std::fs::read_to_string(folder.path().join(path)).expect("a file");
    let description = text("usr/lib/x86_64-linux-gnu/pkgconfig/hz3_default.pc");
    assert!(
        description.starts_with("prefix=/usr\nlibdir=${prefix}/lib/x86_64-linux-gnu\n"),
        "{description}"
    );
    // Again, in the place of itself; then out.
    place("install", &lib).with(0);
    let removed = place("uninstall", &[]).with(0).out;
    assert_eq!(removed.lines().count(), printed.lines().count());
    assert!(!folder.path().join("usr/lib").exists(), "nothing is left");
    place("uninstall", &[]).with(2);
    // What somebody else put there stays, and nothing is added to it.
    std::fs::create_dir_all(folder.path().join("usr/include")).map_err(|e| e.to_string())?;
    std::fs::write(folder.path().join("usr/include/hz3.h"), "theirs").map_err(|e| e.to_string())?;
    let ended = place("install", &lib).with(1);
    ended.tells("hz3 did not install it");
    assert!(!folder.path().join("usr/lib").exists(), "nothing was put in place");
    hz3(
        &root(),
        &["install", "default", "--prefix", "/usr", "--libdir", "../lib"],
    )
    .with(2);
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("library", library),
        Trial::test("there_and_back", there_and_back),
    ];
    let needs = |name: &str, programs: &[&str]| {
        let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_there(program)).collect();
        match missing.is_empty() {
            true => (name.to_owned(), false),
            false => (format!("{name}_needs_{}", missing.join("_and_")), true),
        }
    };
    for (way, run) in WAYS {
        for source in ["prove.c", "prove.cc"] {
            if way == "replaced_operators" && source == "prove.c" {
                continue;
            }
            let mut programs = vec![if source.ends_with(".cc") { "g++" } else { "gcc" }];
            if way.starts_with("pkg_config") {
                programs.push("pkg-config");
            }
            let (name, ignored) = needs(&format!("{way}_{}", source.replace('.', "_")), &programs);
            trials.push(Trial::test(name, move || run(source)).with_ignored_flag(ignored));
        }
    }
    let (name, ignored) = needs("idle_with_pkg_config", &["gcc", "pkg-config"]);
    trials.push(Trial::test(name, idle_with_pkg_config).with_ignored_flag(ignored));
    let (name, ignored) = needs("cmake", &["cmake", "gcc", "g++"]);
    trials.push(Trial::test(name, cmake).with_ignored_flag(ignored));
    let (name, ignored) = needs("deploy_page", &page::PROGRAMS);
    trials.push(Trial::test(name, page::typed).with_ignored_flag(ignored));
    for (name, run) in [
        ("deb", deb::packages as fn() -> _),
        ("deb_reproducible", deb::reproducible),
    ] {
        let (name, ignored) = needs(name, &deb::PROGRAMS);
        trials.push(Trial::test(name, run).with_ignored_flag(ignored));
    }
    libtest_mimic::run(&arguments, trials).exit_if_failed();
    // A static is not dropped at the end.
    let _ = std::fs::remove_dir_all(INSTALLED.folder.path());
}
