//! The ELF note that tells which config made a library.
//!
//! Owner `hz3`, type 1. The descriptor is text: `name=…`, `version=…` (of the generator), `sources=…` (hash of the sources
//! that the library is built from), `hash=…`, `code_hash=…`, one a line, an empty line, and the resolved config to the end.

use crate::plan::{ConfigHash, Plan};

/// The note's owner.
pub const OWNER: &str = "hz3";
/// The note's type.
pub const TYPE: u32 = 1;
/// The section that holds it.
pub const SECTION: &str = ".note.hz3";

/// The descriptor's text.
pub fn text(plan: &Plan, version: &str, sources: ConfigHash) -> String {
    format!(
        "name={}\nversion={version}\nsources={sources}\nhash={}\ncode_hash={}\n\n{}",
        plan.name, plan.hash, plan.code_hash, plan.resolved
    )
}

/// The whole note, in the byte order of the machine that runs this: three 32-bit words (length of the owner with its
/// zero, length of the descriptor, type), then both texts, each padded to a multiple of four bytes.
pub fn bytes(plan: &Plan, version: &str, sources: ConfigHash) -> Vec<u8> {
    let text = text(plan, version, sources);
    let mut out = Vec::new();
    for word in [OWNER.len() as u32 + 1, text.len() as u32, TYPE] {
        out.extend(word.to_ne_bytes());
    }
    for part in [format!("{OWNER}\0"), text] {
        out.extend(part.as_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}
