//! Files that are none, disks that are full, readers that are gone, and commands that can be typed as they are shown.
#![cfg(unix)]

mod common;

use common::{Sandbox, root};
use std::fs::File;
use std::process::{Command, Stdio};

/// A named pipe of which nobody ever writes the other end.
fn pipe(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.path().join(name);
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo starts");
    assert!(made.success());
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_is_no_file_is_refused_by_every_verb_that_reads_one() {
    let sandbox = Sandbox::new();
    let pipe = pipe(&sandbox, "pipe.toml");
    let folder = sandbox.path().to_str().expect("UTF-8").to_owned();
    let verbs: &[&[&str]] = &[
        &["check", "@"],
        &["explain", "@"],
        &["build", "@"],
        &["diff", "default", "@"],
        &["diff", "@", "default"],
        &["new", "child", "--from", "@"],
        &["ledger", "refute", "@", "--why", "x"],
        &["inspect", "@"],
        &["run", "@", "--", "true"],
        &["doctor", "@", "--", "true"],
        &["count", "@"],
        &["heap", "@"],
        &["heap", "@", "@"],
        &["profile", "@"],
        &["profile", "@", "--since", "@"],
        &["explain", "default", "--profile", "@"],
        &["diff", "default", "wide", "--profile", "@"],
        &["trace", "--show", "@"],
        &["replay", "@"],
        &["bench", "small", "--under", "@"],
        &["compare", "@"],
        &["compare", "glibc", "label=@"],
    ];
    for (file, what) in [
        (pipe.as_str(), "it is a pipe, not a file"),
        ("/dev/zero", "it is a device, not a file"),
        ("/dev/tty", "it is a device, not a file"),
        (folder.as_str(), "it is a folder"),
    ] {
        for verb in verbs {
            let words: Vec<String> = verb.iter().map(|word| word.replace('@', file)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ended = sandbox.hz3(&words).with(2);
            assert!(ended.err.contains(what), "{words:?}: {}", ended.err);
        }
    }
    assert!(!sandbox.path().join("configs/child.toml").exists());
}

#[test]
fn a_parent_and_a_file_of_configs_may_be_no_file_either() {
    let sandbox = Sandbox::new();
    pipe(&sandbox, "configs/parent.toml");
    sandbox.write(
        "configs/child.toml",
        "name = \"child\"\ndescription = \"d\"\nextends = \"parent\"\n",
    );
    let ended = sandbox.hz3(&["check"]).with(2);
    ended.tells("configs/child.toml:3:11");
    assert_eq!(
        ended.err.matches("it is a pipe, not a file").count(),
        2,
        "{}",
        ended.err
    );
    // The good ones are shown all the same.
    ended.shows("default ").shows("wide ");
}

#[test]
fn a_program_that_is_a_pipe_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let pipe = pipe(&sandbox, "program");
    let ended = sandbox.hz3(&["doctor", "glibc", "--", &pipe]).with(2);
    ended.tells("cannot start");
}

#[test]
fn hostile_traces_are_refused_with_their_place() {
    let sandbox = Sandbox::new();
    let (sizes, waits) = (sandbox.path().join("sizes.hz3t"), sandbox.path().join("waits.hz3t"));
    // One allocation of 2^56 + 24 bytes, whose size would run into the kind of the event.
    let head = b"hz3t1\nx\n0\n1\n";
    let number = [0x98, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    std::fs::write(&sizes, [&head[..], &[0xf9], &number].concat()).expect("a file");
    // A free of what was never made.
    std::fs::write(&waits, [&head[..], &[0x02]].concat()).expect("a file");
    for verb in [
        &["replay"][..],
        &["trace", "--show"],
        &["fit", "--from"],
        &["profile"],
        &["explain", "default", "--profile"],
    ] {
        for (file, what) in [
            (
                &sizes,
                "an object of 72057594037927960 bytes (2^48 and more do not exist) at byte 12",
            ),
            (&waits, "an object before the first at byte 12"),
        ] {
            let words = [verb, &[file.to_str().expect("UTF-8")]].concat();
            let ended = sandbox.hz3(&words).with(2);
            assert!(ended.err.contains(what), "{words:?}: {}", ended.err);
        }
    }
}

#[test]
fn hostile_profiles_are_refused_with_what_is_wrong() {
    let sandbox = Sandbox::new();
    for (name, bytes, what) in [
        ("empty.pb", &b""[..], "it says of no value what it means"),
        (
            "elf.pb",
            b"\x7fELF\x02\x01\x01\0\0\0\0",
            "failed to decode Protobuf message",
        ),
        (
            "cut.pb.gz",
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
            "it is compressed, but not whole",
        ),
        // One value, and one string for it, of which the first has to be empty.
        (
            "strings.pb",
            b"\x0a\x04\x08\x01\x10\x01\x32\x01x",
            "the first of its strings is not empty",
        ),
        (
            "values.pb",
            b"\x0a\x04\x08\x01\x10\x01\x32\0\x32\x03cpu",
            "its values are cpu/cpu, not alloc_objects/count",
        ),
    ] {
        std::fs::write(sandbox.path().join(name), bytes).expect("a file");
        for verb in [&["profile"][..], &["explain", "default", "--profile"]] {
            let ended = sandbox.hz3(&[verb, &[name]].concat()).with(2);
            let message = format!("error: {name}: no profile that hz3 can use: {what}");
            assert!(ended.err.starts_with(&message), "{}", ended.err);
        }
    }
    // Told before anything is read.
    let ended = sandbox.hz3(&["profile", "empty.pb", "-o", "none/x.pb"]).with(1);
    assert_eq!(ended.err, "error: cannot write none/x.pb: its folder does not exist\n");
}

/// `hz3 arguments…` with an output of its own: the exit code and what stands on stderr.
fn with_output(sandbox: &Sandbox, arguments: &[&str], output: Stdio) -> (Option<i32>, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_cargo-hz3"))
        .args(arguments)
        .current_dir(sandbox.path())
        .stdout(output)
        .stderr(Stdio::piped())
        .output()
        .expect("hz3 starts");
    (
        ended.status.code(),
        String::from_utf8(ended.stderr).expect("stderr is UTF-8"),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_told_and_is_no_success() {
    let sandbox = Sandbox::new();
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
    for arguments in [
        &["check"][..],
        &["check", "--format", "json"],
        &["explain", "wide"],
        &["explain", "wide", "--format", "json"],
        &["schema"],
        &["schema", "--markdown"],
        &["bench"],
        &["ledger"],
        &["new", "fresh"],
        &["inspect", "/bin/sh"],
    ] {
        let (code, said) = with_output(&sandbox, arguments, full().into());
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        let message = "error: cannot write to standard output: no space is left on the device\n";
        assert!(
            said.ends_with(message) && !said.contains("panicked"),
            "{arguments:?}: {said}"
        );
    }
    // What failed anyway keeps its code.
    assert_eq!(
        with_output(&sandbox, &["diff", "default", "wide", "--no-count"], full().into()).0,
        Some(1)
    );
    assert_eq!(with_output(&sandbox, &["check", "none"], full().into()).0, Some(2));
    for arguments in [&["--help"][..], &["--version"], &["check", "--help"]] {
        assert_eq!(
            with_output(&sandbox, arguments, full().into()).0,
            Some(1),
            "{arguments:?}"
        );
    }
    // Nor may a full stderr be what ends it.
    let ended = Command::new(env!("CARGO_BIN_EXE_cargo-hz3"))
        .args(["explain", "none"])
        .current_dir(sandbox.path())
        .stderr(full())
        .status()
        .expect("hz3 starts");
    assert_eq!(ended.code(), Some(2));
}

#[test]
fn a_reader_who_has_enough_changes_no_exit_code() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in [
        (&["explain", "wide", "--format", "json"][..], 0),
        (&["diff", "default", "wide", "--no-count"], 1),
        (&["schema"], 0),
        (&["--help"], 0),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, said) = with_output(&sandbox, arguments, writer.into());
        assert_eq!(
            (code, said.contains("error")),
            (Some(expected), false),
            "{arguments:?}: {said}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn results_are_written_whole_or_told() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["trace", "-o", "/dev/full", "--", "true"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(
        ended
            .err
            .ends_with("cannot write /dev/full: no space is left on the device\n"),
        "{}",
        ended.err
    );
    // Told before the program runs.
    let mark = sandbox.path().join("ran");
    let mark = mark.to_str().expect("UTF-8");
    for (output, what) in [
        ("none/trace.hz3t", "its folder does not exist"),
        (".", "it is a folder"),
    ] {
        let ended = sandbox.hz3(&["trace", "-o", output, "--", "touch", mark]).with(1);
        assert!(
            ended.err.ends_with(&format!("cannot write {output}: {what}\n")),
            "{}",
            ended.err
        );
    }
    assert!(!std::path::Path::new(mark).exists());
}

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
