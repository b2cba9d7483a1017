//! Knobs: what a config may say.
//!
//! Each knob is declared once, in [`table`]: name, type, range, default and one sentence. The parser, the typed
//! [`Settings`], what events read ([`policy`]), the JSON schema and the reference are all made from that declaration.

mod declare;
mod event;
mod ownership;
mod show;
mod table;
mod words;

pub(crate) use event::EventType;
pub use ownership::{Ownership, Room, Scale};
pub(crate) use show::{bytes, show};
pub use table::policy;
pub(crate) use table::{GROUPS, Settings};
pub(crate) use words::Sub4k;
pub use words::{
    Check, Commit, DoubleFree, Fill, Foreign, Goal, Guards, Idle, Interior, OnError, OnFull, Optimize, Partition, Per,
    PlacementOrder, Prefetch, Record, Relief, RemoteFlush, RemoteSort, Stacks, StatsLevel, TagSpace, Tagging, Thp, Tls,
    Unit,
};

use std::collections::BTreeMap;

use crate::source::{At, Located};

/// The name of the group whose keys stand at the top of a file.
pub(crate) const TOP: &str = "top";

/// Knobs that stand in one TOML table.
#[derive(Debug)]
pub(crate) struct Group {
    /// The table's name; [`TOP`] for the keys above all tables.
    pub name: &'static str,
    /// The name of its type in Rust.
    pub title: &'static str,
    /// What the table is about; sentences, with the line ends of the source.
    pub doc: &'static str,
    /// Its knobs, in the order of the reference.
    pub knobs: &'static [Knob],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Knob {
    /// The key.
    pub key: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The default as TOML; empty when there is none.
    pub default: &'static str,
    /// The type that events read it as, if they do.
    pub event: &'static [EventType],
}

/// What values a knob takes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// One line of text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number in a range, bounds included.
    Int(u64, u64),
    /// One of some whole numbers.
    Among(&'static [u64]),
    /// A share in percent, 0 up to (not including) 100.
    Percent,
    /// A number of bytes: bounds included, a multiple of the third.
    Bytes(u64, u64, u64),
    /// A word that stands for "not set", or the other type.
    Or(&'static str, &'static Kind),
    /// One of some words.
    Choice(&'static [Word]),
    /// Ranges of size classes.
    Steps,
    /// A list of class sizes, each between the two; which of them may stand beside each other is checked with the classes.
    Sizes(u64, u64),
    /// Values for ranges of sizes: the value's key and its range.
    Ranges(&'static str, u64, u64),
}

/// A word of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// As written in a config.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A checked value of a knob.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(u64),
    /// Bytes; shown with units.
    Bytes(u64),
    Float(f64),
    Text(String),
    Word(&'static str),
    /// The word of [`Kind::Or`], or a text without a default that was not given.
    Unset(&'static str),
    Steps(Vec<Step>),
    Sizes(Vec<Located<u64>>),
    /// Rows, and the key of their values.
    Ranges(&'static str, Vec<RangeRow>),
}

/// A range of size classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The whole step.
    pub at: Option<At>,
    /// Its classes.
    pub form: StepForm,
}

/// How a step makes classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StepForm {
    /// Every multiple of `step` above the last class, up to `to`.
    Linear { to: Located<u64>, step: Located<u64> },
    /// `per_doubling` evenly spaced classes between powers of two, above the last class, up to `to`.
    Geometric {
        to: Located<u64>,
        per_doubling: Located<u64>,
    },
    /// Exactly these.
    List(Vec<Located<u64>>),
}

/// A value for classes between two sizes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RangeRow {
    /// The whole entry.
    pub at: Option<At>,
    /// Smallest size, in bytes.
    pub from: Located<u64>,
    /// Largest size, in bytes.
    pub to: Located<u64>,
    /// The value.
    pub value: Located<u64>,
}

/// A knob's value after merging the chain.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The value: the nearest file's, or the default.
    pub value: Value,
    /// The key, where it is written; `None` for a default.
    pub key_at: Option<At>,
    /// The value, where it is written.
    pub at: Option<At>,
    /// Whether the written value was understood; if not, `value` is the default and checks that build on it are off.
    pub ok: bool,
}

/// Group and key.
pub(crate) type Path = (&'static str, &'static str);

/// All knobs of a chain, merged.
pub(crate) type Merged = BTreeMap<Path, Entry>;

/// `group.key`, or the key alone above all tables.
pub(crate) fn dotted(path: Path) -> String {
    if path.0 == TOP {
        path.1.to_owned()
    } else {
        format!("{}.{}", path.0, path.1)
    }
}

/// A typed knob.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it is written; `None` for a default.
    pub at: Option<At>,
    /// See [`Entry::ok`].
    pub ok: bool,
}

/// What a typed knob is made from.
pub(crate) trait FromValue: Sized {
    /// The typed form; `None` only if the table declares a Rust type that its TOML type cannot give.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $($pattern:pat => $result:expr),+;)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value { $($pattern => Some($result),)+ _ => None }
            }
        }
    )*};
}

impl FromValue for Option<Goal> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Unset(_) => Some(None),
            word => Goal::from_value(word).map(Some),
        }
    }
}

from_value! {
    bool: Value::Bool(value) => *value;
    u64: Value::Int(value) | Value::Bytes(value) => *value;
    f64: Value::Float(value) => *value;
    Option<u64>: Value::Int(value) | Value::Bytes(value) => Some(*value), Value::Unset(_) => None;
    Option<String>: Value::Text(value) => Some(value.clone()), Value::Unset(_) => None;
    Vec<Step>: Value::Steps(value) => value.clone();
    Vec<Located<u64>>: Value::Sizes(value) => value.clone();
    Vec<RangeRow>: Value::Ranges(_, value) => value.clone();
}
