//! What an ELF file says about itself: exports, thread-local storage, and the note of a variant.

pub mod abi;
pub mod note;

use crate::{Error, Result, hash};
use object::elf;
use object::read::elf::{Dyn, ElfFile64, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use note::Note;

/// A 64-bit ELF file of this machine's architecture. What it says is written under these names and in this order.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Library {
    /// Where it was read.
    pub path: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// Bytes of thread-local storage; 0 if there is none.
    pub tls_bytes: u64,
    /// Alignment of the thread-local storage.
    #[serde(rename = "tls_align_bytes")]
    pub tls_align: u64,
    /// Bytes of `.text`.
    pub text_bytes: u64,
    /// Bytes of `.rodata`.
    pub rodata_bytes: u64,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// Names of the defined dynamic symbols, sorted.
    pub exports: BTreeSet<String>,
    /// Names of the symbols that it needs from others, sorted.
    #[serde(skip)]
    pub imports: BTreeSet<String>,
    /// Names of functions that it defines for itself alone, sorted; empty if it is stripped.
    #[serde(skip)]
    pub hidden: BTreeSet<String>,
    /// The program that must load it, if it is an executable for a dynamic linker.
    #[serde(skip)]
    pub interpreter: Option<String>,
    /// Hash of the contents of `.text` and `.rodata`.
    #[serde(skip)]
    pub code: u64,
    /// The note of a variant.
    #[serde(skip)]
    pub note: Option<Note>,
    /// Those of further variants: a program can have several.
    #[serde(skip)]
    pub others: Vec<Note>,
}

/// What kept a file from being read as a [`Library`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLibrary {
    /// Not an ELF file.
    NotElf,
    /// An ELF file for another machine; the text names it.
    Foreign(String),
    /// An ELF file that is damaged.
    Damaged(String),
}

impl std::fmt::Display for NotLibrary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotLibrary::NotElf => f.write_str("is not an ELF file"),
            NotLibrary::Foreign(machine) => write!(f, "is for another machine: {machine}"),
            NotLibrary::Damaged(why) => write!(f, "is damaged: {why}"),
        }
    }
}

impl Library {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// That it cannot be read, or is none for this machine.
    pub fn read(path: &Path) -> Result<Library> {
        let bytes = crate::file::read(path, hz3_config::file::DATA)?;
        Library::parse(path, &bytes).map_err(|e| Error::bad_input(format!("{} {e}", path.display())))
    }

    /// Reads the contents of a file; `path` is only remembered.
    ///
    /// # Errors
    ///
    /// That it is none for this machine.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Library, NotLibrary> {
        native(bytes)?;
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(|e| NotLibrary::Damaged(e.to_string()))?;
        let endian = file.endian();
        let segments = file.elf_program_headers();
        let tls = segments.iter().find(|s| s.p_type(endian) == elf::PT_TLS);
        let interpreter = segments
            .iter()
            .find_map(|s| s.interpreter(endian, bytes).ok().flatten())
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let (soname, needed) = dynamic(&file);
        let mut exports = BTreeSet::new();
        let mut imports = BTreeSet::new();
        for symbol in file.dynamic_symbols() {
            let Ok(name) = symbol.name() else { continue };
            if name.is_empty() {
                continue;
            }
            let side = if symbol.is_undefined() {
                &mut imports
            } else {
                &mut exports
            };
            side.insert(name.to_owned());
        }
        let hidden = file
            .symbols()
            .filter(|s| s.is_definition() && s.kind() == object::SymbolKind::Text)
            .filter_map(|s| Some(s.name().ok()?.to_owned()))
            .filter(|name| !exports.contains(name))
            .collect();
        let section = |name: &str| {
            file.section_by_name(name)
                .and_then(|s| s.data().ok())
                .unwrap_or_default()
        };
        let (text, rodata) = (section(".text"), section(".rodata"));
        let mut notes = note::all(&file).into_iter();
        Ok(Library {
            path: path.to_owned(),
            file_bytes: bytes.len() as u64,
            soname,
            exports,
            imports,
            hidden,
            needed,
            tls_bytes: tls.map_or(0, |s| s.p_memsz(endian)),
            tls_align: tls.map_or(1, |s| s.p_align(endian)),
            interpreter,
            text_bytes: text.len() as u64,
            rodata_bytes: rodata.len() as u64,
            code: hash::add(hash::of(text), rodata),
            note: notes.next(),
            others: notes.collect(),
        })
    }
}

impl Library {
    /// Whether it is a variant that stands in for malloc. Programs and libraries that have one in them have its note, too.
    pub fn is_variant(&self) -> bool {
        self.interpreter.is_none() && self.note.as_ref().is_some_and(Note::is_of_library)
    }
}

/// `DT_SONAME` and `DT_NEEDED`.
fn dynamic(file: &ElfFile64<'_, Endianness>) -> (Option<String>, Vec<String>) {
    let endian = file.endian();
    let sections = file.elf_section_table();
    let Ok(Some((entries, link))) = sections.dynamic(endian, file.data()) else {
        return (None, Vec::new());
    };
    let Ok(strings) = sections.strings(endian, file.data(), link) else {
        return (None, Vec::new());
    };
    let text = |entry: &elf::Dyn64<Endianness>| {
        entry
            .string(endian, strings)
            .ok()
            .map(|name| String::from_utf8_lossy(name).into_owned())
    };
    let of = |tag: elf::DynamicTag| entries.iter().filter(move |e| e.tag(endian) == tag).filter_map(text);
    (of(elf::DT_SONAME).next(), of(elf::DT_NEEDED).collect())
}

/// Whether the header is that of a 64-bit ELF file of this architecture.
fn native(bytes: &[u8]) -> Result<(), NotLibrary> {
    if bytes.len() < 20 || bytes[..4] != elf::ELFMAG {
        return Err(NotLibrary::NotElf);
    }
    let little = bytes[5] != elf::ELFDATA2MSB.0;
    let machine = [bytes[18], bytes[19]];
    let machine = elf::Machine(if little {
        u16::from_le_bytes(machine)
    } else {
        u16::from_be_bytes(machine)
    });
    let bits = if bytes[4] == elf::ELFCLASS64.0 { 64 } else { 32 };
    let name = match machine {
        elf::EM_X86_64 => "x86_64",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_386 => "x86",
        elf::EM_ARM => "arm",
        elf::EM_RISCV => "riscv64",
        elf::EM_PPC64 => "powerpc64",
        elf::EM_S390 => "s390x",
        _ => "",
    };
    if name == std::env::consts::ARCH && bits == 64 {
        return Ok(());
    }
    let name = if name.is_empty() {
        format!("ELF machine {}", machine.0)
    } else {
        name.to_owned()
    };
    Err(NotLibrary::Foreign(format!("{name}, {bits} bits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_read() {
        let library = Library::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(library.interpreter.is_some());
        assert!(library.needed.iter().any(|n| n.starts_with("libc.")));
        assert!(library.imports.contains("malloc"));
        assert!(library.note.is_none());
    }

    #[test]
    fn other_files_are_named() {
        let mut header = vec![0; 64];
        assert_eq!(native(&header), Err(NotLibrary::NotElf));
        assert_eq!(native(b"#!/bin/sh"), Err(NotLibrary::NotElf));
        header[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, 1]);
        header[18] = 3;
        assert_eq!(native(&header), Err(NotLibrary::Foreign("x86, 32 bits".to_owned())));
        header[18] = 77;
        assert_eq!(
            native(&header),
            Err(NotLibrary::Foreign("ELF machine 77, 32 bits".to_owned()))
        );
    }
}
