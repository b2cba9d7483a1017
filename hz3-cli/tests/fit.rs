//! `fit`: from a recording, or a program, to a config that is sound, says why, and is only written where it pays.
#![cfg(target_os = "linux")]

mod common;

use common::{hz3, root};
use serde_json::Value;
use std::path::Path;

/// A recording of a program that makes so many objects of these sizes in turn, and keeps the last 20,000.
fn recording(folder: &Path, name: &str, sizes: &[u64], objects: u32) -> String {
    let sizes = sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let text = format!(
        "#include <stdlib.h>\n#include <string.h>\nint main(void) {{\n    static void *kept[20000];\n    size_t size[] = {{{sizes}}};\n\
         \x20   for (unsigned i = 0; i < {objects}; i++) {{\n        free(kept[i % 20000]);\n\
         \x20       kept[i % 20000] = malloc(size[i % (sizeof size / sizeof *size)]);\n    }}\n    return 0;\n}}\n"
    );
    recorded(folder, name, &text)
}

/// A recording of a program in C.
fn recorded(folder: &Path, name: &str, text: &str) -> String {
    let source = folder.join(format!("{name}.c"));
    std::fs::write(&source, text).expect("a file");
    let program = folder.join(name);
    let made = std::process::Command::new("cc")
        .args(["-O1", "-fno-builtin", "-pthread", "-o"])
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

/// Bytes of the heap's peak that a fit is said to change.
fn peak(report: &Value) -> f64 {
    report["effect"]["peak"].as_f64().expect("bytes")
}

#[test]
fn a_program_of_few_sizes_gets_its_own_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let (monday, tuesday) = (
        recording(path, "monday", &[1040, 4112], 50_000),
        recording(path, "tuesday", &[4112, 1040, 1040], 50_000),
    );
    let report = fitted(path, &monday);
    // 10,000 objects of each, of 1152 and 4608 bytes without a fit; where runs end something is wasted in any case.
    assert!((-6.1e6..-2e6).contains(&peak(&report)), "{report}");
    for waste in report["waste"].as_array().expect("trials") {
        assert!(waste["fitted"].as_f64() < waste["base"].as_f64(), "{waste}");
    }
    let both = fitted(path, &format!("{monday},{tuesday}"));
    assert!(both["prediction"]["peak"]["high"].as_f64() < Some(0.0), "{both}");

    let ended = hz3(path, &["fit", "--from", &monday, "--name", "mine"]).with(0);
    assert!(
        ended.out.contains("Predicted against default: peak memory -") && ended.out.contains("taken"),
        "{}",
        ended.out
    );
    let text = std::fs::read_to_string(path.join("configs/mine.toml")).expect("a config");
    for part in [
        "extends = \"hz3:default\"",
        "hypothesis = \"Predicted against default: ",
        // Which of the two hangs on how fast the machine runs the program: page faults are in the time of the fit.
        "goal = \"",
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
    // What fits already has no more classes to win by.
    let again = hz3(path, &["fit", "--from", &monday, "--base", "mine", "--format", "json"]).with(0);
    let again: Value = serde_json::from_str(&again.out).expect("JSON");
    assert!(peak(&again) > 0.1 * peak(&report), "{again}");
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
fn profiles_give_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let data = std::fs::read(recording(path, "monday", &[1040, 4112], 50_000)).expect("a recording");
    let trace = hz3_lab::trace::unpack(&data).expect("a recording");
    let profile = hz3_lab::profile::Profile::of_trace(&trace, hz3_lab::profile::Moment::End);
    let file = path.join("heap.pb.gz").display().to_string();
    std::fs::write(&file, profile.write()).expect("a file");
    let report = fitted(path, &file);
    let saved = report["judged"]["saved"].as_f64().expect("bytes");
    assert!((2e6..6.1e6).contains(&saved), "{saved}");
    let text = report["config"].as_str().expect("a config");
    assert!(
        text.contains("1040") && text.contains("4112") && text.contains("heap.pb.gz"),
        "{text}"
    );
    let mixed = format!("{file},{}", path.join("monday.hz3t").display());
    // Beside a recording a profile is a witness.
    let report = fitted(path, &mixed);
    assert_eq!(report["from"].as_array().map(Vec::len), Some(2), "{report}");
    let witness = &report["witnesses"][0];
    assert!(witness["fitted"].as_f64() < witness["base"].as_f64(), "{report}");
    assert!(peak(&report) < -2e6, "{report}");
    std::fs::write(&file, "no profile").expect("a file");
    let ended = hz3(path, &["fit", "--from", &file]).with(2);
    assert!(
        ended.err.contains("neither a recording of hz3 nor a profile"),
        "{}",
        ended.err
    );
}

#[test]
fn recordings_that_ship_can_be_fitted() {
    for name in ["gcc", "sqlite"] {
        let report = fitted(&root(), name);
        // Nothing that is taken makes memory or time worse.
        for figure in ["peak", "mean"] {
            let (more, base) = (&report["effect"][figure], &report["before"]);
            assert!(
                more.as_f64().expect("bytes") <= 0.01 * base[figure].as_f64().unwrap_or(1e6),
                "{report}"
            );
        }
        for waste in report["waste"].as_array().expect("trials") {
            assert!(waste["fitted"].as_f64() <= waste["base"].as_f64(), "{waste}");
        }
    }
}

#[test]
fn who_owns_what_is_freed_is_replayed() {
    const HANDED: &str = r#"
        #include <pthread.h>
        #include <stdlib.h>
        static void *handed[5000];
        static void *taker(void *with) {
            for (int i = 0; i < 5000; i++)
                free(handed[i]);
            return with;
        }
        int main(void) {
            for (int round = 0; round < 4; round++) {
                pthread_t thread;
                for (int i = 0; i < 5000; i++)
                    handed[i] = malloc(16 + i % 90 * 8);
                if (pthread_create(&thread, NULL, taker, NULL) || pthread_join(thread, NULL))
                    return 1;
            }
            return 0;
        }
    "#;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let file = recorded(path, "handed", HANDED);
    let ended = hz3(path, &["fit", "--from", &file, "--owners", "2s", "--format", "json"]).with(0);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert!(report["remote"].as_f64() > Some(0.9), "{report}");
    let ways = report["owners"]["ways"].as_array().expect("ways");
    let modes = ["owner-bank", "owner-ring", "shards = 32"];
    for mode in modes {
        let is = |way: &&Value| way["keys"].as_str().is_some_and(|keys| keys.contains(mode));
        let way = ways.iter().find(is).unwrap_or_else(|| panic!("no {mode}: {report}"));
        assert!(way["problem"].is_null(), "{way}");
    }
    // Whoever is taken stands in the config, with the reason.
    let taken = ways.iter().find(|way| way["taken"] == true);
    let config = report["config"].as_str().unwrap_or_default();
    assert_eq!(taken.is_some(), config.contains("[ownership]\n# "), "{report}");
    if let Some(way) = taken {
        let keys = way["keys"].as_str().expect("keys").split(", ");
        for key in keys {
            assert!(config.contains(key.trim_start_matches("ownership.")), "{config}");
        }
    }
    let alone = recording(path, "alone", &[24], 100);
    let ended = hz3(path, &["fit", "--from", &alone, "--owners", "2s"]).with(0);
    assert!(ended.err.contains("made by the same thread"), "{}", ended.err);
    let ended = hz3(path, &["fit", "--from", &alone, "--owners", "soon"]).with(2);
    assert!(ended.err.contains("--owners"), "{}", ended.err);
}
