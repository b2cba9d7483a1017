//! Profiles: asked of a running process, read from files, shown.
//!
//! [`process`] asks a variant in a process for a profile, [`replay`] one under which a recording is run, [`source`] reads what a
//! command was given, [`show`] prints a profile, [`growth`] what two of them differ in, and [`waste`] what a variant makes of one.

pub mod growth;
pub mod process;
pub mod replay;
pub mod show;
pub mod source;
pub mod waste;
