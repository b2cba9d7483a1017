//! Restartable sequences, on x86-64: what `cache.per = "cpu"` does with a processor's slots.
//!
//! A sequence is a few instructions that end with one store, the commit. The kernel takes a thread that it interrupts in the
//! middle of one (another thread runs on the processor, a signal is delivered, the thread moves to another processor) to the
//! sequence's abort handler when it goes on. So whoever reaches the commit was alone on the processor since the beginning. Before a
//! sequence the address of its descriptor is stored where the kernel looks for it, in the area that the C library has registered
//! for the thread; after it that word is zero again, so that nothing of ours is left there when the object is unloaded. Nothing
//! else in the area is written.
//!
//! A sequence begins with the number of the processor, so it must be read behind the store of the descriptor. Where it begins anew it
//! reads everything again. In front of each abort handler stand the four bytes that the C library has told the kernel, so that the
//! kernel jumps to nothing else; the bytes before them make it an instruction, for whoever disassembles.
//!
//! A block ([`CpuBlock`](crate::statics::CpuBlock)) says where the thread's word and number are and where the slots begin. A thread
//! without an area has a word of its own, a number that is always 0, and slots that are its own: then nobody interrupts a sequence,
//! and the instructions are the same.
//!
//! A slot's word is the address of the first free object in the upper 48 bits, and how many more the list may take in the lower 16.

/// A sequence of this thread's, whose block has the symbol `$name`: `$body` between the beginning and the end, with registers by
/// names. `{row}` is where the processor's slots begin; `{a}`, `{b}` and `{word}` are free for use. It ends at the label 22, to
/// which it may jump. Rows are `1 << $shift` bytes apart.
#[macro_export]
#[doc(hidden)]
macro_rules! __cpu_sequence {
    ($name:literal, $shift:expr, [$($body:literal,)*], $($operands:tt)*) => {
        ::core::arch::asm!(
            "20:",
            concat!("mov {block}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
            "mov {cs}, qword ptr fs:[{block}]",
            "lea {a}, [rip + 23f]",
            "mov qword ptr [{cs}], {a}",
            "21:",
            "mov {row}, qword ptr fs:[{block} + 16]",
            "mov {row:e}, dword ptr [{row}]",
            "shl {row}, {shift}",
            "add {row}, qword ptr fs:[{block} + 24]",
            $($body,)*
            "22:",
            "mov qword ptr [{cs}], 0",
            ".pushsection __rseq_cs, \"aw\", @progbits",
            ".p2align 5",
            "23:",
            ".long 0, 0",
            ".quad 21b, 22b - 21b, 24f",
            ".popsection",
            ".pushsection __rseq_failure, \"ax\", @progbits",
            ".byte 0x0f, 0xb9, 0x3d",
            ".long 0x53053053",
            "24:",
            "jmp 20b",
            ".popsection",
            block = out(reg) _,
            cs = out(reg) _,
            a = out(reg) _,
            shift = const $shift,
            $($operands)*
            options(nostack),
        )
    };
}

/// Takes the first object of the processor's slot at `$slot`, a byte offset; null if it has none.
#[macro_export]
#[doc(hidden)]
macro_rules! __cpu_pop {
    ($name:literal, $shift:expr, $slot:expr) => {{
        let slot: usize = $slot;
        let object: *mut u8;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: nobody else changes the slot until the commit, so its first object is a free one whose link can be read.
        unsafe {
            $crate::__cpu_sequence!($name, $shift, [
                "mov {word}, qword ptr [{row} + {slot}]",
                "mov {object}, {word}",
                "shr {object}, 16",
                "jz 22f",
                "mov {a}, qword ptr [{object}]",
                "shl {a}, 16",
                "movzx {word:e}, {word:x}",
                "lea {a}, [{a} + {word} + 1]",
                "mov qword ptr [{row} + {slot}], {a}",
            ],
                row = out(reg) _,
                word = out(reg) _,
                slot = in(reg) slot,
                object = out(reg) object,
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            object = ::core::ptr::without_provenance_mut(slot & 0);
        }
        object
    }};
}

/// Makes `$object` the first one of the processor's slot at `$slot`. Returns `false` from the function if it has no room.
#[macro_export]
#[doc(hidden)]
macro_rules! __cpu_push {
    ($name:literal, $shift:expr, $slot:expr, $object:expr) => {{
        let slot: usize = $slot;
        let object: *mut u8 = $object;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the object is the caller's until the commit, which gives it to the slot.
        unsafe {
            $crate::__cpu_sequence!($name, $shift, [
                "mov {word}, qword ptr [{row} + {slot}]",
                "test {word:x}, {word:x}",
                "jz {full}",
                "mov {a}, {word}",
                "shr {a}, 16",
                "mov qword ptr [{object}], {a}",
                "mov {a}, {object}",
                "shl {a}, 16",
                "movzx {word:e}, {word:x}",
                "lea {a}, [{a} + {word} - 1]",
                "mov qword ptr [{row} + {slot}], {a}",
            ],
                row = out(reg) _,
                word = out(reg) _,
                slot = in(reg) slot,
                object = in(reg) object,
                full = label { return false },
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (slot, object);
        true
    }};
}

/// Takes the whole list of the processor's slot at `$slot`: zero stands there until who took it puts another word there. Returns
/// where the processor's slots begin, and the word. The word is zero, and nothing is taken, if another has it, or if byte `$stop`
/// of the slots says that nobody takes any.
#[macro_export]
#[doc(hidden)]
macro_rules! __cpu_take {
    ($name:literal, $shift:expr, $slot:expr, $stop:expr) => {{
        let slot: usize = $slot;
        let (row, word): (*mut u8, u64);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a slot's word is anybody's to read, and whose it is at the commit was alone with it.
        unsafe {
            $crate::__cpu_sequence!($name, $shift, [
                "xor {word:e}, {word:e}",
                "cmp byte ptr [{row} + {stop}], 0",
                "jne 22f",
                "mov {word}, qword ptr [{row} + {slot}]",
                "test {word}, {word}",
                "jz 22f",
                "mov qword ptr [{row} + {slot}], 0",
            ],
                row = out(reg) row,
                word = out(reg) word,
                slot = in(reg) slot,
                stop = const $stop,
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            (row, word) = (::core::ptr::null_mut(), (slot & 0) as u64);
        }
        (row, word)
    }};
}
