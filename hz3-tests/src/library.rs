//! What a built library is, read from its ELF file; nothing is loaded.

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, ObjectSymbolTable};
use std::path::Path;

/// The parts of a variant's library that tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// `name=` of the note.
    pub name: String,
    /// `hash=` of the note: 16 hex digits.
    pub hash: String,
    /// The resolved TOML of the note.
    pub config: String,
    /// `SONAME`.
    pub soname: String,
    /// Libraries that it needs, in the order of the file.
    pub needed: Vec<String>,
    /// Defined dynamic symbols, sorted.
    pub exports: Vec<String>,
    /// Undefined dynamic symbols, sorted.
    pub imports: Vec<String>,
    /// Bytes of thread-local storage.
    pub tls_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
}

impl Library {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is missing or broken, with the file's path.
    pub fn read(path: &Path) -> Result<Library, String> {
        let data = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Library::parse(&data).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(data: &[u8]) -> Result<Library, String> {
        let file = object::File::parse(data).map_err(|e| e.to_string())?;
        let note = note(&file)?;
        let (head, config) = note
            .split_once("\n\n")
            .ok_or("its note has no empty line before the config")?;
        let field = |key: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(str::to_owned)
                .ok_or_else(|| format!("its note has no `{key}=`"))
        };
        let (mut exports, mut imports) = (Vec::new(), Vec::new());
        for symbol in file
            .dynamic_symbol_table()
            .ok_or("it has no dynamic symbols")?
            .symbols()
        {
            let name = symbol.name().map_err(|e| e.to_string())?.to_owned();
            match name.is_empty() {
                true => {}
                false if symbol.is_undefined() => imports.push(name),
                false => exports.push(name),
            }
        }
        exports.sort();
        imports.sort();
        let (soname, needed) = dynamic(data)?;
        Ok(Library {
            name: field("name")?,
            hash: field("hash")?,
            config: config.to_owned(),
            soname,
            needed,
            exports,
            imports,
            tls_bytes: tls_bytes(data)?,
            file_bytes: data.len() as u64,
        })
    }
}

/// The descriptor of the note of owner `hz3`, type 1.
fn note(file: &object::File<'_>) -> Result<String, String> {
    let section = file.section_by_name(".note.hz3").ok_or("it has no section .note.hz3")?;
    let data = section.data().map_err(|e| e.to_string())?;
    let word =
        |at: usize| -> Option<usize> { Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?) as usize) };
    let (owner, length, kind) = (word(0), word(4), word(8));
    let (Some(owner), Some(length), Some(1)) = (owner, length, kind) else {
        return Err("its note is not of type 1".to_owned());
    };
    if data.get(12..12 + owner).map(|name| name.trim_ascii_end()) != Some(b"hz3\0") {
        return Err("its note's owner is not hz3".to_owned());
    }
    let start = 12 + owner.next_multiple_of(4);
    let text = data.get(start..start + length).ok_or("its note is cut short")?;
    let text = std::str::from_utf8(text).map_err(|e| format!("its note: {e}"))?;
    Ok(text.trim_end_matches('\0').to_owned())
}

type Header = elf::FileHeader64<Endianness>;

fn dynamic(data: &[u8]) -> Result<(String, Vec<String>), String> {
    let fail = |e: object::Error| e.to_string();
    let header = Header::parse(data).map_err(fail)?;
    let endian = header.endian().map_err(fail)?;
    let sections = header.sections(endian, data).map_err(fail)?;
    let (entries, strings) = sections
        .dynamic(endian, data)
        .map_err(fail)?
        .ok_or("it has no dynamic section")?;
    let strings = sections.strings(endian, data, strings).map_err(fail)?;
    let (mut soname, mut needed) = (String::new(), Vec::new());
    for entry in entries {
        let tag = entry.d_tag.get(endian);
        if tag != elf::DT_SONAME && tag != elf::DT_NEEDED {
            continue;
        }
        let offset = u32::try_from(entry.d_val.get(endian)).map_err(|e| e.to_string())?;
        let text = strings.get(offset).map_err(|()| "a name lies outside of its strings")?;
        let text = String::from_utf8_lossy(text).into_owned();
        if tag == elf::DT_SONAME {
            soname = text;
        } else {
            needed.push(text);
        }
    }
    Ok((soname, needed))
}

fn tls_bytes(data: &[u8]) -> Result<u64, String> {
    let fail = |e: object::Error| e.to_string();
    let header = Header::parse(data).map_err(fail)?;
    let endian = header.endian().map_err(fail)?;
    let segments = header.program_headers(endian, data).map_err(fail)?;
    Ok(segments
        .iter()
        .filter(|s| s.p_type(endian) == elf::PT_TLS)
        .map(|s| s.p_memsz(endian))
        .sum())
}
