//! The config language of hz3.
//!
//! A TOML file says everything about one allocator variant. [`load()`] reads it and its parents, checks everything, and
//! gives a [`Plan`]: plain numbers, from which code is generated and which everybody else reads. [`cost::Cost`] says
//! what a plan costs before anything is built.
//!
//! Layers. A module names only modules of the lines below its own; modules of one line do not name each other.
//!
//! | layer | modules | what they are |
//! |---|---|---|
//! | 8 | `load` | [`load()`] and [`load_str`]: from a text to a plan, all of it in order |
//! | 7 | [`schema`], [`emit`], [`remarks`] | what is made of the declarations and of a plan |
//! | 6 | `check` | every rule, and every derived number: from a chain to a plan |
//! | 5 | `chain`, `support`, `resolve`, `recognise` | a file and its parents; what this version cannot do yet; a plan as text; whether a text is a config |
//! | 4 | `parse`, [`cost`] | from TOML to values: types, ranges, units and unknown keys; what a plan costs |
//! | 3 | [`plan`], `former` | every number that code is generated from; what could be said once |
//! | 2 | `knob` | what can be said, declared once |
//! | 1 | `diagnostic`, [`preset`] | what is wrong, with its place; the configs that hz3 ships |
//! | 0 | `source`, `agreed`, [`mod@file`], [`suggest`], [`mod@soname`], [`value`], `hash` | texts and places in them; numbers that the core has, too; files that a user names; what to type next; names for linkers; values of TOML; hashes |

#![forbid(unsafe_code)]

mod agreed;
mod chain;
mod check;
pub mod cost;
mod diagnostic;
pub mod emit;
pub mod file;
mod former;
pub mod hash;
mod knob;
mod load;
mod parse;
pub mod plan;
pub mod preset;
mod recognise;
pub mod remarks;
mod resolve;
pub mod schema;
pub mod soname;
mod source;
pub mod suggest;
mod support;
pub mod value;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use load::{load, load_str};
pub use plan::Plan;
pub use recognise::is_config;
