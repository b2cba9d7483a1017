//! What several tests share.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use hz3_config::Plan;

/// Set to write expected texts anew.
const UPDATE: &str = "HZ3_UPDATE";

/// The configs in a folder, sorted.
pub fn configs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// The plans of all shipped configs, sorted by name.
pub fn shipped() -> Vec<Plan> {
    let files = configs_in(Path::new("../configs"));
    assert!(files.len() >= 4, "the shipped configs are not where they should be");
    let load = |file: &PathBuf| hz3_config::load(file).unwrap_or_else(|faults| panic!("{faults}"));
    files.iter().map(load).collect()
}

/// The plan of a text, which must be sound. Its `name` and `description` are added.
pub fn plan(body: &str) -> Plan {
    let text = format!("name = \"x\"\ndescription = \"A config of a test\"\n{body}");
    hz3_config::load_str(Path::new("tests/x.toml"), &text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The faults of a text. Its `name` and `description` are added.
pub fn faults(body: &str) -> Vec<String> {
    let text = format!("name = \"x\"\ndescription = \"A config of a test\"\n{body}");
    match hz3_config::load_str(Path::new("tests/x.toml"), &text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.items().iter().map(|item| item.message.clone()).collect(),
    }
}

/// Compares a text with a file, or writes the file if that is asked for; says what differs.
pub fn compare(file: &Path, text: &str) -> Option<String> {
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return None;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    let same = expected.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str| text.lines().skip(same).take(12).collect::<Vec<_>>().join("\n");
    (expected != text).then(|| {
        format!(
            "{} is not current from line {} on; `{UPDATE}=1 cargo test -p hz3-config` writes it anew.\n\
             --- expected\n{}\n--- now\n{}",
            file.display(),
            same + 1,
            rest(&expected),
            rest(text)
        )
    })
}
