//! From TOML to values: types, ranges, units and unknown keys. Faults are collected, never thrown.

mod rows;
mod scalar;
mod words;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Sink;
use crate::former;
use crate::knob::{Entry, GROUPS, Group, Kind, Path, TOP, Value, bytes, dotted};
use crate::source::At;
use crate::suggest::nearest;
use crate::value::found;
use words::{elsewhere, expected, quoted};

/// Reads one file, or a default.
pub(crate) struct Reader<'s> {
    /// Number of the file in the chain; `None` for a default, whose values have no place.
    pub file: Option<usize>,
    /// Where faults go.
    pub sink: &'s mut Sink,
}

type Table<'i> = DeTable<'i>;
type Item<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn at(&self, span: std::ops::Range<usize>) -> Option<At> {
        self.file.map(|file| At::new(file, span))
    }

    /// Reads a whole file. Values that are not understood are reported and come back with `ok` unset. `None` if the
    /// file is not TOML: what it seems to say then is no basis for further messages.
    pub fn file(&mut self, text: &str) -> Option<BTreeMap<Path, Entry>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().and_then(|span| self.at(span));
            let message = format!("this is not TOML: {}", error.message());
            self.sink.error(at, message, "", "");
        }
        if !errors.is_empty() {
            return None;
        }
        let mut entries = BTreeMap::new();
        for (key, item) in table.get_ref() {
            let name = key.get_ref().as_ref();
            let group = GROUPS.iter().find(|group| group.name == name && name != TOP);
            match (group, item.get_ref()) {
                (Some(group), DeValue::Table(table)) => {
                    for (key, item) in table {
                        self.entry(group, key, item, &mut entries);
                    }
                }
                (Some(group), other) => {
                    let message = format!("`{}` is a table, not {}", group.name, found(other));
                    let help = format!("write `[{}]` and its keys below", group.name);
                    self.sink.error(self.at(item.span()), message, "", help);
                }
                (None, _) => self.entry(&GROUPS[0], key, item, &mut entries),
            }
        }
        Some(entries)
    }

    fn entry(
        &mut self,
        group: &'static Group,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        item: &Item<'_>,
        entries: &mut BTreeMap<Path, Entry>,
    ) {
        let key_at = self.at(key.span());
        let name = key.get_ref().as_ref();
        let Some(knob) = group.knobs.iter().find(|knob| knob.key == name) else {
            return self.unknown(group, name, key_at);
        };
        let path = (group.name, knob.key);
        let value = self.value(&dotted(path), &knob.kind, item);
        let ok = value.is_some();
        let value = value.unwrap_or(Value::Unset(""));
        entries.insert(
            path,
            Entry {
                value,
                key_at,
                at: self.at(item.span()),
                ok,
            },
        );
    }

    fn unknown(&mut self, group: &Group, name: &str, at: Option<At>) {
        let (message, prefix) = if group.name == TOP {
            (
                format!("unknown key `{name}`"),
                "the keys above all tables and the tables are",
            )
        } else {
            (format!("unknown key `{name}` in `[{}]`", group.name), "its keys are")
        };
        let own: Vec<&str> = group.knobs.iter().map(|knob| knob.key).collect();
        let tables = GROUPS.iter().map(|group| group.name).filter(|name| *name != TOP);
        let known: Vec<&str> = if group.name == TOP {
            own.into_iter().chain(tables).collect()
        } else {
            own
        };
        let help = match (former::fate(group.name, name), nearest(name, known.iter().copied())) {
            (Some(fate), _) => fate,
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => match elsewhere(name) {
                Some(path) => format!("did you mean `{}`?", dotted(path)),
                None => format!("{prefix} {}", quoted(&known)),
            },
        };
        self.sink.error(at, message, "", help);
    }

    /// Reads a value of a knob; `None` if it was reported.
    pub fn value(&mut self, name: &str, kind: &Kind, item: &Item<'_>) -> Option<Value> {
        let at = self.at(item.span());
        match (kind, item.get_ref()) {
            (Kind::Text, DeValue::String(text)) => self.line(name, text, at),
            (Kind::Bool, DeValue::Boolean(value)) => Some(Value::Bool(*value)),
            (Kind::Int(min, max), DeValue::Integer(value)) => {
                let value = self.integer(name, value, at)?;
                self.within(name, value, (*min, *max), u64::to_string, at)
                    .then_some(Value::Int(value))
            }
            (Kind::Among(numbers), DeValue::Integer(value)) => {
                let value = self.integer(name, value, at)?;
                self.among(name, value, numbers, at).then_some(Value::Int(value))
            }
            (Kind::Percent, DeValue::Float(value)) => self.percent(name, value.as_str(), at),
            (Kind::Percent, DeValue::Integer(value)) => self.percent(name, &value.to_string(), at),
            (Kind::Bytes(min, max, multiple), DeValue::Integer(_) | DeValue::String(_)) => {
                let value = self.bytes(name, item)?;
                let fits = self.within(name, value, (*min, *max), |value| bytes(*value), at)
                    && self.multiple(name, value, *multiple, at);
                fits.then_some(Value::Bytes(value))
            }
            (Kind::Or(word, _), DeValue::String(text)) if text == word => Some(Value::Unset(word)),
            (Kind::Or(_, other), DeValue::Integer(_)) => self.value(name, other, item),
            (Kind::Or(_, other @ Kind::Bytes(..)), DeValue::String(text))
                if text.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                self.value(name, other, item)
            }
            (Kind::Or(..), DeValue::String(text)) => {
                let message = format!("`{name}` is {}, not {text:?}", expected(kind));
                self.sink.error(at, message, "", "");
                None
            }
            (Kind::Choice(words), DeValue::String(text)) => self.word(name, words, text, at),
            (Kind::Steps, DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| reader.step(name, item))
                .map(Value::Steps),
            (Kind::Sizes(..), DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| reader.size(name, item))
                .map(Value::Sizes),
            (Kind::Ranges(key, min, max), DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| reader.row(name, key, (*min, *max), item))
                .map(|rows| Value::Ranges(key, rows)),
            (kind, other) => {
                let message = format!("`{name}` is {}, not {}", expected(kind), found(other));
                self.sink.error(at, message, "", "");
                None
            }
        }
    }

    /// Reads all items, so that all their faults are told; `None` if one was faulty.
    fn all<'a, 'i: 'a, T>(
        &mut self,
        items: impl Iterator<Item = &'a Item<'i>>,
        read: impl Fn(&mut Self, &Item<'i>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = items.map(|item| read(self, item)).collect();
        read.into_iter().collect()
    }
}
