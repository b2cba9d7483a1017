//! What a program that uses the crate `hz3` takes with it.

mod common;

use std::process::Command;

/// Packages that build scripts compile C with, or look for compiled C with.
const C: &[&str] = &["cc", "cmake", "bindgen", "pkg-config", "autotools"];

/// The packages that `cargo tree` lists for the crate, by kind of dependency.
fn packages(kinds: &str) -> Vec<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--offline",
            "--package",
            "hz3",
            "--prefix",
            "none",
            "--edges",
            kinds,
        ])
        .current_dir(common::root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

#[test]
fn no_c_is_compiled() {
    let all = packages("normal,build");
    assert!(
        all.iter().any(|name| name == "hz3-core") && all.iter().any(|name| name == "syn"),
        "{all:?}"
    );
    let c: Vec<&String> = all.iter().filter(|name| C.contains(&name.as_str())).collect();
    assert!(c.is_empty(), "{c:?} are needed to build `hz3`");
}

/// Procedural macros run while the program is built; what is in the program is this.
#[test]
fn the_program_takes_two_crates_with_it() {
    let mut linked = packages("normal,no-proc-macro");
    linked.sort();
    linked.dedup();
    assert_eq!(linked, ["hz3", "hz3-core", "libc"]);
}
