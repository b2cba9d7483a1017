//! Scalars: text, words, numbers and bytes, with their ranges.

use toml::de::{DeInteger, DeValue};

use super::words::BYTES;
use super::{Item, Reader};
use crate::knob::{Value, Word, bytes, show};
use crate::source::At;
use crate::suggest::nearest;
use crate::value::{self, found};

impl Reader<'_> {
    pub(super) fn line(&mut self, name: &str, text: &str, at: Option<At>) -> Option<Value> {
        let fault = if text.trim().is_empty() {
            "is empty"
        } else if text.contains(['\n', '\r']) {
            "has more than one line"
        } else {
            return Some(Value::Text(text.to_owned()));
        };
        self.sink
            .error(at, format!("`{name}` {fault}"), "", "write one line of text");
        None
    }

    pub(super) fn percent(&mut self, name: &str, text: &str, at: Option<At>) -> Option<Value> {
        let value = text.parse::<f64>().unwrap_or(f64::NAN);
        if (0.0..100.0).contains(&value) {
            // Without the sign of -0.0, so that the value has one text.
            return Some(Value::Float(value + 0.0));
        }
        let message = format!("`{name}` must be at least 0 and less than 100 percent, not {text}");
        self.sink.error(at, message, "", "");
        None
    }

    pub(super) fn word(&mut self, name: &str, words: &[Word], text: &str, at: Option<At>) -> Option<Value> {
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
        self.sink.error(at, format!("`{name}` has no value {text:?}"), "", help);
        None
    }

    pub(super) fn integer(&mut self, name: &str, value: &DeInteger<'_>, at: Option<At>) -> Option<u64> {
        match i128::from_str_radix(value.as_str(), value.radix()) {
            Ok(number) if (0..=i64::MAX.into()).contains(&number) => u64::try_from(number).ok(),
            Ok(number) if number < 0 => {
                self.sink.error(at, format!("`{name}` cannot be negative"), "", "");
                None
            }
            _ => {
                self.sink.error(at, format!("`{name}` is too large a number"), "", "");
                None
            }
        }
    }

    /// Reads bytes: an integer, or a string with a unit.
    pub(super) fn bytes(&mut self, name: &str, item: &Item<'_>) -> Option<u64> {
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
        match value::bytes(text) {
            Ok(value) => Some(value),
            Err(help) => {
                self.sink
                    .error(at, format!("`{name}` is no number of bytes: {text:?}"), "", help);
                None
            }
        }
    }

    pub(super) fn within(
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
            let message = format!("`{name}` must be from {low} to {high}, not {}", show(&value));
            self.sink.error(at, message, "", "");
        }
        fits
    }

    pub(super) fn among(&mut self, name: &str, value: u64, numbers: &[u64], at: Option<At>) -> bool {
        let fits = numbers.contains(&value);
        if !fits {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let message = format!("`{name}` must be {}, not {value}", numbers.join(" or "));
            self.sink.error(at, message, "", "");
        }
        fits
    }

    pub(super) fn multiple(&mut self, name: &str, value: u64, of: u64, at: Option<At>) -> bool {
        let fits = value.is_multiple_of(of);
        if !fits {
            let near = show(&Value::Bytes(value.next_multiple_of(of)));
            let help = format!("did you mean {near}?");
            let message = format!("`{name}` must be a multiple of {}, not {value}", bytes(of));
            self.sink.error(at, message, "", help);
        }
        fits
    }
}
