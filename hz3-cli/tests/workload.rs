//! Workloads on the command line: checked, made from recordings and profiles, executed.
#![cfg(target_os = "linux")]

mod common;

use common::{hz3, root};

#[test]
fn faults_have_their_place_and_the_code_of_bad_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    file(
        "one.toml",
        "steps = 10\nobjects = [{ size = 16, lifetime = 1, wieght = 3 }]\n",
    );
    file(
        "two.toml",
        "threads = 0\nsteps = 10\nobjects = [{ size = 16, lifetime = 1 }]\n",
    );
    for command in [
        &["workload", "check", "one.toml", "two.toml"][..],
        &["bench", "--workload", "one.toml,two.toml"],
    ] {
        hz3(folder.path(), command)
            .with(2)
            .tells("one.toml:2:39")
            .tells("did you mean `weight`?")
            .tells("two.toml:1:11");
    }
    hz3(&root(), &["workload", "check", "servre"])
        .with(2)
        .tells("did you mean `server`?");
    hz3(&root(), &["workload", "from", "pyhton"])
        .with(2)
        .tells("did you mean `python`?");
    hz3(folder.path(), &["workload", "from", "one.toml", "-o", "x.toml"]).with(2);
    assert!(!folder.path().join("x.toml").exists());
}

#[test]
fn a_recording_and_its_profile_become_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (made, profile, again) = (path("made.toml"), path("p.pb.gz"), path("again.toml"));
    hz3(
        &root(),
        &[
            "workload", "from", "sqlite", "--phases", "2", "--kinds", "8", "-o", &made,
        ],
    )
    .with(0);
    hz3(&root(), &["profile", "sqlite", "-o", &profile]).with(0);
    hz3(
        &root(),
        &[
            "workload", "from", &profile, "--phases", "2", "--kinds", "8", "-o", &again,
        ],
    )
    .with(0);
    let check = hz3(&root(), &["workload", "check", &made, &again, "--format", "json"])
        .with(0)
        .json();
    for workload in check.as_array().expect("two workloads") {
        assert_eq!(workload["phases"].as_array().map(Vec::len), Some(2), "{workload}");
        // So many allocations has the recording, and so many resizes the profile as well.
        let steps = workload["steps"].as_u64().expect("a number");
        assert!((43_000..44_500).contains(&steps), "{steps}");
    }
    let words = [
        "bench",
        "--workload",
        &format!("{made},{again}"),
        "--with",
        "rounds=1",
        "--format",
        "json",
    ];
    let runs = hz3(&root(), &words).with(0).json();
    assert_eq!((&runs[0]["wrong"], &runs[1]["failures"]), (&0.into(), &0.into()));
    assert_eq!(runs[0]["row"], "workload made rounds=1");
}
