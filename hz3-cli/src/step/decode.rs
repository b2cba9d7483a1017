//! Instructions of a stepped process: decoded once, kept for the listing.

use hz3_project::code::{self, Formatter, Instruction, IntelFormatter, OpKind};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// The instructions seen so far, by address.
pub struct Code {
    memory: File,
    seen: BTreeMap<u64, Instruction>,
}

impl Code {
    /// Works on `/proc/<pid>/mem`.
    pub fn of(pid: u32) -> std::io::Result<Code> {
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        Ok(Code {
            memory,
            seen: BTreeMap::new(),
        })
    }

    /// The instruction at `address`.
    pub fn at(&mut self, address: u64) -> std::io::Result<Instruction> {
        if let Some(known) = self.seen.get(&address) {
            return Ok(*known);
        }
        let mut bytes = [0; 15];
        // An instruction may end where its mapping does.
        let length = self.memory.read_at(&mut bytes, address)?;
        let instruction = code::decode(address, &bytes[..length]).next().unwrap_or_default();
        self.seen.insert(address, instruction);
        Ok(instruction)
    }

    /// The word at `address`.
    pub fn word(&self, address: u64) -> std::io::Result<u64> {
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, address)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Puts `byte` at `address`, even into code, and gives what was there.
    pub fn patch(&self, address: u64, byte: u8) -> std::io::Result<u8> {
        let mut saved = [0];
        self.memory.read_exact_at(&mut saved, address)?;
        self.memory.write_all_at(&[byte], address)?;
        Ok(saved[0])
    }

    /// The text of the instruction at `address`, which must have been executed, with branch targets named by `name`.
    pub fn text(&self, address: u64, name: impl Fn(u64) -> Option<String>) -> String {
        let Some(instruction) = self.seen.get(&address) else {
            return "?".to_owned();
        };
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_space_after_operand_separator(true);
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_branch_leading_zeros(false);
        options.set_rip_relative_addresses(true);
        let mut text = String::new();
        formatter.format(instruction, &mut text);
        if instruction.op0_kind() == OpKind::NearBranch64
            && let Some(target) = name(instruction.near_branch64())
        {
            text.push_str(&format!("  ; {target}"));
        }
        text
    }
}
