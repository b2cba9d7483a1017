//! `operator new`'s way of being out of memory: the new-handler in a loop, then `std::bad_alloc`. In assembly.
//!
//! An exception must not pass through a Rust frame (with `panic = "abort"` it would end the process), so the frames that
//! call the handler and `std::__throw_bad_alloc` are written by hand, with the unwinding tables that let exceptions
//! leave them; the nothrow forms have a table that catches everything, as the standard wants. The hot path is `malloc`'s;
//! this begins where that found no object at hand.
//!
//! The functions of the C++ library are looked for when they are needed, from the caller's point of view
//! ([`function_near`]): a C program may load a plugin in C++ at any time, and its library with it, and close both again. Where
//! there is none, nobody could catch an exception: the process ends with a message. In a program that is linked statically,
//! where nobody can look for a name, they are those that were linked into it.

#[cfg(target_arch = "aarch64")]
mod aarch64;

use crate::os::{die, glibc::weak, symbols::function_near};
use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute;

/// The function of this name that is nearest, or else the one that was linked into this object.
macro_rules! function {
    ($name:literal, $near:expr) => {
        match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
            Ok(name) => function_near(name, $near),
            Err(_) => None,
        }
        .or_else(|| {
            fn linked() -> usize {
                weak!($name) as usize
            }
            Some(linked()).filter(|address| *address != 0)
        })
    };
}

/// What an exception of any language begins with (Itanium C++ ABI).
#[repr(C)]
pub struct Exception {
    class: u64,
    /// Lies in the library that threw it.
    cleanup: usize,
}

/// The address of the new-handler that is installed; 0 if there is none. `asking` is an address in the caller's code.
pub extern "C" fn new_handler(asking: usize) -> usize {
    match function!("_ZSt15get_new_handlerv", asking) {
        // SAFETY: the function's type in every C++ library that has it; it throws nothing.
        Some(get) => unsafe { transmute::<usize, extern "C" fn() -> usize>(get)() },
        None => 0,
    }
}

/// The address of the function that throws `std::bad_alloc`.
pub extern "C" fn thrower(asking: usize) -> usize {
    function!("_ZSt17__throw_bad_allocv", asking).unwrap_or_else(|| {
        die(b"operator new: out of memory, and no C++ library is loaded that could throw std::bad_alloc")
    })
}

/// The personality of the nothrow forms' frames: that of the library whose exception passes, if it has one. The frame is
/// passed over otherwise.
///
/// # Safety
/// Called by the C++ runtime's unwinder, with what it passes to a personality.
pub unsafe extern "C" fn personality(
    version: c_int,
    actions: c_int,
    class: u64,
    exception: *mut Exception,
    context: *mut c_void,
) -> c_int {
    const CONTINUE_UNWIND: c_int = 8;
    type Personality = unsafe extern "C" fn(c_int, c_int, u64, *mut Exception, *mut c_void) -> c_int;
    // SAFETY: the unwinder passes an exception and what belongs to it; the types are the ABI's.
    unsafe {
        match function!("__gxx_personality_v0", (*exception).cleanup) {
            Some(found) => transmute::<usize, Personality>(found)(version, actions, class, exception, context),
            None => CONTINUE_UNWIND,
        }
    }
}

/// Ends an exception that was caught.
///
/// # Safety
/// `exception` is one that was caught, and that nobody has ended.
pub unsafe extern "C" fn caught(exception: *mut Exception) {
    // SAFETY: the landing pad passes the exception that it was reached with, once; the types are the ABI's.
    unsafe {
        let near = (*exception).cleanup;
        let (begin, end) = (function!("__cxa_begin_catch", near), function!("__cxa_end_catch", near));
        if let (Some(begin), Some(end)) = (begin, end) {
            transmute::<usize, unsafe extern "C" fn(*mut Exception) -> *mut c_void>(begin)(exception);
            transmute::<usize, unsafe extern "C" fn()>(end)();
        }
    }
}

/// Where the personality stands, and the assembler's macro `hz3_cxx_catch_all`, which begins a function whose landing pad catches
/// everything.
#[macro_export]
#[doc(hidden)]
macro_rules! __cxx_catch_all {
    () => {
        concat!(
            ".pushsection .data.rel.ro.hz3_personality,\"aw\",@progbits\n",
            ".p2align 3\n",
            ".Lhz3_personality: .quad {personality}\n",
            ".popsection\n",
            // No base for landing pads, 4-byte types; one call site for the whole function, whose only action is to
            // catch the type 0: everything.
            ".macro hz3_cxx_catch_all name\n",
            ".pushsection .gcc_except_table.hz3_\\name,\"a\",@progbits\n",
            ".Lhz3_lsda_\\name:\n",
            ".byte 0xff, 0x03\n",
            ".uleb128 .Lhz3_types_\\name - .Lhz3_lsda_body_\\name\n",
            ".Lhz3_lsda_body_\\name:\n",
            ".byte 0x01\n",
            ".uleb128 .Lhz3_sites_end_\\name - .Lhz3_sites_\\name\n",
            ".Lhz3_sites_\\name:\n",
            ".uleb128 0\n",
            ".uleb128 .Lhz3_end_\\name - .Lhz3_\\name\n",
            ".uleb128 .Lhz3_landing_\\name - .Lhz3_\\name\n",
            ".uleb128 1\n",
            ".Lhz3_sites_end_\\name:\n",
            ".byte 1, 0\n",
            ".p2align 2\n",
            ".long 0\n",
            ".Lhz3_types_\\name:\n",
            ".popsection\n",
            ".cfi_personality 0x9b, .Lhz3_personality\n",
            ".cfi_lsda 0x1b, .Lhz3_lsda_\\name\n",
            ".Lhz3_\\name:\n",
            ".endm\n",
        )
    };
}

/// Defines five functions for memory in C++'s sense: `$new(size)`, `$new_aligned(size, align)`, their nothrow forms, which
/// return null where the others throw, and `$replaced`, which calls the function in `rax` with its own arguments and returns
/// null where that throws. `$malloc(size)` and `$memalign(align, size)` are the functions of C type that they call. The
/// symbols are hidden: local to the library.
#[cfg(target_arch = "x86_64")]
#[macro_export]
#[doc(hidden)]
macro_rules! __cxx_new {
    ($new:literal, $new_aligned:literal, $nothrow:literal, $nothrow_aligned:literal, $replaced:literal, $malloc:path, $memalign:path) => {
        ::core::arch::global_asm!(
            $crate::__cxx_catch_all!(),
            ".pushsection .text.hz3_cxx_new,\"ax\",@progbits",
            // In all four: rbp is the frame, for whoever reads the stack by frame pointers; rbx is the size, r12 the alignment or
            // 0, and the caller's address stands 24 bytes above rsp.
            ".macro hz3_cxx_enter name",
            ".globl \\name",
            ".hidden \\name",
            ".type \\name, @function",
            "\\name:",
            "push rbp",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset rbp, 0",
            "mov rbp, rsp",
            "push rbx",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset rbx, 0",
            "push r12",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_rel_offset r12, 0",
            "mov rbx, rdi",
            ".endm",
            // Until there is memory or no handler. `aligned` is where the aligned form comes in.
            ".macro hz3_cxx_loop aligned",
            "xor r12d, r12d",
            "2:",
            "test r12, r12",
            "jnz 3f",
            "mov rdi, rbx",
            "call {malloc}",
            "jmp 4f",
            "\\aligned:",
            "mov r12, rsi",
            "3:",
            "mov rdi, r12",
            "mov rsi, rbx",
            "call {memalign}",
            "4:",
            "test rax, rax",
            "jnz 5f",
            "mov rdi, qword ptr [rsp + 24]",
            "call {new_handler}",
            "test rax, rax",
            "jz 6f",
            "call rax",
            "jmp 2b",
            ".endm",
            ".macro hz3_cxx_leave",
            "5:",
            "pop r12",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore r12",
            "pop rbx",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore rbx",
            "pop rbp",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore rbp",
            "ret",
            ".endm",
            ".cfi_startproc",
            concat!("hz3_cxx_enter ", $new),
            "hz3_cxx_loop .Lhz3_new_aligned",
            "6:",
            "mov rdi, qword ptr [rsp + 24]",
            "call {thrower}",
            "call rax",
            "ud2",
            "hz3_cxx_leave",
            ".cfi_endproc",
            ".cfi_startproc",
            concat!("hz3_cxx_enter ", $new_aligned),
            "jmp .Lhz3_new_aligned",
            ".cfi_endproc",
            ".cfi_startproc",
            "hz3_cxx_catch_all nothrow",
            concat!("hz3_cxx_enter ", $nothrow),
            "hz3_cxx_loop .Lhz3_nothrow_aligned",
            ".cfi_remember_state",
            "6:",
            "xor eax, eax",
            "hz3_cxx_leave",
            ".cfi_restore_state",
            ".Lhz3_landing_nothrow:",
            "mov rdi, rax",
            "call {caught}",
            "jmp 6b",
            ".Lhz3_end_nothrow:",
            ".cfi_endproc",
            ".cfi_startproc",
            concat!("hz3_cxx_enter ", $nothrow_aligned),
            "jmp .Lhz3_nothrow_aligned",
            ".cfi_endproc",
            ".cfi_startproc",
            "hz3_cxx_catch_all replaced",
            concat!(".globl ", $replaced),
            concat!(".hidden ", $replaced),
            concat!(".type ", $replaced, ", @function"),
            concat!($replaced, ":"),
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "call rax",
            "8:",
            "add rsp, 8",
            ".cfi_remember_state",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_restore_state",
            ".Lhz3_landing_replaced:",
            "mov rdi, rax",
            "call {caught}",
            "xor eax, eax",
            "jmp 8b",
            ".Lhz3_end_replaced:",
            ".cfi_endproc",
            ".purgem hz3_cxx_catch_all",
            ".purgem hz3_cxx_enter",
            ".purgem hz3_cxx_loop",
            ".purgem hz3_cxx_leave",
            ".popsection",
            malloc = sym $malloc,
            memalign = sym $memalign,
            new_handler = sym $crate::abi::cxx::new_handler,
            thrower = sym $crate::abi::cxx::thrower,
            personality = sym $crate::abi::cxx::personality,
            caught = sym $crate::abi::cxx::caught,
        );
    };
}
