//! What people mistype: it is told before anything runs, and what they are told to type instead can be typed.
#![cfg(unix)]

mod common;

use common::{Sandbox, root};

#[test]
fn two_configs_of_one_name_are_refused_with_both_files() {
    let sandbox = Sandbox::new();
    for folder in ["a", "b"] {
        std::fs::create_dir(sandbox.path().join(folder)).expect("a folder");
        let text = "name = \"twin\"\ndescription = \"d\"\n[cache]\nmagazines = 1\n";
        sandbox.write(&format!("{folder}/twin.toml"), text);
    }
    for verb in ["build", "check"] {
        let ended = sandbox.hz3(&[verb, "a/twin.toml", "./b/twin.toml"]).with(2);
        let message = "error: a/twin.toml and b/twin.toml are both called `twin`\n";
        assert!(ended.err.contains(message), "{verb}: {}", ended.err);
    }
    // One file under two names is one config.
    let ended = sandbox.hz3(&["check", "a/twin.toml", "./a/../a/twin.toml"]).with(0);
    assert_eq!(ended.out.lines().count(), 2, "{}", ended.out);
    // The name of a config in configs/ is taken, whether or not it is built.
    sandbox.write(
        "a/default.toml",
        "name = \"default\"\ndescription = \"d\"\n[cache]\nmagazines = 1\n",
    );
    let ended = sandbox.hz3(&["build", "a/default.toml"]).with(2);
    let message = "error: two configs are called `default`: a/default.toml and configs/default.toml, whose library \
                   target/hz3/libhz3_default.so is\n";
    assert!(ended.err.starts_with(message), "{}", ended.err);
    // So is that of a library which another config left there, as long as that one exists.
    std::fs::create_dir_all(sandbox.path().join("target/hz3")).expect("a folder");
    sandbox.write("target/hz3/libhz3_twin.so", "");
    sandbox.write("target/hz3/libhz3_twin.from", "a/twin.toml\n");
    let ended = sandbox.hz3(&["build", "b/twin.toml"]).with(2);
    let message = "error: two configs are called `twin`: b/twin.toml and a/twin.toml, whose library \
                   target/hz3/libhz3_twin.so is\nhelp: give one of them another name, or remove the library: \
                   rm target/hz3/libhz3_twin.so\n";
    assert_eq!(ended.err, message);
}

#[test]
fn commands_to_type_next_survive_blanks() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path().join("my configs")).expect("a folder");
    let file = "my configs/roomy.toml";
    sandbox.write(file, "name = \"roomy\"\ndescription = \"d\"\n[cache]\nmagazines = 2\n");
    let ended = sandbox.hz3(&["diff", "default", file]).with(1);
    ended.tells("cargo hz3 build default 'my configs/roomy.toml'\n");
    // Every command that takes a variant says the same of one that is not built.
    for arguments in [&["run", "default", "--", "true"][..], &["compare", "default"]] {
        assert_eq!(
            sandbox.hz3(arguments).with(1).err,
            "error: variant `default` is not built\n\
             help: cargo hz3 build default, or --build here; the path of a library is taken as it is\n"
        );
    }
}

#[test]
fn names_that_are_nearly_right_are_guessed() {
    let sandbox = Sandbox::new();
    for (arguments, near) in [
        (&["bench", "smal"][..], "did you mean 'small'?"),
        (&["bench", "mixd:ws=20000"], "did you mean 'mixed'?"),
        (&["compare", "defualt"], "did you mean `default`?"),
        (&["compare", "glibc", "--peers", "mimaloc"], "did you mean `mimalloc`?"),
        (&["run", "defualt", "--", "true"], "did you mean `default`?"),
        (&["ledger", "--row", "smal"], "did you mean `small`?"),
        (&["ledger", "--of", "defualt"], "did you mean `default`?"),
    ] {
        let ended = sandbox.hz3(arguments).with(2);
        assert!(ended.err.contains(near), "{arguments:?}: {}", ended.err);
    }
    for verb in [&["replay"][..], &["trace", "--show"], &["fit", "--from"], &["profile"]] {
        let ended = common::hz3(&root(), &[verb, &["pyton"]].concat()).with(2);
        assert!(ended.err.ends_with("help: did you mean `python`?\n"), "{}", ended.err);
    }
}

#[test]
fn options_that_make_no_sense_are_bad_input() {
    let sandbox = Sandbox::new();
    for (arguments, what) in [
        (
            &["bench", "small", "--with", "foo=1"][..],
            "no option foo; there are: seed, wall, ws,",
        ),
        (&["bench", "small", "--with", "ws=abc"], "--ws: 'abc' is not a number"),
        (
            &["compare", "glibc", "--margin", "nan"],
            "a margin is a number of percent",
        ),
        (&["compare", "glibc", "--time-budget", "inf"], "a time is a number"),
        (&["compare", "glibc", "label="], "`label=` names no file"),
    ] {
        let ended = sandbox.hz3(arguments).with(2);
        assert!(ended.err.contains(what), "{arguments:?}: {}", ended.err);
    }
    sandbox.hz3(&["ledger", "--row", "small", "--of", "glibc"]).with(0);
}

#[test]
fn dates_that_do_not_exist_are_refused() {
    let sandbox = Sandbox::new();
    for date in [
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-04-31",
        "2026-1-1",
        "yesterday",
        "",
        "2026-01-01T00",
    ] {
        let ended = sandbox.hz3(&["ledger", "--since", date]).with(2);
        assert!(ended.err.contains("a day is written"), "{date}: {}", ended.err);
    }
    for date in ["2024-02-29", "2026-01-31", "2000-02-29"] {
        sandbox.hz3(&["ledger", "--since", date]).with(0);
    }
}

#[test]
fn conditions_and_revisions_that_make_no_sense_are_told_before_anything_runs() {
    let sandbox = Sandbox::new();
    for (condition, fault) in [
        ("rss >", "column 6: a name or a number is missing before the end"),
        ("rsss > 1", "column 1: nothing is called `rsss`: did you mean `rss`?"),
        ("rss > 5 %", "column 9: write 1.05 for 5 % more"),
        ("rss", "column 4: a comparison is missing"),
    ] {
        let ended = sandbox
            .hz3(&["compare", "glibc", "mimalloc", "--fail-if", condition])
            .with(2);
        ended.tells(fault);
    }
    for (more, fault, help) in [
        (&["--rows", "small"][..], "no row here has `malloc.p99`", "--tails=20"),
        (
            &["--rows", "small", "--tails=5"],
            "5 executions show nothing",
            "help: --tails=9 or more",
        ),
    ] {
        let words = [
            "compare",
            "glibc",
            "jemalloc=/bin/true",
            "--fail-if",
            "malloc.p99 > 1.1",
        ];
        let ended = sandbox.hz3(&[&words, more].concat()).with(2);
        ended.tells(fault).tells(help);
    }
    let ended = sandbox.hz3(&["compare", "glibc", "default@HEAD"]).with(2);
    ended.tells("is in no git repository, so it has no older states");
}

#[test]
fn a_grid_is_checked_before_anything_is_built() {
    let sandbox = Sandbox::new();
    let refused = |words: &[&str], parts: &[&str]| {
        let ended = sandbox
            .hz3(&[&["sweep", "default", "--rows", "small"], words].concat())
            .with(2);
        for part in parts {
            ended.tells(part);
        }
    };
    refused(
        &["--set", "cache.batch_mx=8,16"],
        &[
            ".toml:4:7",
            "did you mean `batch_max`?",
            "2 of 2 configs of the grid are bad",
        ],
    );
    refused(
        &["--set", "cache.batch_max=64,0", "--set", "runs.min_objects=4,16"],
        &[
            ".toml:4:17",
            "`cache.batch_max` must be from 1",
            "2 of 4 configs of the grid are bad",
        ],
    );
    refused(&["--set", "batch_max=8"], &["`batch_max` is no key of a table"]);
    refused(&["--set", "cache.batch_max"], &["a setting is TABLE.KEY=VALUE,VALUE"]);
    refused(
        &["--set", "cache.batch_max=1,,2"],
        &["value 2 of `cache.batch_max` is empty"],
    );
    refused(
        &["--set", "cache.batch_max=64", "--set", "cache.batch_max=96"],
        &["`cache.batch_max` is set twice", "cache.batch_max=…"],
    );
    refused(
        &["--set", "cache.batch_max=128"],
        &["is the same allocator as default", "nothing of this"],
    );
    let many: Vec<String> = (1..=65).map(|n| n.to_string()).collect();
    let many = format!("runs.min_objects={}", many.join(","));
    refused(
        &["--set", &many],
        &["the grid has 65 configs, and 64 are the most", "--jobs"],
    );
    assert!(!sandbox.path().join("target/hz3").exists());

    // A file of jobs: a line each, and the configs that they name.
    let words = [
        "sweep",
        "default",
        "--rows",
        "small",
        "--set",
        "cache.batch_max=48,64",
        "--jobs",
        "jobs.txt",
    ];
    let ended = sandbox.hz3(&words).with(0);
    ended.tells("2 commands. When they have run: cargo hz3 ledger merge jobs.records");
    let jobs = sandbox.read("jobs.txt");
    for line in jobs.lines() {
        let config = line.strip_prefix("cargo hz3 compare default ").expect(line);
        let (config, rest) = config.split_once(' ').expect(line);
        assert!(sandbox.path().join(config).is_file(), "{line}");
        assert!(
            rest.starts_with("--build --no-ledger -o jobs.records/default-"),
            "{line}"
        );
    }
    assert_eq!(jobs.lines().count(), 2);
    let ended = sandbox.hz3(&["ledger", "merge", "jobs.records"]).with(2);
    ended.tells("there is no record in these files");
    sandbox.write("jobs.records/bad.json", "{\"format\": 2}\n");
    let ended = sandbox.hz3(&["ledger", "merge", "jobs.records"]).with(2);
    ended.tells("jobs.records/bad.json:1: not a record: missing field");
}

#[test]
fn what_cannot_be_tuned_is_told_before_anything_is_built() {
    let sandbox = Sandbox::new();
    for (words, fault) in [
        (
            &["--goal", "time +", "--", "true"][..],
            "column 7: a name or a number is missing",
        ),
        (&["--goal", "time > 1", "--", "true"], "column 1: this is a condition"),
        (
            &["--goal", "tmie", "--", "true"],
            "column 1: nothing is called `tmie`: did you mean `time`?",
        ),
        (&["--goal", "latency", "--", "true"], "latency needs --rows"),
        (&["--base", "defualt", "--", "true"], "did you mean `default`?"),
        (&["--tails", "--rows", "small"], "--tails shows what judges nothing"),
        (&["--counters", "--", "true"], "--counters shows what judges nothing"),
        (&["-o", "Bad.toml", "--", "true"], "Bad.toml would be no valid config"),
        (&["-o", "none/mine.toml", "--", "true"], "its folder does not exist"),
        (&["--budget", "5d", "--", "true"], "a time is a number and s, m or h"),
    ] {
        sandbox
            .hz3(&[&["tune"], words].concat())
            .with(2 - i32::from(fault.starts_with("its folder")))
            .tells(fault);
    }
    assert!(!sandbox.path().join("target/hz3").exists() && !sandbox.path().join("Bad.toml").exists());
}
