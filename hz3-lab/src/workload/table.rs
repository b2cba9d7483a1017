//! Tables of a TOML text: keys that are known, values with their bounds. Faults are collected, each with its place.

use hz3_config::suggest::nearest;
use hz3_config::value::{self, found};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

/// What is wrong: the bytes, the sentence, and what to do.
pub(super) type Fault = (Range<usize>, String, String);

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Faults(pub Vec<Fault>);

/// A table, and what it is called in messages.
pub(super) struct Table<'a, 'i> {
    pub what: &'static str,
    pub span: Range<usize>,
    keys: &'a DeTable<'i>,
}

impl Faults {
    /// Adds one.
    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.0.push((span, message.into(), help.into()));
    }

    /// The table, if its keys are among `known`; unknown ones are reported and otherwise ignored.
    pub fn table<'a, 'i>(
        &mut self,
        what: &'static str,
        span: Range<usize>,
        keys: &'a DeTable<'i>,
        known: &[&str],
    ) -> Table<'a, 'i> {
        for key in keys.keys() {
            let word = key.get_ref().as_ref();
            if known.contains(&word) {
                continue;
            }
            let help = match nearest(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its keys are {}", quoted(known)),
            };
            self.add(key.span(), format!("unknown key `{word}` in {what}"), help);
        }
        Table { what, span, keys }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &str, item: &Item<'_>, bounds: (u64, u64)) -> Option<u64> {
        let DeValue::Integer(digits) = item.get_ref() else {
            let message = format!("`{name}` is a whole number, not {}", found(item.get_ref()));
            self.add(item.span(), message, "");
            return None;
        };
        let value = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
        self.within(name, value, bounds, item)
    }

    /// Bytes within bounds: a number, or a text such as "64KiB".
    pub fn bytes(&mut self, name: &str, item: &Item<'_>, bounds: (u64, u64)) -> Option<u64> {
        match item.get_ref() {
            DeValue::Integer(_) => self.number(name, item, bounds),
            DeValue::String(text) => match value::bytes(text) {
                Ok(value) => self.within(name, value.into(), bounds, item),
                Err(help) => {
                    self.add(item.span(), format!("`{name}` is no number of bytes: {text:?}"), help);
                    None
                }
            },
            other => {
                let message = format!("`{name}` is a number of bytes, not {}", found(other));
                self.add(item.span(), message, "write an integer, or a string such as \"64KiB\"");
                None
            }
        }
    }

    fn within(&mut self, name: &str, value: i128, (low, high): (u64, u64), item: &Item<'_>) -> Option<u64> {
        if (i128::from(low)..=i128::from(high)).contains(&value) {
            return u64::try_from(value).ok();
        }
        let value = if value == i128::MAX {
            "a number beyond all bounds".to_owned()
        } else {
            value.to_string()
        };
        self.add(
            item.span(),
            format!("`{name}` must be from {low} to {high}, not {value}"),
            "",
        );
        None
    }

    /// A text.
    pub fn text<'a>(&mut self, name: &str, item: &'a Item<'_>) -> Option<&'a str> {
        if let DeValue::String(text) = item.get_ref() {
            return Some(text);
        }
        let message = format!("`{name}` is a string, not {}", found(item.get_ref()));
        self.add(item.span(), message, "");
        None
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, name: &str, item: &Item<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name, item)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of {names:?}"),
        };
        self.add(item.span(), format!("`{name}` has no value {text:?}"), help);
        None
    }
}

impl<'a, 'i> Table<'a, 'i> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Item<'i>> {
        self.keys.get(key)
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &str, help: &str, faults: &mut Faults) -> Option<&'a Item<'i>> {
        let item = self.get(key);
        if item.is_none() {
            faults.add(self.span.clone(), format!("{} has no `{key}`", self.what), help);
        }
        item
    }
}

/// Keys for a message.
fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
