//! Presets: the configs that hz3 ships, in the software itself, so that they are at hand where no checkout is.
//!
//! `hz3:NAME` names a preset wherever a config is named: in `extends`, in `variant!`, on the command line and by [`crate::load()`].
//! A file of that very name is meant by `./hz3:NAME`.

mod list;

use std::path::Path;

use crate::suggest::nearest;
use list::PRESETS;

/// What comes before a preset's name.
const PREFIX: &str = "hz3:";

/// The names of all presets, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The text of a preset, as its file in `configs/` has it; `None` if there is no preset of this name.
pub fn text(name: &str) -> Option<&'static str> {
    let found = PRESETS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(PRESETS[found].1)
}

/// A preset as everything that takes a config's path takes it: `hz3:NAME`.
pub fn path(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The name, if the path is `hz3:NAME`; whether there is such a preset, [`text`] says.
pub fn named(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(PREFIX)
}

/// The preset whose name was probably meant.
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, names())
}

/// What may help whoever names a preset that does not exist: the nearest one, or all.
pub fn help(name: &str) -> String {
    match near(name) {
        Some(near) => format!("did you mean \"{PREFIX}{near}\"?"),
        None => format!("the presets are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_found_by_their_names() {
        assert!(names().is_sorted());
        for name in names() {
            let line = format!("name = \"{name}\"\n");
            assert!(text(name).is_some_and(|text| text.contains(&line)), "{name}");
            assert_eq!(named(Path::new(&path(name))), Some(name));
        }
        assert_eq!(text("nowhere"), None);
        assert_eq!(named(Path::new("./hz3:default")), None);
    }

    #[test]
    fn an_unknown_preset_names_the_nearest_or_all() {
        assert_eq!(help("compcat"), "did you mean \"hz3:compact\"?");
        assert!(help("nothing-like-it").starts_with("the presets are adopt-32, batch-short, "));
    }
}
