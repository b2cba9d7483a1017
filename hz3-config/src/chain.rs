//! A config and its parents: reading them, and merging what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostics, Sink};
use crate::file;
use crate::knob::{self, Entry, GROUPS, Kind, Merged, TOP, Value};
use crate::parse::Reader;
use crate::preset;
use crate::source::{At, Place, Source};
use crate::suggest::nearest;

/// The files of a chain, the config first, each with what it says.
pub(crate) struct Chain {
    /// The files.
    pub sources: Vec<Source>,
    /// What each says.
    pub entries: Vec<BTreeMap<knob::Path, Entry>>,
    /// Whether every file is TOML and every parent was found: only then do further checks make sense.
    pub sound: bool,
}

/// Reads a config, a file or `hz3:NAME`, and its parents.
pub(crate) fn load(path: &Path, sink: &mut Sink) -> Result<Chain, Diagnostics> {
    let source = match preset::named(path) {
        Some(name) => of_preset(name).ok_or((format!("there is no preset `{name}`"), Some(preset::help(name)))),
        None => read(path).map(|text| of_file(path, text)).map_err(|reason| {
            let help = reason
                .ends_with("not UTF-8")
                .then(|| "save the file as UTF-8".to_owned());
            (unread(path, &reason), help)
        }),
    };
    let source = source.map_err(|(message, help)| Diagnostics::of_file(path, message, help))?;
    Ok(follow(source, sink))
}

/// A file whose text is given.
pub(crate) fn of_file(path: &Path, text: String) -> Source {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    Source {
        shown: path.to_path_buf(),
        place: Place::File(absolute),
        text,
    }
}

/// The preset of a name, if there is one.
fn of_preset(name: &str) -> Option<Source> {
    Some(Source {
        shown: preset::path(name).into(),
        place: Place::Preset(name.to_owned()),
        text: preset::text(name)?.to_owned(),
    })
}

/// Follows `extends` from a config whose text is at hand.
pub(crate) fn follow(config: Source, sink: &mut Sink) -> Chain {
    let mut chain = Chain {
        sources: Vec::new(),
        entries: Vec::new(),
        sound: true,
    };
    let mut next = Some(config);
    while let Some(source) = next.take() {
        let file = chain.sources.len();
        let entries = Reader { file: Some(file), sink }.file(&source.text);
        chain.sound &= entries.is_some();
        let entries = entries.unwrap_or_default();
        let parent = match entries.get(&(TOP, "extends")) {
            Some(Entry {
                value: Value::Text(parent),
                at,
                ..
            }) => Some((parent.clone(), *at)),
            _ => None,
        };
        chain.sources.push(source);
        chain.entries.push(entries);
        if let Some((parent, at)) = parent {
            next = open_parent(&chain.sources, &parent, at, sink);
            chain.sound &= next.is_some();
        }
    }
    chain
}

/// Opens the parent that the last file names; `None` if that was reported.
fn open_parent(sources: &[Source], named: &str, at: Option<At>, sink: &mut Sink) -> Option<Source> {
    let child = sources.last()?;
    let parent = match find_parent(child, named) {
        Ok(parent) => parent,
        Err((message, help)) => {
            sink.error(at, message, "", help);
            return None;
        }
    };
    let Some(first) = sources.iter().position(|source| source.is(&parent)) else {
        return Some(parent);
    };
    let ring: Vec<String> = sources[first..]
        .iter()
        .chain([&sources[first]])
        .map(|s| s.shown.display().to_string())
        .collect();
    let message = format!("the chain of parents is a circle: {}", ring.join(" -> "));
    let help = match preset::text(named) {
        Some(_) => format!(
            "remove one `extends` of the circle; hz3's own is \"{}\"",
            preset::path(named)
        ),
        None => "remove one `extends` of the circle".to_owned(),
    };
    sink.error(at, message, "", help);
    None
}

/// The parent that a child names: a preset, a file by its path, or by its name the file beside the child and else a preset.
/// Or what is wrong, and what may help.
fn find_parent(child: &Source, named: &str) -> Result<Source, (String, String)> {
    if let Some(name) = preset::named(Path::new(named)) {
        return of_preset(name).ok_or_else(|| (format!("there is no preset `{name}`"), preset::help(name)));
    }
    if let Place::Preset(_) = child.place {
        return of_preset(named).ok_or_else(|| (format!("there is no preset `{named}`"), preset::help(named)));
    }
    let by_path = named.ends_with(".toml");
    let file = if by_path {
        named.to_owned()
    } else {
        format!("{named}.toml")
    };
    let shown = child
        .shown
        .parent()
        .map_or_else(|| PathBuf::from(&file), |dir| dir.join(&file));
    match read(&shown) {
        Ok(text) => Ok(of_file(&shown, text)),
        Err(reason) => {
            let ours = of_preset(named).filter(|_| !by_path && std::fs::symlink_metadata(&shown).is_err());
            ours.ok_or_else(|| {
                let message = format!("the parent cannot be read: {}", unread(&shown, &reason));
                (message, help_for(named, &shown, &child.shown))
            })
        }
    }
}

/// What may help whoever names a parent that cannot be read: the nearest name, or all existing ones.
fn help_for(named: &str, wanted: &Path, child: &Path) -> String {
    let beside = known_configs(wanted, child).unwrap_or_default();
    match nearest(named, beside.iter().map(String::as_str)).or_else(|| preset::near(named)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if beside.is_empty() || beside.len() > 20 => String::new(),
        None => format!("configs beside it: {}", beside.join(", ")),
    }
}

/// Names of the configs in a file's folder, sorted, without the one that looks for its parent.
fn known_configs(path: &Path, child: &Path) -> Option<Vec<String>> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter(|path| real(path) != real(child))
        .filter(|path| file::check(path).is_ok())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Some(names)
}

/// A file's text, or what is wrong with it.
fn read(path: &Path) -> Result<String, String> {
    file::read_text(path, file::CONFIG)
}

/// A file that cannot be read, and why.
fn unread(path: &Path, reason: &str) -> String {
    format!("`{}`: {reason}", path.display())
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

impl Chain {
    /// Each knob's nearest value, or its default.
    pub fn merge(&self) -> Merged {
        let mut merged = Merged::new();
        for group in GROUPS {
            // Who a variant is, is never inherited.
            let files = if group.name == TOP { 1 } else { self.entries.len() };
            for knob in group.knobs {
                let path = (group.name, knob.key);
                let written = self.entries[..files].iter().find_map(|entries| entries.get(&path));
                let entry = match written {
                    Some(entry) if entry.ok => entry.clone(),
                    Some(entry) => Entry {
                        value: value_of(&knob.kind, knob.default),
                        ..entry.clone()
                    },
                    None => Entry {
                        value: value_of(&knob.kind, knob.default),
                        key_at: None,
                        at: None,
                        ok: true,
                    },
                };
                merged.insert(path, entry);
            }
        }
        merged
    }
}

/// A value that the language itself declares, such as a default, read by the same parser as a config.
pub(crate) fn value_of(kind: &Kind, text: &str) -> Value {
    if text.is_empty() {
        return Value::Unset("");
    }
    let source = format!("default = {text}");
    let mut sink = Sink::default();
    let value = toml::de::DeTable::parse(&source).ok().and_then(|table| {
        let item = table.get_ref().get("default")?;
        Reader {
            file: None,
            sink: &mut sink,
        }
        .value("default", kind, item)
    });
    match value {
        Some(value) => value,
        None => unreachable!("{text} is not a value of its type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knob::{Settings, show};

    #[test]
    fn every_default_is_canonical_and_has_its_type() {
        let chain = Chain {
            sources: vec![],
            entries: vec![BTreeMap::new()],
            sound: true,
        };
        let merged = chain.merge();
        Settings::new(&merged);
        for knob in GROUPS
            .iter()
            .flat_map(|group| group.knobs)
            .filter(|knob| !knob.default.is_empty())
        {
            assert_eq!(show(&value_of(&knob.kind, knob.default)), knob.default, "{}", knob.key);
        }
    }
}
