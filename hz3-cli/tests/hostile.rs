//! Files that are none or lie, disks that are full, and readers that are gone.
#![cfg(unix)]

mod common;

use common::Sandbox;
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
