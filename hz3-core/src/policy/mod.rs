//! What the generator decides: the classes, the numbers that events and the heap read, and what page tags look like.

pub mod agreed;
mod class;
mod id;
pub mod knobs;
pub mod link;
mod naming;
mod numbers;
mod secret;
mod shape;
mod space;
mod tag;

pub use class::Class;
pub use id::{ClassId, Owner, Pool};
pub use knobs::Policy;
pub use link::Link;
pub use naming::Naming;
pub use secret::Secret;
pub use shape::Shape;
pub use space::{ArenaWords, NOWHERE, Space, no_table, pair_in, set_arena, tag_bytes, tag_of};
pub use tag::{PageIndex, Tag};
