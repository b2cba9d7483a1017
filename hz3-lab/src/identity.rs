//! What a library is made of: the note that the generator wrote, and its code and constants.

use crate::{Error, Result};
use hz3_project::library::note;
use hz3_project::{Note, file};
use iced_x86::{Decoder, DecoderOptions, OpKind, Register};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

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
        Self::of_bytes(path, &file::read(path, hz3_config::file::DATA)?)
    }

    /// Of a library that was read; `path` is for messages.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes)
            .map_err(|e| Error::bad_input(format!("{}: not an ELF file: {e}", path.display())))?;
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
            note: note::find(&file),
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
