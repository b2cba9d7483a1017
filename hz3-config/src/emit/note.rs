//! The ELF note that tells which config made a library.
//!
//! Owner `hz3`, type 1. The descriptor is text: `name=…`, `version=…` (of the generator), `sources=…` (hash of the sources
//! that the library is built from; a variant in a program of Rust's has none), `hash=…`, `code_hash=…`, one a line, an empty
//! line, and the resolved config to the end. A program has as many notes as it has variants.

use crate::plan::{ConfigHash, Plan};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// The note's owner.
pub const OWNER: &str = "hz3";
/// The note's type.
pub const TYPE: u32 = 1;
/// The section that holds it.
pub const SECTION: &str = ".note.hz3";

/// The descriptor's text.
pub fn text(plan: &Plan, version: &str, sources: Option<ConfigHash>) -> String {
    let sources = sources.map_or_else(String::new, |hash| hash.to_string());
    format!(
        "name={}\nversion={version}\nsources={sources}\nhash={}\ncode_hash={}\n\n{}",
        plan.name, plan.hash, plan.code_hash, plan.resolved
    )
}

/// The whole note, in the byte order of the machine that runs this: three 32-bit words (length of the owner with its
/// zero, length of the descriptor, type), then both texts, each padded to a multiple of four bytes.
pub fn bytes(plan: &Plan, version: &str, sources: Option<ConfigHash>) -> Vec<u8> {
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

/// The note as Rust: it stands in every file that this is linked into.
pub fn item(plan: &Plan, version: &str, sources: Option<ConfigHash>) -> TokenStream {
    let note = bytes(plan, version, sources);
    let length = note.len();
    let note = Literal::byte_string(&note);
    quote! {
        const _: () = {
            // Aligned as the format wants it.
            #[repr(C, align(4))]
            struct Note([u8; #length]);

            #[used]
            #[unsafe(link_section = #SECTION)]
            static NOTE: Note = Note(*#note);
        };
    }
}
