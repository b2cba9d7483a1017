//! ELF files: what a library says of itself, its instructions, its names, and what the dynamic linker says that it bound.

use crate::Target;
use hz3_lab::disasm;
use hz3_lab::profile::{Level, Location, Mapping, Profile};
use hz3_project::bindings;
use hz3_project::code::Image;
use hz3_project::library::{Library, NotLibrary, abi, note};
use object::Object;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) const TARGET: Target = Target {
    name: "elf",
    about: "an ELF file: exports, note, instructions, names and lines; and the log of the dynamic linker",
    run: |data| check(data, Library::parse),
    // A fault to be found: one name is overlooked.
    planted: |data| {
        check(data, |path, bytes| {
            let mut library = Library::parse(path, bytes)?;
            library.exports.retain(|name| name != "malloc");
            Ok(library)
        });
    },
};

type Parse = fn(&Path, &[u8]) -> Result<Library, NotLibrary>;

/// At most so many places of a file are looked up.
const PLACES: usize = 64;

fn check(data: &[u8], parse: Parse) {
    if let Ok(log) = std::str::from_utf8(data) {
        for image in bindings::parse(log, Some(Path::new("/nowhere"))) {
            image.verdict(None);
        }
        note::keys(log);
    }
    let path = Path::new("fuzz.so");
    if let Ok(library) = parse(path, data) {
        assert_eq!(library.file_bytes, data.len() as u64);
        abi::faults(&library.exports, &[]);
        serde_json::to_string(&library).expect("JSON");
        if let Ok(file) = object::File::parse(data) {
            for export in file.exports().into_iter().flatten().flatten() {
                let name = export.name().into_name().unwrap_or_default();
                let name = std::str::from_utf8(name).unwrap_or_default();
                assert!(
                    name.is_empty() || library.exports.contains(name),
                    "{name} was overlooked"
                );
            }
        }
        library.note.map(|note| note::keys(&note.config));
    }
    let mut places = Vec::new();
    if let Ok(image) = Image::parse(path, data) {
        disasm::of_image(&image);
        for name in image.names().take(PLACES) {
            let at = image.address(name).unwrap_or_default();
            image.name_at(at);
            image.name_at(at.wrapping_add(1));
            image.name_at(at.wrapping_sub(1));
            let (_, length) = image.at(at).unwrap_or_default();
            places.extend([at, at.wrapping_add(length / 2)]);
        }
    }
    // Names and lines are read from the file itself.
    if data.starts_with(b"\x7fELF") {
        lines(data, places);
    }
}

/// Looks for the lines of some addresses, as the profile of a process that had mapped the file.
fn lines(data: &[u8], mut places: Vec<u64>) {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file");
    file.write_all(data).expect("written");
    places.extend((0..16).map(|i| i * data.len() as u64 / 16));
    let mut profile = Profile::new(Level::InUse);
    let mapped = |start| Mapping {
        start,
        limit: start.saturating_add(data.len() as u64),
        offset: 0,
        file: file.path().display().to_string(),
        build_id: String::new(),
    };
    profile.mappings = vec![mapped(0), mapped(1 << 40), mapped(u64::MAX - 8)];
    for (at, mapping) in profile.mappings.iter().enumerate() {
        profile
            .locations
            .extend(places.iter().take(PLACES).map(|place| Location {
                address: mapping.start.wrapping_add(*place).wrapping_add(1),
                mapping: Some(at),
                lines: Vec::new(),
            }));
    }
    profile.find_names(&[PathBuf::from("/")]);
    for line in profile.locations.iter().flat_map(|location| &location.lines) {
        assert!(line.function < profile.functions.len());
    }
}
