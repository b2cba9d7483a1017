//! The config that is recommended, as a file.

use super::candidates::Candidate;
use crate::commands::new;
use hz3_config::Plan;
use hz3_project::{Outcome, Place, file, name};
use std::fmt::Write as _;
use std::path::Path;

/// Whether there can be a config in this file.
pub fn check(place: &Place, path: &Path, parent: &Path, base: &Plan) -> Outcome {
    new::sound(place, path, &text(place, path, parent, base, ""))
}

/// Writes it. A config that was named stays what it is: the new one is another name of it.
pub fn write(place: &Place, path: &Path, parent: &Path, base: &Plan, reasons: &str, candidate: &Candidate) -> Outcome {
    let mut text = match candidate.settings.is_empty() {
        true => text(place, path, &name::config(place, &candidate.label)?, base, reasons),
        false => text(place, path, parent, base, reasons),
    };
    for setting in &candidate.settings {
        let _ = writeln!(text, "{} = {}", setting.key, setting.value);
    }
    new::sound(place, path, &text)?;
    file::write(path, text.as_bytes())
}

/// A head, and why.
fn text(place: &Place, path: &Path, parent: &Path, base: &Plan, reasons: &str) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    let ours = folder.is_ok_and(|folder| folder == place.configs());
    let extends = match ours {
        true => new::extends(place, parent),
        false => parent.display().to_string(),
    };
    let description = format!("{}, tuned", base.name);
    let head = new::head(ours && place.is_checkout(), &stem, &extends, &description, None);
    format!("{head}\n{reasons}")
}
