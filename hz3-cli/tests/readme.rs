//! The README as a reader types it: every command of its blocks, in order, in a copy of the checkout.
//!
//! Blocks of `sh` are commands. Blocks of `console` are commands behind `$ `, each with what it prints. Blocks of `toml` are
//! added to the config that was written last. `cargo hz3` is the program under test; everything else is what it is.
#![cfg(target_os = "linux")]

mod common;

use common::{copy, root};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Commands that are not repeated here, each with who does it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo test --workspace", "this test is part of it"),
    (
        "cargo install --locked --path hz3-cli",
        "tests/anywhere.rs installs it for a user without a checkout",
    ),
];

/// Commands that measure, and what makes them short. What they print is compared without its numbers and verdicts.
const MEASURING: &[(&str, &str)] = &[("cargo hz3 compare default long-runs", "--time-budget 20s")];

/// Commands that may end with another exit code than 0: a difference is 1, a package that this machine lacks is 3.
const ENDING: &[(&str, i32)] = &[
    ("cargo hz3 diff default long-runs", 1),
    ("cargo hz3 count default mimalloc tcmalloc jemalloc glibc", 3),
];

/// Languages of blocks that hold no command: the example in Rust is compiled by the tests of the macro.
const SILENT: &[&str] = &["rust", "text"];

/// What a reader does next.
#[derive(Debug)]
enum Step {
    /// Types a command, and compares what it prints.
    Type {
        line: usize,
        command: String,
        printed: Vec<String>,
    },
    /// Adds lines to the config that was written last.
    Add { line: usize, text: String },
}

#[test]
fn the_readme_can_be_typed() {
    let root = root();
    let text = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let steps = steps(&text);
    assert!(steps.len() > 10, "{steps:?}");
    assert_alias(&root);

    let copy = Copy::of(&root);
    let mut config = None;
    let mut used = BTreeSet::new();
    for step in &steps {
        match step {
            Step::Add { line, text } => {
                let path: &PathBuf = config
                    .as_ref()
                    .unwrap_or_else(|| panic!("README.md:{line}: lines for which config?"));
                let before = std::fs::read_to_string(path).expect("the config that was written");
                std::fs::write(path, before + text).expect("the config");
            }
            Step::Type { line, command, printed } => {
                if let Some((listed, _)) = ELSEWHERE.iter().find(|(listed, _)| command == listed) {
                    used.insert(*listed);
                    continue;
                }
                let short = MEASURING.iter().find(|(listed, _)| command.starts_with(listed));
                let ending = ENDING.iter().find(|(listed, _)| command.starts_with(listed));
                used.extend(short.map(|(listed, _)| *listed));
                used.extend(ending.map(|(listed, _)| *listed));
                let typed = short.map_or(command.clone(), |(_, more)| format!("{command} {more}"));
                let (code, out, err) = copy.run(&typed);
                let said = format!("README.md:{line}: {typed}\nexit code {code}\nstdout:\n{out}\nstderr:\n{err}");
                assert!(code == 0 || ending.is_some_and(|(_, other)| code == *other), "{said}");
                assert!(!err.contains("ERROR: ld.so"), "{said}");
                if let Some(missing) = missing(printed, &out, short.is_some()) {
                    panic!("{said}\nThe README shows a line that was not printed:\n{missing}");
                }
                if let Some(name) = command
                    .strip_prefix("cargo hz3 new ")
                    .and_then(|rest| rest.split(' ').next())
                {
                    config = Some(copy.folder.join("configs").join(format!("{name}.toml")));
                }
            }
        }
    }
    let listed = ELSEWHERE.iter().chain(MEASURING).map(|(listed, _)| *listed);
    let listed: BTreeSet<&str> = listed.chain(ENDING.iter().map(|(listed, _)| *listed)).collect();
    assert_eq!(
        used, listed,
        "a list of this test names a command that the README does not have"
    );
}

#[test]
fn a_line_that_is_not_printed_is_told() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let out = "name  1 B\n64  15\nproven: /a/b/libx.so (exit code 0)\nmixed  10.3 ns/op  [ 0.9, 1.1]  UNDECIDED\n";
    assert_eq!(
        missing(&lines("name 1 B\n…\nproven: …/libx.so (exit code 0)"), out, false),
        None
    );
    assert_eq!(missing(&lines("name 2 B"), out, false), Some("name 2 B"));
    assert_eq!(
        missing(&lines("64  15\nname  1 B"), out, false),
        Some("name  1 B"),
        "the order counts"
    );
    assert_eq!(missing(&lines("mixed  9.7 ns/op  [ 0.8, 1.0]  GO"), out, true), None);
    assert_eq!(
        missing(&lines("medium  9.7 ns/op  [ 0.8, 1.0]  GO"), out, true),
        Some("medium  9.7 ns/op  [ 0.8, 1.0]  GO")
    );
}

/// `cargo hz3` is this program: the alias of the checkout says so.
fn assert_alias(root: &Path) {
    let text = std::fs::read_to_string(root.join(".cargo/config.toml")).expect("the alias");
    let config: toml::Table = text.parse().expect("TOML");
    let alias = config["alias"]["hz3"].as_str().expect("an alias");
    assert!(
        alias.starts_with("run ") && alias.contains("--bin cargo-hz3"),
        "{alias}"
    );
}

/// The steps of a page, in order.
fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut language: Option<&str> = None;
    for (at, content) in text.lines().enumerate() {
        let line = at + 1;
        if let Some(fence) = content.strip_prefix("```") {
            language = match language {
                None => {
                    if fence == "toml" {
                        steps.push(Step::Add {
                            line,
                            text: "\n".to_owned(),
                        });
                    }
                    Some(fence)
                }
                Some(_) => None,
            };
            continue;
        }
        let typed = |command: &str| Step::Type {
            line,
            command: command.to_owned(),
            printed: Vec::new(),
        };
        match (language, steps.last_mut()) {
            (None, _) => {}
            (Some("sh"), _) => steps.push(typed(content)),
            (Some("console"), last) => match (content.strip_prefix("$ "), last) {
                (Some(command), _) => steps.push(typed(command)),
                (None, Some(Step::Type { printed, .. })) => printed.push(content.to_owned()),
                (None, _) => panic!("README.md:{line}: output of which command?"),
            },
            (Some("toml"), Some(Step::Add { text, .. })) => {
                text.push_str(content);
                text.push('\n');
            }
            (Some(language), _) => {
                assert!(
                    SILENT.contains(&language),
                    "README.md:{line}: a block of `{language}`: is it typed or not?"
                );
            }
        }
    }
    steps
}

/// The first line of `printed` that `out` has not, in the same order. `…` alone stands for any lines, `…` before a word for
/// the beginning of a path.
fn missing<'a>(printed: &'a [String], out: &str, measured: bool) -> Option<&'a str> {
    let mut rest = out.lines();
    printed
        .iter()
        .map(String::as_str)
        .filter(|wanted| !wanted.trim().is_empty() && wanted.trim() != "…")
        .find(|wanted| {
            !rest.any(|line| {
                if measured {
                    shape(line) == shape(wanted)
                } else {
                    same(line, wanted)
                }
            })
        })
}

fn same(line: &str, wanted: &str) -> bool {
    let (mut words, mut wanted) = (line.split_whitespace(), wanted.split_whitespace());
    loop {
        match (words.next(), wanted.next()) {
            (None, None) => return true,
            (Some(word), Some(wanted)) if word == wanted => {}
            (Some(word), Some(wanted)) if wanted.strip_prefix('…').is_some_and(|end| word.ends_with(end)) => {}
            _ => return false,
        }
    }
}

/// The words of a line of measured figures: no number, no interval, and one word for each verdict.
fn shape(line: &str) -> Vec<&str> {
    line.split_whitespace()
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()) && !matches!(*word, "[" | "]" | "%" | "M" | "-"))
        .map(|word| match word.trim_end_matches('=') {
            "GO" | "NO-GO" | "UNDECIDED" => "verdict",
            word => word,
        })
        .collect()
}

/// A copy of the checkout, always in the same place and with the same times, so that cargo knows again what it has built.
struct Copy {
    folder: PathBuf,
    path: OsString,
}

impl Copy {
    fn of(root: &Path) -> Copy {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
        std::fs::create_dir_all(&folder).expect("a folder for the copy");
        for entry in std::fs::read_dir(&folder).expect("the copy") {
            let path = entry.expect("an entry").path();
            if path.ends_with("target") {
                for left in ["hz3", "hz3-ledger"] {
                    let _ = std::fs::remove_dir_all(path.join(left));
                }
            } else if path.is_dir() {
                std::fs::remove_dir_all(&path).expect("a folder of the last copy");
            } else {
                std::fs::remove_file(&path).expect("a file of the last copy");
            }
        }
        copy(root, &folder);

        // `cargo hz3` is the program under test; all else goes to cargo itself.
        let bin = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme-bin");
        std::fs::create_dir_all(&bin).expect("a folder for the shim");
        let cargo = std::env::var("CARGO").expect("cargo runs this test");
        let shim = bin.join("cargo");
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = hz3 ]; then shift; exec '{}' \"$@\"; fi\nexec '{cargo}' \"$@\"\n",
            env!("CARGO_BIN_EXE_cargo-hz3")
        );
        std::fs::write(&shim, text).expect("the shim");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&shim, mode).expect("the shim can be executed");
        let old = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&old))).expect("a search path");
        Copy { folder, path }
    }

    /// Types `command` into a shell: exit code, stdout, stderr.
    fn run(&self, command: &str) -> (i32, String, String) {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(&self.folder)
            .env("PATH", &self.path);
        for name in ["LD_PRELOAD", "CARGO_TARGET_DIR", "HZ3_ROOT", "HZ3_CONFIG"] {
            shell.env_remove(name);
        }
        let output = shell.output().expect("a shell");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (
            output.status.code().unwrap_or(-1),
            text(output.stdout),
            text(output.stderr),
        )
    }
}
