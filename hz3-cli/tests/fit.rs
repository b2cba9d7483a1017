//! `fit`: from a recording, or a program, to a config that is sound, says why, and is only written where it pays.
#![cfg(target_os = "linux")]

mod common;

use common::{hz3, root};
use serde_json::Value;
use std::path::Path;

/// A recording of a program that makes so many objects of these sizes in turn, and keeps the last 20,000.
fn recording(folder: &Path, name: &str, sizes: &[u64], objects: u32) -> String {
    // As `hz3-lab/src/trace/pack.rs` has it; the program is the real one.
    let source = folder.join(format!("{name}.c"));
    let sizes = sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let text = format!(
        "#include <stdlib.h>\n#include <string.h>\nint main(void) {{\n    static void *kept[20000];\n    size_t size[] = {{{sizes}}};\n\
         \x20   for (unsigned i = 0; i < {objects}; i++) {{\n        free(kept[i % 20000]);\n\
         \x20       kept[i % 20000] = malloc(size[i % (sizeof size / sizeof *size)]);\n    }}\n    return 0;\n}}\n"
    );
    std::fs::write(&source, text).expect("a file");
    let program = folder.join(name);
    let made = std::process::Command::new("cc")
        .args(["-O1", "-fno-builtin", "-o"])
        .args([&program, &source])
        .status();
    assert!(made.expect("a compiler").success());
    let file = folder.join(format!("{name}.hz3t")).display().to_string();
    let program = program.display().to_string();
    hz3(folder, &["trace", "-o", &file, "--", &program]).with(0);
    file
}

/// The figures of a fit to these recordings.
fn fitted(folder: &Path, from: &str) -> Value {
    let ended = hz3(folder, &["fit", "--from", from, "--format", "json"]).with(0);
    serde_json::from_str(&ended.out).expect("JSON")
}

#[test]
fn a_program_of_few_sizes_gets_its_own_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let (monday, tuesday) = (
        recording(path, "monday", &[1040, 4112], 100_000),
        recording(path, "tuesday", &[4112, 1040, 1040], 100_000),
    );
    let report = fitted(path, &monday);
    let saved = report["judged"]["saved"].as_f64().expect("bytes");
    // 10,000 objects of each, of 1152 and 4608 bytes without a fit; where runs end something is wasted in any case.
    assert!((2e6..6.1e6).contains(&saved), "{saved}");
    let both = fitted(path, &format!("{monday},{tuesday}"));
    assert!(both["judged"]["low"].as_f64() > Some(0.0), "{both}");

    let ended = hz3(path, &["fit", "--from", &monday, "--name", "mine"]).with(0);
    assert!(
        ended.out.contains("predicted: ") && ended.out.contains("taken"),
        "{}",
        ended.out
    );
    let text = std::fs::read_to_string(path.join("configs/mine.toml")).expect("a config");
    for part in [
        "extends = \"hz3:default\"",
        "hypothesis = ",
        "SHA-256",
        "1040",
        "4112",
        "as in default",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    hz3(path, &["check"]).with(0);
    let explained = hz3(path, &["explain", "mine", "--format", "json"]).with(0);
    assert!(explained.out.contains("1040"), "{}", explained.out);
    // A config that is there is not written over, and nothing is recorded in vain.
    let ended = hz3(path, &["fit", "--name", "mine", "--", "touch", "mark"]).with(2);
    assert!(ended.err.contains("configs/mine.toml exists"), "{}", ended.err);
    assert!(!path.join("mark").exists());
    // What fits already has nothing to win.
    let again = hz3(path, &["fit", "--from", &tuesday, "--base", "mine"]).with(0);
    assert!(again.out.contains("keep mine"), "{}", again.out);
}

#[test]
fn default_is_kept_where_nothing_is_to_be_won() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = hz3(folder.path(), &["fit", "--name", "mine", "--", "true"]).with(0);
    assert!(ended.out.contains("keep default"), "{}", ended.out);
    assert!(ended.err.contains("mine.toml is not written"), "{}", ended.err);
    assert!(!folder.path().join("configs/mine.toml").exists());
}

#[test]
fn every_recording_that_ships_can_be_fitted() {
    for name in ["python", "gcc", "sqlite", "redis"] {
        let report = fitted(&root(), name);
        let band = |b: &Value| b["judged"]["low"].as_f64() <= b["judged"]["saved"].as_f64();
        assert!(
            report["bands"]
                .as_array()
                .is_some_and(|all| all.len() == 8 && all.iter().all(band))
        );
        // Whatever is predicted does not lie below what all classes waste.
        assert!(
            report["judged"]["high"].as_f64() < report["base_slack"].as_f64(),
            "{report}"
        );
    }
}
