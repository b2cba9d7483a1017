//! A variant from its config to a running program: build, inspect, run, doctor, count, diff.
#![cfg(target_os = "linux")]

mod common;

use common::{Cleanup, compile, hz3, root};
use std::path::PathBuf;

#[test]
fn from_config_to_program() {
    let root = root();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = |name: &str, rest: &str| {
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, format!("name = \"{name}\"\ndescription = \"A test\"\n{rest}")).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let a = config(
        "cli-test-a",
        "hypothesis = \"h\"\nrefuted = \"by this test\"\n[stats]\nexit_report = true\n",
    );
    let b = config(
        "cli-test-b",
        "[classes]\nsteps = [{ to = 128, step = 16 }, { to = 32768, per_doubling = 4 }]\n",
    );
    let bad = config("cli-test-bad", "nonsense = 1\n");
    let library = |name: &str| hz3_project::Place::checkout().library(name);
    let (so_a, so_b) = (library("cli-test-a"), library("cli-test-b"));
    let links = [&so_a, &so_b].map(|so| PathBuf::from(format!("{}.0", so.display())));
    let made = [so_a.clone(), so_b.clone(), library("cli-test-bad")];
    let _cleanup = Cleanup(made.into_iter().chain(links.clone()).collect());

    // One bad config, and nothing is built.
    let ended = hz3(&root, &["build", &a, &bad]).with(2);
    assert!(
        ended.err.contains("unknown key `nonsense`") || ended.err.contains("nonsense"),
        "{}",
        ended.err
    );
    assert!(!so_a.exists());

    let ended = hz3(&root, &["build", &a, &b]).with(0);
    let refuted = "warning: `cli-test-a` is refuted: by this test\n";
    assert!(ended.err.starts_with(refuted), "{}", ended.err);
    let names: Vec<&str> = ended.out.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(names, ["cli-test-a", "cli-test-b"]);

    let path = so_a.to_str().expect("UTF-8");
    let json = hz3(&root, &["inspect", path, "--format", "json"]).with(0).json();
    assert_eq!(json["variant"]["name"], "cli-test-a");
    assert_eq!(json["soname"], "libhz3_cli-test-a.so.0");
    let leads = std::fs::canonicalize(&links[0]).expect("what a linked program looks for");
    assert_eq!(Some(leads), std::fs::canonicalize(&so_a).ok());
    assert_eq!(json["config"], "gone", "its config is not in configs/");
    assert!(ended.out.contains(json["variant"]["hash"].as_str().expect("a hash")));

    // The config in the note makes the same variant again.
    let text = hz3(&root, &["inspect", path, "--format", "toml"]).with(0).out;
    let again = folder.path().join("again");
    std::fs::create_dir(&again).expect("a folder");
    let again = again.join("cli-test-a.toml");
    std::fs::write(&again, text).expect("a file");
    let explained = hz3(&root, &["explain", again.to_str().expect("UTF-8"), "--format", "json"])
        .with(0)
        .json();
    assert_eq!(explained["hash"], json["variant"]["hash"]);

    let ended = hz3(
        &root,
        &[
            "run",
            "cli-test-a",
            "--",
            "sh",
            "-c",
            "grep -c libhz3_cli-test-a /proc/self/maps; exit 3",
        ],
    );
    let ended = ended.with(3);
    assert_ne!(ended.out.trim(), "0");
    // A program that ends as programs do reports (the shell ends by _exit, and grep closes its standard error before).
    let plain = compile(folder.path(), "plain", "int main(void) { return 3; }", &[]).expect("cc");
    let ended = hz3(&root, &["run", "cli-test-a", "--", plain.to_str().expect("UTF-8")]).with(3);
    let report = "{\"name\":\"cli-test-a\",\"taken_bytes\":";
    assert_eq!(ended.err.matches(report).count(), 1, "{}", ended.err);
    let ended = hz3(&root, &["doctor", path, "--", "sh", "-c", "ls / | sort"]).with(0);
    assert!(ended.out.starts_with("proven: "), "{}", ended.out);

    let ended = hz3(&root, &["diff", path, so_b.to_str().expect("UTF-8"), "--no-count"]).with(1);
    ended.shows("classes.steps");

    if cfg!(target_arch = "x86_64") {
        let json = hz3(
            &root,
            &[
                "count",
                path,
                "--sizes",
                "64,3500",
                "--ops",
                "malloc,free",
                "--format",
                "json",
            ],
        )
        .with(0)
        .json();
        for row in json[0]["rows"].as_array().expect("rows") {
            assert!(
                row["instructions"]["typical"].as_u64().is_some_and(|n| n <= 20),
                "{row}"
            );
            assert_eq!((&row["calls"], &row["locked"]), (&0.into(), &0.into()), "{row}");
        }
    }
}

#[test]
fn build_is_told_either_names_or_all() {
    hz3(&root(), &["build", "default", "--all"]).with(2);
    hz3(&root(), &["build", "no-such-config"]).with(2);
}
