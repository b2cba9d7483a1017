//! From TOML to values: types, ranges, units and unknown keys. Faults are collected, never thrown.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{
    Entry, GROUPS, Group, Kind, Knob, Path, RangeRow, Step, StepForm, TOP, Value, Word, bytes,
    dotted,
};
use crate::diagnostic::Sink;
use crate::source::{At, Located};

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

    /// Reads a whole file. Values that are not understood are reported and come back with `ok` unset.
    pub fn file(&mut self, text: &str) -> BTreeMap<Path, Entry> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().and_then(|span| self.at(span));
            self.sink
                .error(at, format!("this is not TOML: {}", error.message()), "", "");
        }
        let mut entries = BTreeMap::new();
        for (key, item) in table.get_ref() {
            let name = key.get_ref().as_ref();
            let group = GROUPS
                .iter()
                .find(|group| group.name == name && name != TOP);
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
        entries
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
            (
                format!("unknown key `{name}` in `[{}]`", group.name),
                "its keys are",
            )
        };
        let own: Vec<&str> = group.knobs.iter().map(|knob| knob.key).collect();
        let tables = GROUPS
            .iter()
            .map(|group| group.name)
            .filter(|name| *name != TOP);
        let known: Vec<&str> = if group.name == TOP {
            own.into_iter().chain(tables).collect()
        } else {
            own
        };
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match elsewhere(name) {
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
            (Kind::Percent, DeValue::Float(value)) => self.percent(name, value.as_str(), at),
            (Kind::Percent, DeValue::Integer(value)) => self.percent(name, &value.to_string(), at),
            (Kind::Bytes(min, max, multiple), DeValue::Integer(_) | DeValue::String(_)) => {
                let value = self.bytes(name, item)?;
                let fits = self.within(name, value, (*min, *max), |value| bytes(*value), at)
                    && self.multiple(name, value, *multiple, at);
                fits.then_some(Value::Bytes(value))
            }
            (Kind::Or(word, _), DeValue::String(text)) if text == word => Some(Value::Unset(word)),
            (Kind::Or(word, kind), value) => {
                let text_fits = matches!(kind, Kind::Bytes(..));
                match value {
                    DeValue::String(text)
                        if !text_fits || !text.starts_with(|c: char| c.is_ascii_digit()) =>
                    {
                        let message =
                            format!("`{name}` is \"{word}\" or {}, not {text:?}", expected(kind));
                        self.sink.error(at, message, "", "");
                        None
                    }
                    _ => self.value(name, kind, item),
                }
            }
            (Kind::Choice(words), DeValue::String(text)) => self.word(name, words, text, at),
            (Kind::Steps, DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| reader.step(name, item))
                .map(Value::Steps),
            (Kind::Sizes, DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| reader.size(name, item))
                .map(Value::Sizes),
            (Kind::Ranges(key, min, max), DeValue::Array(items)) => self
                .all(items.iter(), |reader, item| {
                    reader.row(name, key, (*min, *max), item)
                })
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

    fn line(&mut self, name: &str, text: &str, at: Option<At>) -> Option<Value> {
        let fault = if text.trim().is_empty() {
            "is empty"
        } else if text.contains(['\n', '\r']) {
            "has more than one line"
        } else {
            return Some(Value::Text(text.to_owned()));
        };
        self.sink.error(
            at,
            format!("`{name}` {fault}"),
            "",
            "write one line of text",
        );
        None
    }

    fn percent(&mut self, name: &str, text: &str, at: Option<At>) -> Option<Value> {
        let value = text.parse::<f64>().unwrap_or(f64::NAN);
        if (0.0..100.0).contains(&value) {
            // Without the sign of -0.0, so that the value has one text.
            return Some(Value::Float(value + 0.0));
        }
        let message = format!("`{name}` must be at least 0 and less than 100 percent, not {text}");
        self.sink.error(at, message, "", "");
        None
    }

    fn word(&mut self, name: &str, words: &[Word], text: &str, at: Option<At>) -> Option<Value> {
        if let Some(word) = words.iter().find(|word| word.name == text) {
            return Some(Value::Word(word.name));
        }
        let names: Vec<&str> = words.iter().map(|word| word.name).collect();
        let help = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => words
                .iter()
                .map(|word| format!("\"{}\": {}", word.name, word.doc))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        self.sink
            .error(at, format!("`{name}` has no value {text:?}"), "", help);
        None
    }

    fn integer(&mut self, name: &str, value: &DeInteger<'_>, at: Option<At>) -> Option<u64> {
        match i128::from_str_radix(value.as_str(), value.radix()) {
            Ok(number) if (0..=i64::MAX.into()).contains(&number) => u64::try_from(number).ok(),
            Ok(number) if number < 0 => {
                self.sink
                    .error(at, format!("`{name}` cannot be negative"), "", "");
                None
            }
            _ => {
                self.sink
                    .error(at, format!("`{name}` is too large a number"), "", "");
                None
            }
        }
    }

    /// Reads bytes: an integer, or a string with a unit.
    fn bytes(&mut self, name: &str, item: &Item<'_>) -> Option<u64> {
        let at = self.at(item.span());
        let text = match item.get_ref() {
            DeValue::Integer(value) => return self.integer(name, value, at),
            DeValue::String(text) => text.as_ref(),
            other => {
                let message = format!("`{name}` is {}, not {}", BYTES, found(other));
                self.sink.error(at, message, "", "");
                return None;
            }
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let shift = match unit {
            "" | "B" => Some(0),
            "KiB" => Some(10),
            "MiB" => Some(20),
            "GiB" => Some(30),
            "TiB" => Some(40),
            _ => None,
        };
        let number = number.parse::<u64>().ok();
        let value = match (number, shift) {
            (Some(number), Some(shift)) => number.checked_mul(1 << shift),
            _ => None,
        };
        if value.is_none() {
            let help = match (number, unit.chars().next().map(|c| c.to_ascii_uppercase())) {
                (Some(number), Some(c @ ('K' | 'M' | 'G' | 'T'))) if shift.is_none() => {
                    format!("did you mean \"{number}{c}iB\"?")
                }
                _ => "write an integer of bytes, or a string such as \"64KiB\" (B, KiB, MiB, GiB, TiB)".into(),
            };
            self.sink.error(
                at,
                format!("`{name}` is no number of bytes: {text:?}"),
                "",
                help,
            );
        }
        value
    }

    fn within(
        &mut self,
        name: &str,
        value: u64,
        (min, max): (u64, u64),
        show: impl Fn(&u64) -> String,
        at: Option<At>,
    ) -> bool {
        let fits = (min..=max).contains(&value);
        if !fits {
            let (low, high) = (show(&min), show(&max));
            let message = format!(
                "`{name}` must be from {low} to {high}, not {}",
                show(&value)
            );
            self.sink.error(at, message, "", "");
        }
        fits
    }

    fn multiple(&mut self, name: &str, value: u64, of: u64, at: Option<At>) -> bool {
        let fits = value.is_multiple_of(of);
        if !fits {
            let help = format!("did you mean \"{}\"?", bytes(value.next_multiple_of(of)));
            let message = format!("`{name}` must be a multiple of {}, not {value}", bytes(of));
            self.sink.error(at, message, "", help);
        }
        fits
    }

    /// Reads a size; whether it may be a class size is checked with the classes.
    fn size(&mut self, name: &str, item: &Item<'_>) -> Option<Located<u64>> {
        let value = self.bytes(name, item)?;
        Some(Located {
            value,
            at: self.at(item.span()),
        })
    }

    fn count(&mut self, name: &str, range: (u64, u64), item: &Item<'_>) -> Option<Located<u64>> {
        let at = self.at(item.span());
        let DeValue::Integer(value) = item.get_ref() else {
            let message = format!("`{name}` is a whole number, not {}", found(item.get_ref()));
            self.sink.error(at, message, "", "");
            return None;
        };
        let value = self.integer(name, value, at)?;
        self.within(name, value, range, u64::to_string, at)
            .then_some(Located { value, at })
    }

    fn step(&mut self, name: &str, item: &Item<'_>) -> Option<Step> {
        const FORMS: &str =
            "{ to = 128, step = 16 }, { to = 32768, per_doubling = 8 } or { sizes = [2304, 4096] }";
        let at = self.at(item.span());
        let table = self.table(name, item, FORMS)?;
        let sound = self.keys(name, table, &["to", "step", "per_doubling", "sizes"]);
        let form = match (
            table.get("to"),
            table.get("step"),
            table.get("per_doubling"),
            table.get("sizes"),
        ) {
            (Some(to), Some(step), None, None) => {
                let to = self.size(&format!("{name}.to"), to);
                let step = self.size(&format!("{name}.step"), step);
                StepForm::Linear {
                    to: to?,
                    step: step?,
                }
            }
            (Some(to), None, Some(per_doubling), None) => {
                let to = self.size(&format!("{name}.to"), to);
                let count = self.count(&format!("{name}.per_doubling"), (1, 64), per_doubling);
                StepForm::Geometric {
                    to: to?,
                    per_doubling: count?,
                }
            }
            (None, None, None, Some(sizes)) => {
                let name = format!("{name}.sizes");
                match self.value(&name, &Kind::Sizes, sizes)? {
                    Value::Sizes(sizes) => StepForm::List(sizes),
                    _ => return None,
                }
            }
            _ => {
                let message = format!("a step of `{name}` is one of three forms");
                let help = format!("write {FORMS}");
                if sound {
                    self.sink.error(at, message, "", help);
                }
                return None;
            }
        };
        sound.then_some(Step { at, form })
    }

    fn row(
        &mut self,
        name: &str,
        key: &str,
        range: (u64, u64),
        item: &Item<'_>,
    ) -> Option<RangeRow> {
        let form = format!("{{ from = 2049, to = 4095, {key} = 9 }}");
        let table = self.table(name, item, &form)?;
        let sound = self.keys(name, table, &["from", "to", key]);
        let at = self.at(item.span());
        let (Some(from), Some(to), Some(value)) =
            (table.get("from"), table.get("to"), table.get(key))
        else {
            if sound {
                let message = format!("a row of `{name}` needs `from`, `to` and `{key}`");
                self.sink.error(at, message, "", format!("write {form}"));
            }
            return None;
        };
        let from = self.size(&format!("{name}.from"), from);
        let to = self.size(&format!("{name}.to"), to);
        let value = self.count(&format!("{name}.{key}"), range, value);
        let row = RangeRow {
            at,
            from: from?,
            to: to?,
            value: value?,
        };
        sound.then_some(row)
    }

    fn table<'a, 'i>(
        &mut self,
        name: &str,
        item: &'a Item<'i>,
        form: &str,
    ) -> Option<&'a Table<'i>> {
        let table = item.get_ref().as_table();
        if table.is_none() {
            let message = format!(
                "`{name}` holds inline tables, not {}",
                found(item.get_ref())
            );
            self.sink
                .error(self.at(item.span()), message, "", format!("write {form}"));
        }
        table
    }

    /// Reports unknown keys of an inline table; whether there are none.
    fn keys(&mut self, name: &str, table: &Table<'_>, known: &[&str]) -> bool {
        let mut sound = true;
        for key in table.keys() {
            let word = key.get_ref().as_ref();
            if !known.contains(&word) {
                let help = match nearest(word, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its keys are {}", quoted(known)),
                };
                self.sink.error(
                    self.at(key.span()),
                    format!("unknown key `{word}` in `{name}`"),
                    "",
                    help,
                );
                sound = false;
            }
        }
        sound
    }
}

const BYTES: &str = "a number of bytes (an integer, or a string such as \"64KiB\")";

/// What a kind wants, with its article.
fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a line of text".into(),
        Kind::Bool => "true or false".into(),
        Kind::Int(..) => "a whole number".into(),
        Kind::Percent => "a number of percent".into(),
        Kind::Bytes(..) => BYTES.into(),
        Kind::Or(word, kind) => format!("\"{word}\" or {}", expected(kind)),
        Kind::Choice(words) => {
            let names: Vec<String> = words
                .iter()
                .map(|word| format!("\"{}\"", word.name))
                .collect();
            format!("one of {}", names.join(", "))
        }
        Kind::Steps | Kind::Ranges(..) => "a list of inline tables".into(),
        Kind::Sizes => "a list of sizes".into(),
    }
}

/// What was found, with its article.
fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known word that was probably meant: one third of its letters may be wrong.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|near| (strsim::damerau_levenshtein(word, near), near))
        .filter(|(distance, near)| *distance <= near.len().max(3) / 3)
        .min()
        .map(|(_, near)| near)
}

/// A knob of another table that has exactly this key.
fn elsewhere(word: &str) -> Option<Path> {
    let last = word.rsplit('.').next()?;
    let paths = GROUPS
        .iter()
        .flat_map(|group| group.knobs.iter().map(|knob: &Knob| (group.name, knob.key)));
    paths.into_iter().find(|(_, key)| *key == last)
}
