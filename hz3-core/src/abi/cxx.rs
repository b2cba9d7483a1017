//! `operator new` that throws: a loop around the new-handler, in assembly.
//!
//! An exception must not pass through a Rust frame (with `panic = "abort"` it would end the process), so the frames
//! that call the handler and `std::__throw_bad_alloc` are written by hand, with the unwinding information that lets
//! exceptions leave them. libstdc++'s functions are found through weak references: a program without it gets an abort
//! where C++ would throw. The hot path is `malloc`'s; this begins where that found no memory, or no list.

/// Defines `$new(size)` and `$new_aligned(size, align)`: allocation in C++'s sense. `$malloc(size)` and
/// `$memalign(align, size)` are the functions of C type that they call. The symbols are hidden: local to the library.
#[macro_export]
#[doc(hidden)]
macro_rules! __cxx_new {
    ($new:literal, $new_aligned:literal, $malloc:path, $memalign:path) => {
        ::core::arch::global_asm!(
            ".pushsection .text.hz3_cxx_new,\"ax\",@progbits",
            ".weak _ZSt15get_new_handlerv",
            ".weak _ZSt17__throw_bad_allocv",
            // rbx: size. r12: alignment, 0 for plain new.
            concat!(".globl ", $new),
            concat!(".hidden ", $new),
            concat!(".type ", $new, ", @function"),
            concat!($new, ":"),
            ".cfi_startproc",
            "push rbx",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset rbx, 0",
            "push r12",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset r12, 0",
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "xor r12d, r12d",
            "mov rbx, rdi",
            "2:",
            "test r12, r12",
            "jnz 3f",
            "mov rdi, rbx",
            "call {malloc}",
            "jmp 4f",
            "3:",
            "mov rdi, r12",
            "mov rsi, rbx",
            "call {memalign}",
            "4:",
            "test rax, rax",
            "jnz 5f",
            "mov rax, qword ptr [rip + _ZSt15get_new_handlerv@GOTPCREL]",
            "test rax, rax",
            "jz 6f",
            "call rax",
            "test rax, rax",
            "jz 6f",
            "call rax",
            "jmp 2b",
            "6:",
            "mov rax, qword ptr [rip + _ZSt17__throw_bad_allocv@GOTPCREL]",
            "test rax, rax",
            "jz 7f",
            "call rax",
            "7:",
            "ud2",
            "5:",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "pop r12",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore r12",
            "pop rbx",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore rbx",
            "ret",
            ".cfi_endproc",
            concat!(".size ", $new, ", . - ", $new),
            // The aligned form enters the same loop.
            concat!(".globl ", $new_aligned),
            concat!(".hidden ", $new_aligned),
            concat!(".type ", $new_aligned, ", @function"),
            concat!($new_aligned, ":"),
            ".cfi_startproc",
            "push rbx",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset rbx, 0",
            "push r12",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset r12, 0",
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "mov rbx, rdi",
            "mov r12, rsi",
            "jmp 3b",
            ".cfi_endproc",
            concat!(".size ", $new_aligned, ", . - ", $new_aligned),
            ".popsection",
            malloc = sym $malloc,
            memalign = sym $memalign,
        );
    };
}
