//! Instructions of a stepped process: decoded once, kept for the listing.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter, Mnemonic, OpKind};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// An instruction, and what counting needs to know of it.
#[derive(Debug, Clone, Copy)]
pub struct Decoded {
    instruction: Instruction,
    /// Address of the instruction behind it.
    pub next: u64,
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

/// The instructions seen so far, by address.
pub struct Code {
    memory: File,
    seen: BTreeMap<u64, Decoded>,
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
    pub fn at(&mut self, address: u64) -> std::io::Result<Decoded> {
        if let Some(known) = self.seen.get(&address) {
            return Ok(*known);
        }
        let mut bytes = [0; 15];
        // An instruction may end where its mapping does.
        let length = self.memory.read_at(&mut bytes, address)?;
        let instruction = Decoder::with_ip(64, &bytes[..length], address, DecoderOptions::NONE).decode();
        let decoded = classify(instruction);
        self.seen.insert(address, decoded);
        Ok(decoded)
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
        let Some(decoded) = self.seen.get(&address) else {
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
        formatter.format(&decoded.instruction, &mut text);
        if decoded.instruction.op0_kind() == OpKind::NearBranch64
            && let Some(target) = name(decoded.instruction.near_branch64())
        {
            text.push_str(&format!("  ; {target}"));
        }
        text
    }
}

fn classify(instruction: Instruction) -> Decoded {
    let flow = instruction.flow_control();
    let syscall = matches!(
        instruction.mnemonic(),
        Mnemonic::Syscall | Mnemonic::Sysenter | Mnemonic::Int
    );
    let exchange = instruction.mnemonic() == Mnemonic::Xchg
        && (instruction.op0_kind() == OpKind::Memory || instruction.op1_kind() == OpKind::Memory);
    Decoded {
        instruction,
        next: instruction.next_ip(),
        conditional: flow == FlowControl::ConditionalBranch,
        call: !syscall && matches!(flow, FlowControl::Call | FlowControl::IndirectCall),
        locked: instruction.has_lock_prefix() || exchange,
        syscall,
        repeats: instruction.is_string_instruction()
            && (instruction.has_rep_prefix() || instruction.has_repne_prefix()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8]) -> Decoded {
        classify(Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode())
    }

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
            let d = one(bytes);
            assert_eq!(
                [d.conditional, d.call, d.locked, d.syscall, d.repeats],
                expected,
                "{bytes:02x?}"
            );
        }
    }
}
