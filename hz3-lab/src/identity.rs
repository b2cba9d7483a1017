//! What a library is made of: the note that the generator wrote, and its code and constants.

use crate::{Error, Result};
use hz3_config::file;
use iced_x86::{Decoder, DecoderOptions, OpKind, Register};
use object::{Object, ObjectSection};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// The note of a variant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The variant's name.
    pub name: String,
    /// The generator's version.
    pub version: String,
    /// Hash of the sources that it was built from.
    pub sources: String,
    /// Hash of the resolved config.
    pub hash: String,
    /// Hash of what reaches the code.
    pub code_hash: String,
    /// The resolved config.
    pub config: String,
}

/// A library's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The note, if this is a variant.
    pub note: Option<Note>,
    /// Hash of the instructions, addresses left out: two links of the same code at other places are equal.
    pub text: String,
    /// Hash of read-only and initialised data as it stands in the file.
    pub data: String,
    /// Hash of the whole file.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// The build id, if it has one.
    pub build_id: String,
}

impl Identity {
    /// Reads a library.
    pub fn of(path: &Path) -> Result<Self> {
        let bytes = file::read(path, file::DATA).map_err(|why| Error::input(format!("{}: {why}", path.display())))?;
        Self::of_bytes(path, &bytes)
    }

    /// Of a library that was read; `path` is for messages.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes)
            .map_err(|e| Error::input(format!("{}: not an ELF file: {e}", path.display())))?;
        let section = |name: &str| {
            file.section_by_name(name)
                .and_then(|s| s.data().ok().map(|d| (s.address(), d)))
        };
        let text = section(".text")
            .map(|(at, d)| code_hash(at, d, file.architecture()))
            .unwrap_or_default();
        let mut data = DefaultHasher::new();
        for name in [".rodata", ".data.rel.ro", ".data"] {
            section(name).map(|(_, d)| d).hash(&mut data);
        }
        Ok(Self {
            note: section(".note.hz3").and_then(|(_, d)| note(d)),
            text: format!("{text:016x}"),
            data: format!("{:016x}", data.finish()),
            sha256: crate::sha256::of(bytes),
            bytes: bytes.len() as u64,
            build_id: file
                .build_id()
                .ok()
                .flatten()
                .unwrap_or_default()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        })
    }

    /// Whether two libraries are the same allocator. The name and the config's text are data too, so that for two
    /// variants the hash of the plan stands for the tables; the code must agree as well, since the same plan may have
    /// been built by another generator.
    pub fn same_allocator(&self, other: &Self) -> bool {
        match (&self.note, &other.note) {
            (Some(a), Some(b)) => a.code_hash == b.code_hash && self.text == other.text,
            (None, None) => self.text == other.text && self.data == other.data,
            _ => false,
        }
    }
}

/// Parses `.note.hz3`: owner "hz3", type 1, lines `key=value`, an empty line, the config.
fn note(data: &[u8]) -> Option<Note> {
    let word = |at: usize| {
        data.get(at..at + 4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    let (owner, length) = (word(0)?, word(4)?);
    let start = 12 + owner.next_multiple_of(4);
    let text = std::str::from_utf8(data.get(start..start + length)?)
        .ok()?
        .trim_end_matches('\0');
    let (head, config) = text.split_once("\n\n").unwrap_or((text, ""));
    let keys: BTreeMap<&str, &str> = head.lines().filter_map(|l| l.split_once('=')).collect();
    let get = |k: &str| keys.get(k).map(|v| (*v).to_string()).unwrap_or_default();
    Some(Note {
        name: get("name"),
        version: get("version"),
        sources: get("sources"),
        hash: get("hash"),
        code_hash: get("code_hash"),
        config: config.into(),
    })
}

/// Hash of instructions without the addresses that a linker fills in.
fn code_hash(at: u64, code: &[u8], arch: object::Architecture) -> u64 {
    let mut hasher = DefaultHasher::new();
    if arch != object::Architecture::X86_64 {
        code.hash(&mut hasher);
        return hasher.finish();
    }
    for i in &mut Decoder::with_ip(64, code, at, DecoderOptions::NONE) {
        i.code().hash(&mut hasher);
        for k in 0..i.op_count() {
            let kind = i.op_kind(k);
            kind.hash(&mut hasher);
            match kind {
                OpKind::Register => i.op_register(k).hash(&mut hasher),
                OpKind::Memory => {
                    (
                        i.memory_base(),
                        i.memory_index(),
                        i.memory_index_scale(),
                        i.segment_prefix(),
                    )
                        .hash(&mut hasher);
                    if i.memory_base() != Register::RIP {
                        i.memory_displacement64().hash(&mut hasher);
                    }
                }
                OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {}
                _ => i.immediate(k).hash(&mut hasher),
            }
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read() {
        let text = "name=x\nversion=0.1.0\nsources=0123456789abcdef\nhash=0011223344556677\ncode_hash=8899aabbccddeeff\n\nname = \"x\"\n";
        let mut bytes = Vec::new();
        for n in [4u32, text.len() as u32, 1] {
            bytes.extend(n.to_le_bytes());
        }
        bytes.extend(b"hz3\0");
        bytes.extend(text.as_bytes());
        let n = note(&bytes).unwrap();
        assert_eq!(
            (
                n.name.as_str(),
                n.sources.as_str(),
                n.code_hash.as_str(),
                n.config.as_str()
            ),
            ("x", "0123456789abcdef", "8899aabbccddeeff", "name = \"x\"\n")
        );
        assert_eq!(note(&bytes[..30]), None);
    }

    #[test]
    fn moved_code_is_the_same_code() {
        // mov rax, [rip+disp]; jz +3; ret   with two displacements and two bases
        let a = [0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x74, 0x03, 0xc3];
        let b = [0x48, 0x8b, 0x05, 0x90, 1, 0, 0, 0x74, 0x07, 0xc3];
        let c = [0x48, 0x8b, 0x0d, 0x10, 0, 0, 0, 0x74, 0x03, 0xc3];
        let h = |code: &[u8], at| code_hash(at, code, object::Architecture::X86_64);
        assert_eq!(h(&a, 0x1000), h(&b, 0x2000));
        assert_ne!(h(&a, 0x1000), h(&c, 0x1000));
    }
}
