//! What a library is made of: the note that the generator wrote, and its code and constants.

use hz3_project::library::note;
use hz3_project::{Error, Note, Result, code, file, hash};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};
use sha2::{Digest, Sha256};
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
}

impl Identity {
    /// Reads a library.
    pub fn of(path: &Path) -> Result<Self> {
        Self::of_bytes(path, &file::read(path, hz3_config::file::DATA)?)
    }

    /// The identity of a library whose bytes were read; `path` is for messages.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes)
            .map_err(|e| Error::bad_input(format!("{}: not an ELF file: {e}", path.display())))?;
        let section = |name: &str| {
            let section = file.section_by_name(name);
            section.and_then(|s| Some((s.address(), s.data().ok()?)))
        };
        let text = section(".text").map_or(0, |(at, bytes)| match file.architecture() {
            object::Architecture::X86_64 => code::hash(at, bytes),
            _ => hash::of(bytes),
        });
        let data = [".rodata", ".data.rel.ro", ".data"]
            .iter()
            .fold(hash::START, |all, name| {
                let bytes = section(name).map_or(&[][..], |(_, bytes)| bytes);
                // Each says where it ends, so that no two sets of sections read alike.
                hash::add(hash::add(all, &(bytes.len() as u64).to_le_bytes()), bytes)
            });
        Ok(Self {
            note: note::find(&file),
            text: format!("{text:016x}"),
            data: format!("{data:016x}"),
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
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

/// SHA-256 in hexadecimal digits, as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standards_own_examples() {
        for (text, hash) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            assert_eq!(super::sha256(text.as_bytes()), hash);
        }
    }
}
