//! The small C program that is stepped.

use hz3_project::clients::{Client, Shape};
use hz3_project::{Place, Result};
use std::path::PathBuf;

/// A position-independent executable takes `&malloc` from a dynamic relocation, so that it is the address of the real
/// function. Builtins are off, or the compiler would know what malloc returns.
const PROBE: Client = Client {
    name: "probe",
    text: include_str!("../../clients/probe.c"),
    headers: &[],
    cpp: false,
    shape: Shape::Program,
    flags: &[
        "-std=gnu11",
        "-O2",
        "-fno-builtin",
        "-fPIE",
        "-pie",
        "-pthread",
        "-Wl,-z,now",
    ],
};

/// The compiled client; compiles it if this source was not yet.
pub fn build(place: &Place) -> Result<PathBuf> {
    PROBE.build(place.clients(), |_| ())
}
