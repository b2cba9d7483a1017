//! Names of functions in a stepped process, from the symbol tables of the files that it maps.

use super::maps::Mapping;
use hz3_project::code::readable;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSegment, ObjectSymbol};

/// Functions by address.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Start, end, name; sorted by start. An end equal to the start means that the size is unknown.
    functions: Vec<(u64, u64, String)>,
}

impl Symbols {
    /// All functions of all mapped files. Files that cannot be read give none.
    pub fn of(maps: &[Mapping]) -> Symbols {
        let mut functions = Vec::new();
        for mapping in maps.iter().filter(|m| m.offset == 0) {
            let Ok(bytes) = std::fs::read(&mapping.path) else {
                continue;
            };
            let Ok(file) = ElfFile64::<object::Endianness>::parse(&*bytes) else {
                continue;
            };
            add(&file, mapping.start, &mut functions);
        }
        functions.sort();
        Symbols { functions }
    }

    /// The function whose code holds `address`.
    pub fn containing(&self, address: u64) -> Option<String> {
        let after = self.functions.partition_point(|f| f.0 <= address);
        let (start, end, _) = self.functions[..after].last()?;
        // Of several names for one address the C one is shown, then the first in the alphabet: output must not vary.
        let first = self.functions.partition_point(|f| f.0 < *start);
        let names = &self.functions[first..after];
        let name = names.iter().find(|f| !f.2.starts_with('_')).unwrap_or(&names[0]);
        (address < *end || start == end).then(|| readable(&name.2))
    }

    /// `function` or `function+offset`.
    pub fn name(&self, address: u64) -> Option<String> {
        let name = self.containing(address)?;
        let after = self.functions.partition_point(|f| f.0 <= address);
        let offset = address - self.functions[after - 1].0;
        Some(if offset == 0 {
            name
        } else {
            format!("{name}+{offset:#x}")
        })
    }
}

fn add(file: &ElfFile64<'_, object::Endianness>, start: u64, functions: &mut Vec<(u64, u64, String)>) {
    // The mapping of the file's first byte is where its lowest segment went.
    let lowest = file.segments().map(|s| s.address()).min().unwrap_or(0) & !0xfff;
    let bias = start.wrapping_sub(lowest);
    for symbol in file.symbols().chain(file.dynamic_symbols()) {
        if symbol.is_definition()
            && symbol.kind() == object::SymbolKind::Text
            && let Ok(name) = symbol.name()
        {
            let address = symbol.address().wrapping_add(bias);
            functions.push((address, address + symbol.size(), name.to_owned()));
        }
    }
}
