//! The ELF note that says which config made a library, or a variant in a program.

use hz3_config::emit::note::{OWNER, SECTION, TYPE};
use object::elf::FileHeader64;
use object::read::elf::{ElfFile64, NoteIterator, ProgramHeader, SectionHeader};
use object::{Endianness, Object, ReadCache, ReadRef};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// What the note says.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// The variant's name.
    pub name: String,
    /// Version of the generator.
    pub version: String,
    /// Hash of the sources that the library was built from, 16 hexadecimal digits; empty of a variant in a program of Rust's.
    pub sources: String,
    /// Hash of the resolved config, 16 hexadecimal digits.
    pub hash: String,
    /// Hash of what reaches the code, 16 hexadecimal digits.
    pub code_hash: String,
    /// The resolved config, as TOML.
    pub config: String,
}

impl Note {
    /// Whether it is that of a library of hz3's, whose sources are known, and not of a variant in a program of Rust's.
    pub fn is_of_library(&self) -> bool {
        !self.sources.is_empty()
    }
}

/// The note in `file`, as [`all`] finds it; the first one where there are several.
pub fn find<'d, R: ReadRef<'d>>(file: &ElfFile64<'d, Endianness, R>) -> Option<Note> {
    all(file).into_iter().next()
}

/// The notes in `file`: by their section, or, in a file without section headers, by its segments. A library has one; a program
/// of Rust's has one for each of its variants.
pub fn all<'d, R: ReadRef<'d>>(file: &ElfFile64<'d, Endianness, R>) -> Vec<Note> {
    let (endian, data) = (file.endian(), file.data());
    let section = file.section_by_name(SECTION);
    let section = section.and_then(|section| section.elf_section_header().notes(endian, data).ok()?);
    let found: Vec<Note> = section.map_or_else(Vec::new, |notes| ours(endian, notes));
    if !found.is_empty() {
        return found;
    }
    let segments = file.elf_program_headers().iter();
    let notes = segments.filter_map(|segment| segment.notes(endian, data).ok()?);
    notes.flat_map(|notes| ours(endian, notes)).collect()
}

/// Those of them that are of variants.
fn ours(endian: Endianness, mut notes: NoteIterator<'_, FileHeader64<Endianness>>) -> Vec<Note> {
    let mut found = Vec::new();
    while let Ok(Some(note)) = notes.next() {
        if note.name() == OWNER.as_bytes() && note.n_type(endian).0 == TYPE {
            found.extend(parse(note.desc()));
        }
    }
    found
}

/// The notes in the file at `path`, of which no more is read than that takes. None of what is no ELF file.
pub fn read(path: &Path) -> Vec<Note> {
    let Ok(file) = File::open(path) else {
        return Vec::new();
    };
    let cache = ReadCache::new(file);
    ElfFile64::parse(&cache).map_or_else(|_| Vec::new(), |file| all(&file))
}

/// `key=value` lines, an empty line, and the config.
fn parse(text: &[u8]) -> Option<Note> {
    let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
    let (head, config) = text.split_once("\n\n").unwrap_or((text, ""));
    let value = |key: &str| {
        let line = head.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    let note = Note {
        name: value("name"),
        version: value("version"),
        sources: value("sources"),
        hash: value("hash"),
        code_hash: value("code_hash"),
        config: config.to_owned(),
    };
    (!note.name.is_empty()).then_some(note)
}

/// Every key of a resolved config in full, `table.key`, and its value as TOML on one line. None of what is no TOML.
pub fn keys(config: &str) -> BTreeMap<String, String> {
    fn walk(prefix: &str, table: &toml::Table, keys: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => walk(&format!("{prefix}{key}."), inner, keys),
                other => drop(keys.insert(format!("{prefix}{key}"), other.to_string())),
            }
        }
    }
    let mut keys = BTreeMap::new();
    walk("", &config.parse().unwrap_or_default(), &mut keys);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_text() {
        let note =
            parse(b"name=a\nversion=0.1.0\nsources=89ab\nhash=0123\ncode_hash=4567\n\nname = \"a\"\n\n[x]\ny = 1\n")
                .unwrap();
        assert_eq!(
            (
                note.name.as_str(),
                note.sources.as_str(),
                note.hash.as_str(),
                note.code_hash.as_str()
            ),
            ("a", "89ab", "0123", "4567")
        );
        assert_eq!(note.config, "name = \"a\"\n\n[x]\ny = 1\n");
        assert_eq!(parse(b"nonsense"), None);
        assert_eq!(parse(&[0xff, 0xfe]), None);
    }

    #[test]
    fn keys_in_full() {
        let keys = keys("name = \"x\"\n[a]\nb = 1\n[a.c]\nd = [1, 2]\n");
        let lines: Vec<String> = keys.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        assert_eq!(lines, ["a.b = 1", "a.c.d = [1, 2]", "name = \"x\""]);
    }
}
