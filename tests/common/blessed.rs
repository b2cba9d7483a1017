//! Texts that are checked in and compared: a change of them shows in review.

use std::path::Path;

/// Set to write the files anew.
const BLESS: &str = "HZ3_BLESS";

/// Compares a text with a checked-in file of the project, or writes the file if that is asked for. Says what differs and
/// what to type.
pub fn compare(file: &str, text: &str, test: &str) -> Result<(), String> {
    let path = super::root().join(file);
    if std::env::var_os(BLESS).is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(|e| format!("{file}: {e}"))?;
        return std::fs::write(&path, text).map_err(|e| format!("{file}: {e}"));
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    let same = expected.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str| text.lines().skip(same).take(16).collect::<Vec<_>>().join("\n");
    Err(format!(
        "{file} is not what it was from line {} on. If that is meant: {BLESS}=1 cargo test --test {test}\n\
         --- checked in\n{}\n--- now\n{}",
        same + 1,
        rest(&expected),
        rest(text)
    ))
}
