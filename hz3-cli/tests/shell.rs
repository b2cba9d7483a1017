//! What shells and readers of manual pages get from the command line's own description.

mod common;

use common::hz3;
use std::process::Command;

/// The words that bash offers for the last of `words`.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let program = r#"
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
        "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", program, "bash", script])
        .args(words)
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{words:?}: {said}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_both_spellings() {
    if Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("completions");
    std::fs::write(&script, hz3(folder.path(), &["completions", "bash"]).with(0).out).expect("a file");
    let script = script.to_str().expect("a path in UTF-8");
    assert_eq!(offered(script, &["cargo-hz3", "buil"]), ["build"]);
    assert_eq!(offered(script, &["cargo", "hz3", "buil"]), ["build"]);
    assert_eq!(offered(script, &["cargo", "hz3", "build", "--offl"]), ["--offline"]);
    assert_eq!(offered(script, &["cargo", "hz3", "completions", "zs"]), ["zsh"]);
}

#[test]
fn other_shells_have_a_script_for_the_same_program() {
    for (shell, word) in [
        ("zsh", "#compdef cargo-hz3"),
        ("fish", "complete -c cargo-hz3"),
        ("elvish", "cargo-hz3"),
    ] {
        let script = hz3(&std::env::temp_dir(), &["completions", shell]).with(0).out;
        assert!(script.contains(word), "{shell}:\n{script}");
    }
    hz3(&std::env::temp_dir(), &["completions", "abacus"]).with(2);
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = hz3(folder.path(), &["man", "a/man1"]).with(0).out;
    let page = |name: &str| std::fs::read_to_string(folder.path().join(format!("a/man1/{name}.1")));
    assert_eq!(said.lines().next(), Some("a/man1/cargo-hz3.1"));
    let first = page("cargo-hz3").expect("a page");
    let help = hz3(folder.path(), &["--help"]).with(0).out;
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // What a long sentence goes on with stands further in.
        .filter(|line| !line.starts_with("   "));
    let mut count = 0;
    for command in commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
    {
        assert!(
            first.contains(&format!("cargo\\-hz3\\-{command}(1)")),
            "{command} in:\n{first}"
        );
        let text = page(&format!("cargo-hz3-{command}")).unwrap_or_else(|e| panic!("{command}: {e}"));
        assert!(text.contains(&format!("cargo hz3 {command}")), "{text}");
        count += 1;
    }
    assert!(count > 15, "{help}");
    let nested = page("cargo-hz3-ledger-share").expect("commands of commands have one, too");
    assert!(nested.contains("cargo hz3 ledger share"), "{nested}");
}

/// Cargo starts an installed program with its own word first.
#[test]
fn the_program_may_be_started_by_cargo_or_by_itself() {
    let folder = std::env::temp_dir();
    let own = hz3(&folder, &["--version"]).with(0).out;
    assert_eq!(hz3(&folder, &["hz3", "--version"]).with(0).out, own);
    assert!(own.contains(env!("CARGO_PKG_VERSION")), "{own}");
}
