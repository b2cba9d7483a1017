//! Configs that are made for a measurement: a base with some keys set otherwise. They lie beside the libraries that are built
//! from them, and not among the project's own.

use crate::{configs, variants};
use hz3_config::{Plan, hash};
use hz3_project::current::{self, State};
use hz3_project::{Allocator, Kind, OnPath, Outcome, Place, file};
use std::path::{Path, PathBuf};

/// A key with a value, both as TOML.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// The key with its table: `cache.batch_max`.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Setting {
    /// A value as a person types it: a word that is no value of TOML is a string.
    pub fn typed(key: &str, value: &str) -> Self {
        let toml = |text: &str| toml::from_str::<toml::Table>(&format!("x = {text}")).is_ok();
        let value = match value.trim() {
            text if toml(text) => text.to_owned(),
            text => toml::Value::String(text.to_owned()).to_string(),
        };
        Self {
            key: key.trim().to_owned(),
            value,
        }
    }

    /// The keys of a config's tables.
    pub fn all_of(text: &str) -> Vec<Self> {
        let Ok(document) = toml::from_str::<toml::Table>(text) else {
            return Vec::new();
        };
        let tables = document
            .iter()
            .filter_map(|(table, keys)| Some((table, keys.as_table()?)));
        let keys = tables.flat_map(|(table, keys)| {
            keys.iter().map(move |(key, value)| Self {
                key: format!("{table}.{key}"),
                value: value.to_string(),
            })
        });
        keys.collect()
    }

    /// For a label: the last word of the key, and the value without quotes.
    pub fn short(&self) -> String {
        let key = self.key.rsplit('.').next().unwrap_or(&self.key);
        format!("{key}={}", self.value.trim_matches('"'))
    }
}

/// A config that extends a base.
#[derive(Debug, Clone)]
pub struct Derived {
    /// What tables call it.
    pub label: String,
    /// What it says.
    pub plan: Plan,
    /// Its file, once it is written.
    pub file: PathBuf,
    text: String,
}

impl Derived {
    /// Checks a config; nothing is written.
    ///
    /// # Errors
    ///
    /// Its faults, whose columns are those of the words that were typed.
    pub fn of(
        place: &Place,
        base: &Plan,
        config: &Path,
        settings: &[Setting],
    ) -> Result<Self, hz3_config::Diagnostics> {
        let lines: String = settings.iter().map(|s| format!("{}={}\n", s.key, s.value)).collect();
        let origin = format!("{}\n{lines}", config.display());
        let hash = hash::add(hash::START, origin.as_bytes()) & 0xffff_ffff;
        let stem: String = base.name.chars().take(39).collect();
        let name = format!("{}-{hash:08x}", stem.trim_end_matches('-'));
        let label = settings.iter().map(Setting::short).collect::<Vec<_>>().join(" ");
        let string = |text: &str| toml::Value::String(text.to_owned()).to_string();
        // A key with its table stands in one line, as it was typed, so that a fault's column is that of the word.
        let text = format!(
            "name = {}\ndescription = {}\nextends = {}\n{lines}",
            string(&name),
            string(&format!("{} with {}", base.name, label.replace('"', "'"))),
            string(&config.display().to_string()),
        );
        let file = place.derived().join(format!("{name}.toml"));
        let plan = hz3_config::load_str(&configs::shown(&file), &text)?;
        Ok(Self {
            label,
            plan,
            file,
            text,
        })
    }

    /// Writes the config.
    pub fn write(&self, place: &Place) -> Outcome {
        let folder = place.derived();
        std::fs::create_dir_all(&folder).on("create", &folder)?;
        file::write(&self.file, self.text.as_bytes())
    }

    /// The variant, which must be built.
    pub fn allocator(&self, place: &Place) -> Allocator {
        Allocator {
            label: self.label.clone(),
            kind: Kind::Variant,
            path: Some(place.library(&self.plan.name)),
        }
    }
}

/// Writes configs and builds those whose libraries are not what they say.
pub fn build(place: &Place, all: &[Derived]) -> Outcome {
    let mut old = Vec::new();
    for one in all {
        one.write(place)?;
        if current::state(place, &one.plan.name, Some(&one.file))? != State::Current {
            old.push(one.file.display().to_string());
        }
    }
    match old.is_empty() {
        true => Ok(()),
        false => variants::quietly(place, &old),
    }
}

/// Leaves out what is the base, or another one, in all that reaches the code; each is told why.
pub fn distinct(base: &Plan, all: Vec<Derived>, mut told: impl FnMut(&Derived, &str)) -> Vec<Derived> {
    let mut kept: Vec<Derived> = Vec::new();
    for one in all {
        let same = |plan: &Plan| plan.code_hash == one.plan.code_hash;
        let twin = match kept.iter().find(|other| same(&other.plan)) {
            _ if same(base) => Some(base.name.clone()),
            twin => twin.map(|twin| twin.label.clone()),
        };
        match twin {
            Some(twin) => told(&one, &twin),
            None => kept.push(one),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_config_are_the_keys_of_its_tables() {
        let text =
            "name = \"x\"\nextends = \"default\"\ncache.batch_max = 64\n[classes]\nsteps = [{ sizes = [32, 48] }]\n";
        let settings = Setting::all_of(text);
        let all: Vec<String> = settings.iter().map(|s| format!("{} = {}", s.key, s.value)).collect();
        assert_eq!(all, ["cache.batch_max = 64", "classes.steps = [{ sizes = [32, 48] }]"]);
    }

    #[test]
    fn values_are_toml_or_become_strings() {
        for (typed, value) in [
            ("8", "8"),
            ("helper", "\"helper\""),
            ("64KiB", "\"64KiB\""),
            ("true", "true"),
            ("[{ to = 128, step = 16 }]", "[{ to = 128, step = 16 }]"),
            ("\"x\"", "\"x\""),
            ("a\nb = 1", "\"\"\"\na\nb = 1\"\"\""),
        ] {
            assert_eq!(Setting::typed("k", typed).value, value);
        }
        assert_eq!(
            Setting::typed("cache.batch_bytes", "64KiB").short(),
            "batch_bytes=64KiB"
        );
    }
}
