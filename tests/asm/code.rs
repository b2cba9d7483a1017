//! The machine code of a library's functions, read from its file.

use iced_x86::{
    Code as Mnemonic, Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter, OpKind,
};
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A library's code and names.
pub struct Code {
    /// Executable sections: address and bytes.
    sections: Vec<(u64, Vec<u8>)>,
    /// All sections by address: end and name.
    places: BTreeMap<u64, (u64, String)>,
    /// Functions and data by address: length and readable name. Of several names of one place the shortest.
    names: BTreeMap<u64, (u64, String)>,
    /// Functions that are asked for by name: the exported ones, and what `malloc` jumps to.
    known: BTreeMap<String, u64>,
}

/// One way through a function, from its start to its end or to another function.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// Instructions, the last one included.
    pub instructions: usize,
    /// Conditional branches among them.
    pub branches: usize,
    /// Whether it ends in the function's own `ret`.
    pub returns: bool,
}

/// What an instruction of a hot path may not be, and what it may.
#[derive(Debug, PartialEq, Eq)]
pub enum Steps {
    /// Anything else.
    Plain,
    /// A call.
    Call,
    /// A read-modify-write that locks.
    Lock,
    /// A jump to where this function was before: a loop.
    Back,
}

impl Code {
    /// Reads a library.
    pub fn read(path: &std::path::Path) -> Result<Code, String> {
        let data = std::fs::read(path).map_err(|e| e.to_string())?;
        let file = object::File::parse(&*data).map_err(|e| e.to_string())?;
        let (mut sections, mut places) = (Vec::new(), BTreeMap::new());
        for section in file.sections().filter(|s| s.address() != 0) {
            let name = section.name().unwrap_or_default().to_owned();
            places.insert(section.address(), (section.address() + section.size(), name));
            if section.kind() == object::SectionKind::Text {
                sections.push((section.address(), section.data().map_err(|e| e.to_string())?.to_vec()));
            }
        }
        let (mut names, mut known) = (BTreeMap::<u64, (u64, String)>::new(), BTreeMap::new());
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            if symbol.is_undefined() || symbol.address() == 0 {
                continue;
            }
            let name = readable(symbol.name().unwrap_or_default());
            if symbol.is_global() {
                known.insert(name.clone(), symbol.address());
            }
            let entry = names.entry(symbol.address()).or_insert((symbol.size(), name.clone()));
            // A second name that the linker gave has no length.
            entry.0 = entry.0.max(symbol.size());
            if (name.len(), &name) < (entry.1.len(), &entry.1) {
                entry.1 = name;
            }
        }
        let mut code = Code {
            sections,
            places,
            names,
            known,
        };
        // C++ has a second copy of what lies above the fine table, under the same name.
        for i in code.function("malloc")? {
            if let Some((_, name)) = code.names.get(&i.near_branch_target()) {
                code.known.insert(name.clone(), i.near_branch_target());
            }
        }
        Ok(code)
    }

    /// Names of everything in the file, readable.
    pub fn symbols(&self) -> impl Iterator<Item = String> {
        self.names.values().map(|(_, name)| name.clone())
    }

    /// The function that `malloc` goes on in above the fine table, if there is one of its own.
    pub fn coarse(&self) -> Option<String> {
        self.known
            .keys()
            .find(|name| name.ends_with("hot::malloc::coarse"))
            .cloned()
    }

    /// A function's instructions.
    fn function(&self, name: &str) -> Result<Vec<Instruction>, String> {
        let of_name = || {
            self.names
                .iter()
                .find(|(_, (_, n))| n == name)
                .map(|(address, _)| *address)
        };
        let address = self.known.get(name).copied().or_else(of_name);
        let address = address.ok_or_else(|| format!("no function `{name}`"))?;
        let length = self.names[&address].0 as usize;
        let (start, bytes) = self
            .sections
            .iter()
            .find(|(start, bytes)| (*start..*start + bytes.len() as u64).contains(&address))
            .ok_or_else(|| format!("`{name}` is no code"))?;
        let from = (address - start) as usize;
        let code = bytes
            .get(from..from + length)
            .ok_or_else(|| format!("`{name}` is cut short"))?;
        let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
        let all: Vec<Instruction> = decoder.iter().collect();
        match all.iter().find(|i| i.is_invalid()) {
            Some(bad) => Err(format!("`{name}` has no instruction at {:#x}", bad.ip())),
            None => Ok(all),
        }
    }

    /// What its instructions are, as far as hot paths care.
    pub fn steps(&self, name: &str) -> Result<Vec<Steps>, String> {
        let all = self.function(name)?;
        let start = all.first().map_or(0, |i| i.ip());
        Ok(all
            .iter()
            .map(|i| {
                let target = i.near_branch_target();
                match i.flow_control() {
                    FlowControl::Call | FlowControl::IndirectCall => Steps::Call,
                    FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
                        if (start..=i.ip()).contains(&target) =>
                    {
                        Steps::Back
                    }
                    _ if i.has_lock_prefix() || i.code() == Mnemonic::Xchg_rm64_r64 => Steps::Lock,
                    _ => Steps::Plain,
                }
            })
            .collect())
    }

    /// Every way through it. The function has no loop, as `steps` tells.
    pub fn paths(&self, name: &str) -> Result<Vec<Path>, String> {
        let all = self.function(name)?;
        let at: BTreeMap<u64, usize> = all.iter().enumerate().map(|(n, i)| (i.ip(), n)).collect();
        let mut done = Vec::new();
        let mut open = vec![(0, 0, 0)];
        while let Some((mut n, mut instructions, mut branches)) = open.pop() {
            loop {
                let i = all.get(n).ok_or_else(|| format!("`{name}` runs over its end"))?;
                instructions += 1;
                if instructions > all.len() {
                    return Err(format!("`{name}` has a loop"));
                }
                let inside = at.get(&i.near_branch_target()).copied();
                match i.flow_control() {
                    FlowControl::ConditionalBranch => {
                        branches += 1;
                        match inside {
                            Some(there) => open.push((there, instructions, branches)),
                            None => done.push(Path {
                                instructions,
                                branches,
                                returns: false,
                            }),
                        }
                        n += 1;
                    }
                    FlowControl::UnconditionalBranch if inside.is_some() => n = inside.unwrap_or(n),
                    FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => n += 1,
                    flow => {
                        let returns = flow == FlowControl::Return;
                        done.push(Path {
                            instructions,
                            branches,
                            returns,
                        });
                        break;
                    }
                }
            }
        }
        done.sort_by_key(|path| (path.instructions, path.branches));
        Ok(done)
    }

    /// The function as text without addresses: places inside of it are numbered, others are named.
    pub fn listing(&self, name: &str) -> String {
        let all = match self.function(name) {
            Ok(all) => all,
            Err(e) => return e,
        };
        let inside = |address: u64| all.iter().any(|i| i.ip() == address);
        let mut labels: Vec<u64> = all
            .iter()
            .map(Instruction::near_branch_target)
            .filter(|a| *a != 0 && inside(*a))
            .collect();
        labels.sort_unstable();
        labels.dedup();
        let label = |address: u64| labels.iter().position(|a| *a == address).map(|n| format!(".{n}"));
        let mut formatter = IntelFormatter::new();
        formatter.options_mut().set_rip_relative_addresses(true);
        formatter.options_mut().set_space_after_operand_separator(true);
        formatter.options_mut().set_show_branch_size(false);
        let mut text = format!("{name}: {} instructions\n", all.len());
        for i in &all {
            if let Some(here) = label(i.ip()) {
                let _ = writeln!(text, "{here}:");
            }
            let mut line = String::new();
            if i.op_count() == 1 && i.op0_kind() == OpKind::NearBranch64 {
                let target = i.near_branch_target();
                let to = label(target).unwrap_or_else(|| self.name_at(target));
                let _ = write!(line, "{} {to}", format!("{:?}", i.mnemonic()).to_lowercase());
            } else {
                formatter.format(i, &mut line);
                if i.is_ip_rel_memory_operand() {
                    let target = i.ip_rel_memory_address();
                    if let (Some(from), Some(to)) = (line.find("[rip"), line.find(']')) {
                        line.replace_range(from..=to, &format!("[{}]", self.name_at(target)));
                    }
                }
            }
            let _ = writeln!(text, "    {line}");
        }
        text
    }

    /// The name of what lies at an address: a symbol, or a section if there is none. An offset within a symbol is told,
    /// one within a section is not: it moves whenever anything else does.
    fn name_at(&self, address: u64) -> String {
        if let Some((start, (length, name))) = self.names.range(..=address).next_back()
            && address < start + (*length).max(1)
        {
            let offset = address - start;
            return if offset == 0 {
                name.clone()
            } else {
                format!("{name}+{offset:#x}")
            };
        }
        let place = self
            .places
            .range(..=address)
            .next_back()
            .filter(|(_, (end, _))| address < *end);
        place.map_or_else(|| "?".to_owned(), |(_, (_, name))| name.clone())
    }
}

/// A name as the source has it, without the compiler's hash and suffixes.
fn readable(symbol: &str) -> String {
    let plain = symbol.split(".llvm.").next().unwrap_or(symbol);
    let text = format!("{:#}", rustc_demangle::demangle(plain));
    // A static that was split into parts has a number behind its name.
    match text.rsplit_once('.') {
        Some((name, number)) if number.bytes().all(|c| c.is_ascii_digit()) => name.to_owned(),
        _ => text,
    }
}
