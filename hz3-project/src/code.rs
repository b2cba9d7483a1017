//! Machine code of x86-64: what an instruction does, how it is written, and the functions of a file.

use crate::{Error, Result, file, hash};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, Register};
pub use iced_x86::{FlowControl, Formatter, Instruction, IntelFormatter, OpKind};
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeMap;
use std::path::Path;

/// The instructions in some bytes that lie at an address.
pub fn decode(address: u64, bytes: &[u8]) -> impl Iterator<Item = Instruction> {
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).into_iter()
}

/// What an instruction does, as far as costs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// A conditional branch.
    pub conditional: bool,
    /// A `call`.
    pub call: bool,
    /// Locks the bus.
    pub locked: bool,
    /// Enters the kernel.
    pub syscall: bool,
    /// Has a repeat prefix: a single step executes one repetition.
    pub repeats: bool,
}

impl Traits {
    /// Those of an instruction.
    pub fn of(instruction: &Instruction) -> Self {
        let flow = instruction.flow_control();
        let mnemonic = instruction.mnemonic();
        let syscall = matches!(mnemonic, Mnemonic::Syscall | Mnemonic::Sysenter | Mnemonic::Int);
        let memory = instruction.op0_kind() == OpKind::Memory || instruction.op1_kind() == OpKind::Memory;
        Self {
            conditional: flow == FlowControl::ConditionalBranch,
            call: !syscall && matches!(flow, FlowControl::Call | FlowControl::IndirectCall),
            locked: instruction.has_lock_prefix() || (mnemonic == Mnemonic::Xchg && memory),
            syscall,
            repeats: instruction.is_string_instruction()
                && (instruction.has_rep_prefix() || instruction.has_repne_prefix()),
        }
    }
}

/// An instruction as text, where the caller says what a branch's target and a constant's or global's address are called:
/// addresses differ from build to build.
pub fn text(instruction: &Instruction, target: impl Fn(u64) -> String, place: impl Fn(u64) -> String) -> String {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_rip_relative_addresses(true);
    options.set_space_after_operand_separator(true);
    options.set_show_branch_size(false);
    let mut line = String::new();
    if instruction.op_count() == 1 && instruction.op0_kind() == OpKind::NearBranch64 {
        formatter.format_mnemonic(instruction, &mut line);
        return format!("{line} {}", target(instruction.near_branch_target()));
    }
    formatter.format(instruction, &mut line);
    if instruction.is_ip_rel_memory_operand()
        && let (Some(from), Some(to)) = (line.find("[rip"), line.find(']'))
    {
        line.replace_range(from..=to, &format!("[{}]", place(instruction.ip_rel_memory_address())));
    }
    line
}

/// A hash of code without the addresses that a linker fills in: two links of the same code at other places are equal.
pub fn hash(address: u64, code: &[u8]) -> u64 {
    let mut all = Vec::new();
    let mut add = |what: u64| all.extend(what.to_le_bytes());
    for i in decode(address, code) {
        add(i.code() as u64);
        for k in 0..i.op_count() {
            let kind = i.op_kind(k);
            add(kind as u64);
            match kind {
                OpKind::Register => add(i.op_register(k) as u64),
                OpKind::Memory => {
                    add(i.memory_base() as u64);
                    add(i.memory_index() as u64);
                    add(u64::from(i.memory_index_scale()));
                    add(i.segment_prefix() as u64);
                    if i.memory_base() != Register::RIP {
                        add(i.memory_displacement64());
                    }
                }
                OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {}
                _ => add(i.immediate(k)),
            }
        }
    }
    hash::of(&all)
}

/// A name as the source has it, without the compiler's hash and suffixes.
pub fn readable(symbol: &str) -> String {
    let plain = symbol.split(".llvm.").next().unwrap_or(symbol);
    let text = format!("{:#}", rustc_demangle::demangle(plain));
    // A static that was split into parts has a number behind its name.
    match text.rsplit_once('.') {
        Some((name, number)) if number.bytes().all(|c| c.is_ascii_digit()) => name.to_owned(),
        _ => text,
    }
}

/// The code and the names of a file.
pub struct Image {
    /// Executable sections: address and bytes.
    code: Vec<(u64, Vec<u8>)>,
    /// All sections by address: end and name.
    sections: BTreeMap<u64, (u64, String)>,
    /// Functions and data by address: length and readable name. Of several names of one place the shortest.
    names: BTreeMap<u64, (u64, String)>,
    /// What others can ask for.
    exported: BTreeMap<String, u64>,
}

impl Image {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is none for this kind of machine.
    pub fn read(path: &Path) -> Result<Image> {
        Self::parse(path, &file::read(path, file::DATA)?)
    }

    /// Reads the contents of a file; errors call it `path`.
    ///
    /// # Errors
    ///
    /// If it is none for this kind of machine.
    pub fn parse(path: &Path, data: &[u8]) -> Result<Image> {
        let bad = |what: &dyn std::fmt::Display| Error::bad_input(format!("{}: {what}", path.display()));
        let file = object::File::parse(data).map_err(|e| bad(&e))?;
        if file.architecture() != object::Architecture::X86_64 {
            return Err(bad(&"its code is not of x86-64"));
        }
        let (mut code, mut sections) = (Vec::new(), BTreeMap::new());
        for section in file.sections().filter(|s| s.address() != 0) {
            let name = section.name().unwrap_or_default().to_owned();
            sections.insert(
                section.address(),
                (section.address().saturating_add(section.size()), name),
            );
            if section.kind() == object::SectionKind::Text {
                code.push((section.address(), section.data().map_err(|e| bad(&e))?.to_vec()));
            }
        }
        let (mut names, mut exported) = (BTreeMap::<u64, (u64, String)>::new(), BTreeMap::new());
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            if symbol.is_undefined() || symbol.address() == 0 {
                continue;
            }
            let name = readable(symbol.name().unwrap_or_default());
            if symbol.is_global() {
                exported.insert(name.clone(), symbol.address());
            }
            let entry = names.entry(symbol.address()).or_insert((symbol.size(), name.clone()));
            // A second name that the linker gave has no length.
            entry.0 = entry.0.max(symbol.size());
            if (name.len(), &name) < (entry.1.len(), &entry.1) {
                entry.1 = name;
            }
        }
        Ok(Image {
            code,
            sections,
            names,
            exported,
        })
    }

    /// Names of everything in the file, readable.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(|(_, name)| name.as_str())
    }

    /// The name and the length of what begins at an address.
    pub fn at(&self, address: u64) -> Option<(&str, u64)> {
        self.names.get(&address).map(|(length, name)| (name.as_str(), *length))
    }

    /// Where a name begins; of several places of one name that which others can ask for.
    pub fn address(&self, name: &str) -> Option<u64> {
        let of_name = || {
            self.names
                .iter()
                .find(|(_, (_, n))| n == name)
                .map(|(address, _)| *address)
        };
        self.exported.get(name).copied().or_else(of_name)
    }

    /// The code from an address to the end of its section; nothing if there is none.
    pub fn code(&self, address: u64) -> &[u8] {
        let from = |(start, bytes): &(u64, Vec<u8>)| {
            Some((*start, usize::try_from(address.checked_sub(*start)?).ok()?, bytes.len()))
        };
        self.code
            .iter()
            .find_map(|section| {
                from(section)
                    .filter(|(_, at, length)| at < length)
                    .and_then(|(_, at, _)| section.1.get(at..))
            })
            .unwrap_or_default()
    }

    /// The name of what lies at an address: a symbol, or a section if there is none. An offset within a symbol is told,
    /// one within a section is not: it moves whenever anything else does.
    pub fn name_at(&self, address: u64) -> String {
        if let Some((start, (length, name))) = self.names.range(..=address).next_back()
            && address - start < (*length).max(1)
        {
            return match address - start {
                0 => name.clone(),
                offset => format!("{name}+{offset:#x}"),
            };
        }
        let section = self
            .sections
            .range(..=address)
            .next_back()
            .filter(|(_, (end, _))| address < *end);
        section.map_or_else(|| "?".to_owned(), |(_, (_, name))| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_instructions() {
        // (bytes, conditional, call, locked, syscall, repeats)
        for (bytes, expected) in [
            (&[0x74, 0x05][..], [true, false, false, false, false]), // je
            (&[0xe8, 0, 0, 0, 0][..], [false, true, false, false, false]), // call
            (&[0xff, 0xd0][..], [false, true, false, false, false]), // call rax
            (&[0xeb, 0x05][..], [false, false, false, false, false]), // jmp
            (&[0xf0, 0x0f, 0xb1, 0x0f][..], [false, false, true, false, false]), // lock cmpxchg [rdi], ecx
            (&[0x87, 0x07][..], [false, false, true, false, false]), // xchg [rdi], eax
            (&[0x87, 0xc1][..], [false, false, false, false, false]), // xchg ecx, eax
            (&[0x0f, 0x05][..], [false, false, false, true, false]), // syscall
            (&[0xf3, 0xaa][..], [false, false, false, false, true]), // rep stosb
            (&[0xf3, 0x0f, 0x1e, 0xfa][..], [false, false, false, false, false]), // endbr64
            (&[0x0f, 0x44, 0xc1][..], [false, false, false, false, false]), // cmove
            (&[0xc3][..], [false, false, false, false, false]),      // ret
        ] {
            let t = Traits::of(&decode(0x1000, bytes).next().unwrap());
            assert_eq!(
                [t.conditional, t.call, t.locked, t.syscall, t.repeats],
                expected,
                "{bytes:02x?}"
            );
        }
    }

    #[test]
    fn moved_code_is_the_same_code() {
        // mov rax, [rip+disp]; jz +3; ret   with two displacements and two bases
        let a = [0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x74, 0x03, 0xc3];
        let b = [0x48, 0x8b, 0x05, 0x90, 1, 0, 0, 0x74, 0x07, 0xc3];
        let c = [0x48, 0x8b, 0x0d, 0x10, 0, 0, 0, 0x74, 0x03, 0xc3];
        assert_eq!(hash(0x1000, &a), hash(0x2000, &b));
        assert_ne!(hash(0x1000, &a), hash(0x1000, &c));
        let lines: Vec<String> = decode(0x1000, &a)
            .map(|i| text(&i, |to| format!(".{to:x}"), |at| format!("<{at:x}>")))
            .collect();
        assert_eq!(lines, ["mov rax, [<1017>]", "je .100c", "ret"]);
    }

    #[test]
    fn names_are_readable() {
        assert_eq!(readable("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(readable("malloc.llvm.123"), "malloc");
        assert_eq!(readable("table.7"), "table");
    }
}
