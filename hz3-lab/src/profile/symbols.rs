//! From addresses to functions, files and lines.
//!
//! A profile says which files were mapped where, and their build ids. A file whose build id is another one is not the one
//! that ran, and is left alone. Lines are in the file itself, or in the one that distributions keep apart by its build id
//! (`/usr/lib/debug/.build-id`). Where there are none, the names of functions are better than nothing: from the symbol table,
//! or from what the dynamic linker has.

use super::{Function, Line, Profile};
use addr2line::Loader;
use object::{Object, ObjectSegment, ObjectSymbol};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where distributions keep what was stripped from programs.
const DEBUG: &str = "/usr/lib/debug/.build-id";

/// A file whose addresses stay addresses, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Nameless {
    /// The file, as the process saw it.
    pub file: String,
    /// Why.
    pub why: String,
    /// Locations in it.
    pub locations: usize,
}

/// A program or library, opened.
struct Binary {
    /// Lines, where there are any: from the file itself, or from the one with what was stripped.
    loader: Loader,
    /// Segments: offset in the file, length there, address.
    segments: Vec<(u64, u64, u64)>,
    /// Functions that the dynamic linker knows: address, length, name.
    exported: Vec<(u64, u64, String)>,
}

/// What stands at an address: name for linkers, name for people, file, line. Inlined functions first.
type Frame = (String, String, String, u64);

fn demangled(name: &str) -> String {
    addr2line::demangle_auto(name.into(), None).replace(char::is_control, "?")
}

impl Binary {
    fn open(path: &Path, build_id: &str) -> Result<Self, String> {
        let why = |error: &dyn std::fmt::Display| format!("cannot read it: {error}");
        let kind = std::fs::metadata(path).map_err(|e| why(&hz3_project::file::reason(&e)))?;
        if !kind.is_file() {
            return Err("it is no file".into());
        }
        let cache = object::ReadCache::new(File::open(path).map_err(|e| why(&hz3_project::file::reason(&e)))?);
        let file = object::File::parse(&cache).map_err(|e| why(&e))?;
        let id = file.build_id().ok().flatten().map(hex).unwrap_or_default();
        if !build_id.is_empty() && id != build_id {
            return Err(format!("it is not the file that ran: its build id is {}", or_none(&id)));
        }
        let segments = file.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            (offset, length, segment.address())
        });
        let functions = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
        let mut exported: Vec<(u64, u64, String)> = functions
            .filter_map(|symbol| Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned())))
            .collect();
        exported.sort();
        let apart = id
            .split_at_checked(2)
            .map(|(head, tail)| Path::new(DEBUG).join(head).join(format!("{tail}.debug")));
        let lines = apart
            .filter(|path| path.is_file())
            .and_then(|path| Loader::new(path).ok());
        let loader = match lines {
            Some(loader) => loader,
            None => Loader::new(path).map_err(|e| why(&e))?,
        };
        Ok(Self {
            loader,
            segments: segments.collect(),
            exported,
        })
    }

    /// The address in the file of what is mapped from an offset of it.
    fn address(&self, offset: u64) -> Option<u64> {
        let segment = self
            .segments
            .iter()
            .find(|(start, length, _)| (*start..start.saturating_add(*length)).contains(&offset))?;
        // The addresses of a damaged file may be any, and whoever reads its lines looks for what ends behind the address: nothing
        // ends behind the last one.
        (offset - segment.0)
            .checked_add(segment.2)
            .filter(|address| *address < u64::MAX)
    }

    fn frames(&self, address: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        if let Ok(mut frames) = self.loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let Some(function) = frame.function else { continue };
                let system = function.raw_name().map(|name| name.into_owned()).unwrap_or_default();
                let name = function
                    .demangle()
                    .map(|name| name.replace(char::is_control, "?"))
                    .unwrap_or_default();
                let place = frame.location;
                let file = place.as_ref().and_then(|place| place.file).unwrap_or_default();
                let line = place.and_then(|place| place.line).unwrap_or(0);
                found.push((system, name, file.replace(char::is_control, "?"), u64::from(line)));
            }
        }
        if found.is_empty() {
            let name = self.loader.find_symbol(address).or_else(|| self.exported(address));
            found.extend(name.map(|name| (name.to_owned(), demangled(name), String::new(), 0)));
        }
        found
    }

    fn exported(&self, address: u64) -> Option<&str> {
        let after = self.exported.partition_point(|(start, ..)| *start <= address);
        let (start, length, name) = self.exported.get(after.checked_sub(1)?)?;
        (address - start < (*length).max(1)).then_some(name)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

impl Profile {
    /// Finds what stands at the addresses of all locations that have no lines yet. Files are looked for below `roots`, in
    /// order: `/` for those of this machine, `/proc/PID/root` for those that a process sees. Returns the files that gave no
    /// names.
    pub fn find_names(&mut self, roots: &[PathBuf]) -> Vec<Nameless> {
        let mut binaries: HashMap<(String, String), Result<Binary, String>> = HashMap::new();
        let known = self.functions.len();
        let mut next = known;
        let mut functions: HashMap<Function, usize> = HashMap::new();
        for (at, function) in self.functions.iter().enumerate() {
            functions.entry(function.clone()).or_insert(at);
        }
        let mut nameless: BTreeMap<(String, String), usize> = BTreeMap::new();
        for location in self.locations.iter_mut().filter(|location| location.lines.is_empty()) {
            let Some(mapping) = location.mapping.map(|at| &self.mappings[at]) else {
                *nameless.entry((String::new(), "in no file".into())).or_insert(0) += 1;
                continue;
            };
            let binary = binaries
                .entry((mapping.file.clone(), mapping.build_id.clone()))
                .or_insert_with(|| open(&mapping.file, &mapping.build_id, roots));
            let binary = match binary {
                Ok(binary) => binary,
                Err(why) => {
                    *nameless.entry((mapping.file.clone(), why.clone())).or_insert(0) += 1;
                    continue;
                }
            };
            // The byte before the one that a call returns to is in the call, whose line is meant.
            let offset = (location.address.wrapping_sub(1))
                .checked_sub(mapping.start)
                .and_then(|distance| distance.checked_add(mapping.offset));
            let frames = offset
                .and_then(|offset| binary.address(offset))
                .map(|at| binary.frames(at));
            for (system_name, name, file, line) in frames.unwrap_or_default() {
                let function = Function {
                    name,
                    system_name,
                    file,
                };
                let function = *functions.entry(function).or_insert_with(|| {
                    next += 1;
                    next - 1
                });
                location.lines.push(Line { function, line });
            }
            if location.lines.is_empty() {
                let why = "it has no symbols there".into();
                *nameless.entry((mapping.file.clone(), why)).or_insert(0) += 1;
            }
        }
        let mut new: Vec<(usize, Function)> = functions
            .into_iter()
            .filter(|(_, at)| *at >= known)
            .map(|(function, at)| (at, function))
            .collect();
        new.sort_by_key(|(at, _)| *at);
        self.functions.extend(new.into_iter().map(|(_, function)| function));
        let rows = nameless
            .into_iter()
            .map(|((file, why), locations)| Nameless { file, why, locations });
        rows.collect()
    }
}

/// Opens a file below the first root where it is.
fn open(file: &str, build_id: &str, roots: &[PathBuf]) -> Result<Binary, String> {
    // What the kernel calls a file that is gone.
    let gone = " (deleted)";
    if file.is_empty() || file.starts_with('[') {
        return Err("it is no file".into());
    }
    let inside = file.trim_end_matches(gone).trim_start_matches('/');
    let mut why = "there is nowhere to look for it".to_owned();
    for root in roots {
        match Binary::open(&root.join(inside), build_id) {
            Ok(binary) => return Ok(binary),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Level, Location, Mapping};

    /// Where the linker put a function of this program: address, and offset in the file.
    fn place_of(part: &str) -> (u64, Mapping) {
        let path = std::env::current_exe().expect("this program");
        let cache = object::ReadCache::new(File::open(&path).expect("it can be read"));
        let file = object::File::parse(&cache).expect("an ELF file");
        let symbol = file
            .symbols()
            .find(|symbol| symbol.name().is_ok_and(|name| name.contains(part)));
        let address = symbol.expect("the function").address();
        let segment = file
            .segments()
            .find(|segment| (segment.address()..segment.address() + segment.size()).contains(&address))
            .expect("a segment");
        let (start, length) = segment.file_range();
        let mapping = Mapping {
            start: 0x7000_0000,
            limit: 0x7000_0000 + length,
            offset: start,
            file: path.display().to_string(),
            build_id: file.build_id().ok().flatten().map(hex).unwrap_or_default(),
        };
        (0x7000_0000 + address - segment.address(), mapping)
    }

    #[inline(never)]
    fn known_by_its_name() -> u32 {
        std::hint::black_box(7)
    }

    fn profile(address: u64, mapping: Mapping) -> Profile {
        let mut profile = Profile::new(Level::Exact);
        profile.mappings = vec![mapping];
        profile.locations = vec![Location {
            address,
            mapping: Some(0),
            lines: Vec::new(),
        }];
        profile
    }

    #[test]
    fn functions_of_this_program() {
        assert_eq!(known_by_its_name(), 7);
        let (address, mapping) = place_of("known_by_its_name");
        // As if its first instruction were a call.
        let mut profile = profile(address + 2, mapping.clone());
        let roots = [PathBuf::from("/")];
        assert_eq!(profile.find_names(&roots), []);
        // What was inlined there comes before it.
        let location = &profile.locations[0];
        let line = location.lines.last().expect("it has names");
        let function = &profile.functions[line.function];
        // Debug information of lines only has no paths of modules.
        assert!(function.name.ends_with("known_by_its_name"), "{function:?}");
        assert!(function.file.ends_with("symbols.rs"), "{function:?}");
        assert!(line.line > 0);
        // What is known is not looked for again.
        let before = profile.clone();
        profile.find_names(&roots);
        assert_eq!(profile, before);
    }

    #[test]
    fn another_file_gives_no_names() {
        let (address, mapping) = place_of("known_by_its_name");
        for (file, build_id, why) in [
            (
                mapping.file.clone(),
                "00ff".to_owned(),
                "it is not the file that ran: its build id is ",
            ),
            ("/none/of/these".to_owned(), String::new(), "cannot read it: "),
            ("/dev/zero".to_owned(), String::new(), "it is no file"),
            ("[vdso]".to_owned(), String::new(), "it is no file"),
            ("/proc/self/status".to_owned(), String::new(), "cannot read it: "),
        ] {
            let mapping = Mapping {
                file,
                build_id,
                ..mapping.clone()
            };
            let mut profile = profile(address, mapping);
            let nameless = profile.find_names(&[PathBuf::from("/")]);
            assert!(nameless.len() == 1 && nameless[0].why.starts_with(why), "{nameless:?}");
            assert_eq!(profile.functions, []);
        }
    }

    #[test]
    fn addresses_outside_of_the_file_have_no_names() {
        let (_, mapping) = place_of("known_by_its_name");
        for address in [0, 1, mapping.start, u64::MAX, mapping.start + (1 << 40)] {
            let nameless = profile(address, mapping.clone()).find_names(&[PathBuf::from("/")]);
            assert!(nameless.len() <= 1, "{address:#x}: {nameless:?}");
        }
        let mut nowhere = profile(16, mapping);
        nowhere.locations[0].mapping = None;
        assert_eq!(nowhere.find_names(&[])[0].why, "in no file");
    }
}
