//! From the lines of [`table`](super::table) to types: what a config says, and what events read of it.

use super::event::{Event, Field};
use super::{Entry, FromValue, Merged, Path, Setting};

macro_rules! knobs {
    ($(
        $(#[doc = $group_doc:literal])+
        [$group:ident: $Group:ident] {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $kind:expr, $default:literal $(=> $event:ty)?;
            )+
        }
    )+) => {
        /// Every group, in the order of the reference; the first holds the keys above all tables.
        pub(crate) static GROUPS: &[$crate::knob::Group] = &[$($crate::knob::Group {
            name: stringify!($group),
            title: stringify!($Group),
            doc: concat!($($group_doc, "\n"),+),
            knobs: &[$($crate::knob::Knob {
                key: stringify!($key),
                doc: concat!($($doc, "\n"),+),
                kind: $kind,
                default: $default,
                event: &[$(<$event as $crate::knob::event::Event>::TYPE)?],
            }),+],
        }),+];

        $(
            $(#[doc = $group_doc])+
            // Checks and derived numbers ask for many, not for all: some only reach events, some have no machinery yet.
            #[allow(dead_code)]
            #[derive(Debug, Clone)]
            pub(crate) struct $Group { $( $(#[doc = $doc])+ pub $key: $crate::knob::Setting<$type>, )+ }
        )+

        /// All knobs, typed.
        #[allow(dead_code)]
        #[derive(Debug, Clone)]
        pub(crate) struct Settings { $( $(#[doc = $group_doc])+ pub $group: $Group, )+ }

        impl Settings {
            /// Types the merged values.
            pub fn new(merged: &$crate::knob::Merged) -> Self {
                Settings { $( $group: $Group { $(
                    $key: $crate::knob::declare::setting(merged, (stringify!($group), stringify!($key))),
                )+ }, )+ }
            }
        }

        /// What events read, by the names of the keys. Of groups of which they read nothing the types are empty.
        pub mod policy {
            use super::*;

            $(
                $(#[doc = $group_doc])+
                #[derive(Debug, Clone, PartialEq, serde::Serialize)]
                pub struct $Group { $($(
                    #[doc = concat!("`", stringify!($group), ".", stringify!($key), "`, or 0 where it has no effect.")]
                    pub $key: $event,
                )?)+ }
            )+

            /// What events read.
            #[derive(Debug, Clone, PartialEq, serde::Serialize)]
            pub struct Policy { $( $(#[doc = $group_doc])+ pub $group: $Group, )+ }

            impl Policy {
                /// Types the merged values; those of `unused` knobs are 0.
                pub(crate) fn new(merged: &$crate::knob::Merged, unused: &[$crate::knob::Path]) -> Self {
                    // Where a group has no field, nothing looks.
                    let _ = (merged, unused);
                    Policy { $( $group: $Group { $($(
                        $key: $crate::knob::declare::effective::<$event>(
                            merged,
                            unused,
                            (stringify!($group), stringify!($key)),
                        ),
                    )?)+ }, )+ }
                }

                /// All fields by group: the name of its field, the name of its type, and its own.
                pub(crate) fn groups(&self) -> Vec<(&'static str, &'static str, Vec<$crate::knob::event::Field>)> {
                    vec![$((
                        stringify!($group),
                        stringify!($Group),
                        vec![$($( $crate::knob::declare::field::<$event>(stringify!($key), &self.$group.$key), )?)+],
                    )),+]
                }
            }
        }
    };
}
pub(super) use knobs;

/// Types one value. Every knob has an entry, and a unit test types every TOML type, so neither panic can happen for a
/// config that a user writes.
pub(super) fn setting<T: FromValue>(merged: &Merged, path: Path) -> Setting<T> {
    let Some(Entry { value, at, ok, .. }) = merged.get(&path) else {
        unreachable!("{path:?} has no entry");
    };
    let Some(value) = T::from_value(value) else {
        unreachable!("{path:?} has a Rust type that its TOML type does not give");
    };
    Setting {
        value,
        at: *at,
        ok: *ok,
    }
}

/// What events read of one knob. As in [`setting`], no config leads to a panic: a unit test tries every range's end.
pub(super) fn effective<T: Event>(merged: &Merged, unused: &[Path], path: Path) -> T {
    if unused.contains(&path) {
        return T::default();
    }
    let Some(Entry { value, .. }) = merged.get(&path) else {
        unreachable!("{path:?} has no entry");
    };
    T::of(value).unwrap_or_else(|| unreachable!("{path:?} gives events a Rust type that its TOML type does not give"))
}

/// One field, for the generator.
pub(super) fn field<T: Event>(key: &'static str, value: &T) -> Field {
    Field {
        key,
        kind: T::TYPE,
        value: value.rust(),
    }
}
