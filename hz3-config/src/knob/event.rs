//! Values that events read: from the table of knobs to the core's `Policy`, by the same name.

use super::Value;

/// The type of a value in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    /// A whole number of this type.
    Number(&'static str),
    /// True or false.
    Flag,
    /// A choice: an enum.
    Words {
        /// Its name.
        name: &'static str,
        /// What it is about; a sentence.
        about: &'static str,
        /// Its variants, and what each means.
        variants: &'static [(&'static str, &'static str)],
    },
}

impl EventType {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            EventType::Number(name) | EventType::Words { name, .. } => name,
            EventType::Flag => "bool",
        }
    }
}

/// A value that events read. Its default is what a knob without effect counts as: 0, false, the first word.
pub(crate) trait Event: Default {
    /// The type.
    const TYPE: EventType;

    /// The value of a knob; the word that stands for "not set" is 0. `None` only if the table declares a Rust type that the
    /// TOML type cannot give.
    fn of(value: &Value) -> Option<Self>;

    /// The value as Rust writes it; of a choice, the name of the variant.
    fn rust(&self) -> String;
}

macro_rules! numbers {
    ($($type:ty)+) => {$(
        impl Event for $type {
            const TYPE: EventType = EventType::Number(stringify!($type));

            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::Int(value) | Value::Bytes(value) => <$type>::try_from(*value).ok(),
                    Value::Unset(_) => Some(0),
                    _ => None,
                }
            }

            fn rust(&self) -> String {
                self.to_string()
            }
        }
    )+};
}
numbers!(u32 u64 usize);

impl Event for bool {
    const TYPE: EventType = EventType::Flag;

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn rust(&self) -> String {
        self.to_string()
    }
}

/// A field of the core's `Policy`, as the generator writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The knob.
    pub key: &'static str,
    /// Its type.
    pub kind: EventType,
    /// Its value, as [`Event::rust`] writes it.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::EventType;
    use crate::knob::{GROUPS, Kind};

    /// The largest value of a type, where it gives numbers.
    fn largest(kind: &Kind) -> Option<u64> {
        match kind {
            Kind::Int(_, max) | Kind::Bytes(_, max, _) => Some(*max),
            Kind::Among(numbers) => numbers.iter().copied().max(),
            Kind::Or(_, other) => largest(other),
            _ => None,
        }
    }

    #[test]
    fn every_value_has_the_type_that_events_read() {
        for group in GROUPS {
            for knob in group.knobs {
                for event in knob.event {
                    let fits = match (event, &knob.kind) {
                        (EventType::Number("u32"), kind) => largest(kind).is_some_and(|max| max <= u64::from(u32::MAX)),
                        (EventType::Number(_), kind) => largest(kind).is_some(),
                        (EventType::Flag, kind) => matches!(kind, Kind::Bool),
                        (EventType::Words { variants, .. }, Kind::Choice(words)) => words.len() == variants.len(),
                        (EventType::Words { .. }, _) => false,
                    };
                    assert!(fits, "{}.{}", group.name, knob.key);
                }
            }
        }
    }
}
