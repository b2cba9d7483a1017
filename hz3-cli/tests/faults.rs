//! The same fault has the same exit code, whichever command meets it, and wherever that is run.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, compile, hz3_with};
use std::path::{Path, PathBuf};

/// Commands that take a malloc, which stands in for `@`.
const ALLOCATORS: &[&[&str]] = &[
    &["run", "@", "--", "true"],
    &["doctor", "@", "--", "true"],
    &["count", "@", "--sizes", "64"],
    &["bench", "small", "--under", "@"],
    &["replay", "trace", "--under", "@"],
    &["tails", "@"],
    &["misuse", "@"],
    &["compare", "@"],
    &["compare", "glibc", "@"],
    &["compare", "glibc", "--peers", "@"],
];

/// Commands that take a config.
const CONFIGS: &[&[&str]] = &[
    &["check", "@"],
    &["explain", "@"],
    &["build", "@"],
    &["diff", "@", "default"],
    &["diff", "default", "@"],
    &["new", "child", "--from", "@"],
    &["fit", "--base", "@", "--", "true"],
    &["ledger", "refute", "@", "--why", "w"],
    &["install", "@", "--prefix", "p"],
];

/// Folders that are no checkout and no one's home: what a command makes lands in them.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A folder with these files.
    fn folder(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (file, text) in files {
            let file = folder.join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        folder
    }

    fn hz3(&self, folder: &Path, arguments: &[&str]) -> Ended {
        let own = ["home", "cache", "data"].map(|name| self.path(name));
        let keys = ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"];
        let environment: Vec<_> = keys.into_iter().zip(own.iter().map(PathBuf::as_path)).collect();
        hz3_with(folder, arguments, &environment)
    }

    /// Every one of these commands ends with this code, and tells this on standard error.
    #[track_caller]
    fn all(&self, folder: &Path, commands: &[&[&str]], word: &str, code: i32, told: &str) {
        for command in commands {
            let words: Vec<&str> = command.iter().map(|w| if *w == "@" { word } else { w }).collect();
            let ended = self.hz3(folder, &words);
            assert_eq!(ended.code, code, "{words:?} in {}: {}", folder.display(), ended.err);
            assert!(ended.err.contains(told), "{words:?}: {}", ended.err);
        }
    }
}

const MINE: &str = "name = \"mine\"\ndescription = \"d\"\n[cache]\nmagazines = 2\n";
/// What makes a folder a checkout, with one config.
const CHECKOUT: &[(&str, &str)] = &[("configs/mine.toml", MINE), ("hz3-core/x", ""), ("hz3-config/x", "")];
/// Looks like a config, and is none of hz3.
const OTHER: (&str, &str) = ("configs/service.toml", "name = \"service\"\n[cache]\nsize = 1\n");

#[test]
fn a_fault_has_one_exit_code_in_every_command_and_every_folder() {
    let bench = Bench::new();
    let mine = ("configs/mine.toml", MINE);
    let (alone, own) = (bench.folder("alone", &[]), bench.folder("own", &[mine]));
    let strange = bench.folder("strange", &[OTHER]);
    let checkout = bench.folder("checkout", CHECKOUT);
    let both = [ALLOCATORS, CONFIGS].concat();
    for folder in [&alone, &strange, &own, &checkout] {
        bench.all(folder, &both, "nonsense-name", 2, "nonsense-name");
        bench.all(folder, &both, "./none.toml", 2, "none.toml");
        bench.all(
            folder,
            ALLOCATORS,
            "./none.so",
            2,
            "cannot read ./none.so: no such file",
        );
        bench.all(folder, ALLOCATORS, "default", 1, "variant `default` is not built");
        bench.hz3(folder, &["inspect", "default"]).with(1);
        bench.hz3(folder, &["inspect", "nonsense-name"]).with(2);
        bench.hz3(folder, &["explain", "default"]).with(0);
        bench.hz3(folder, &["explain", "hz3:compact"]).with(0);
        bench.hz3(folder, &["ledger"]).with(0);
        bench.hz3(folder, &["report"]).with(2);
    }
    for folder in [&own, &checkout] {
        bench.all(folder, ALLOCATORS, "mine", 1, "variant `mine` is not built");
        bench.hz3(folder, &["check"]).with(0);
        // From any folder of the project.
        bench.all(
            &folder.join("configs"),
            ALLOCATORS,
            "mine",
            1,
            "variant `mine` is not built",
        );
    }
    // A folder of something else's configs is not adopted by any command.
    for folder in [&alone, &strange] {
        bench.all(folder, &both, "service", 2, "service");
        bench.all(folder, &[&["check"]], "", 2, "no config");
        bench.all(
            folder,
            ALLOCATORS,
            "../own/configs/mine.toml",
            1,
            "variant `mine` is not built",
        );
    }
    assert!(!alone.join("configs").exists() && !own.join("target").exists() && !strange.join("target").exists());
}

#[test]
fn a_stale_library_is_refused_by_every_command_alike() {
    let bench = Bench::new();
    let checkout = bench.folder("checkout", CHECKOUT);
    let folder = bench.folder("checkout/target/hz3", &[]);
    // A library that some config of this name once gave.
    let note = "name=mine\\nversion=0\\nsources=0\\nhash=0\\ncode_hash=0\\n\\n";
    let source = format!(
        "__asm__(\".section .note.hz3, \\\"a\\\", @note\\n.long 4, 2f - 1f, 1\\n.asciz \\\"hz3\\\"\\n\
         1: .ascii \\\"{}\\\"\\n2: .balign 4\\n\");",
        note.replace('\\', "\\\\")
    );
    compile(&folder, "libhz3_mine.so", &source, &["-shared", "-fPIC"]).expect("cc");
    let told = "error: configs/mine.toml was changed since the library of `mine` was built\nhelp: cargo hz3 build mine, or --build here";
    bench.all(&checkout, ALLOCATORS, "mine", 1, told);
    let json = bench
        .hz3(&checkout, &["inspect", "mine", "--format", "json"])
        .with(1)
        .json();
    assert!(json["config"]["changed"].is_string(), "{json}");
    // By its path it is what it is.
    bench
        .hz3(&checkout, &["run", "target/hz3/libhz3_mine.so", "--", "true"])
        .with(0);
}

#[test]
fn the_root_can_be_told_and_the_target_folder_too() {
    let bench = Bench::new();
    let checkout = bench.folder("checkout", CHECKOUT);
    let alone = bench.folder("alone", &[]);
    let root = |value: &Path| hz3_with(&alone, &["explain", "mine"], &[("HZ3_ROOT", value)]);
    root(&checkout).with(0);
    root(&bench.path("nowhere")).with(2);
    // A library that is looked for where cargo was told to build.
    let target = bench.folder("target", &[("hz3/libhz3_mine.so", "no library")]);
    let ended = hz3_with(
        &checkout,
        &["run", "mine", "--", "true"],
        &[("CARGO_TARGET_DIR", &target)],
    )
    .with(2);
    ended.tells("libhz3_mine.so is not an ELF file");
}
