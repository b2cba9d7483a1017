//! What only some C libraries have, found by weak reference: bound when the library is loaded, so that looking here takes
//! no lock of the loader. What is absent does nothing.

use core::ffi::c_void;

/// The address of a symbol, null if the process has none of that name.
macro_rules! weak {
    ($name:literal) => {{
        #[allow(unused_mut)]
        let mut address = core::ptr::null::<c_void>();
        // SAFETY: reads the symbol's entry of the global offset table, which does not change once the library is loaded.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $name),
                concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        // SAFETY: as on x86-64.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $name),
                concat!("adrp {0}, :got:", $name),
                concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        address
    }};
}

pub(crate) use weak;

/// Whether the process has one thread as far as the C library knows. glibc goes by the same byte when it decides whether `fork`
/// takes locks. None where there is no such byte.
pub fn single_threaded() -> Option<bool> {
    let byte = weak!("__libc_single_threaded").cast::<u8>();
    if byte.is_null() {
        return None;
    }
    // SAFETY: the C library's byte lives as long as the process. It is written by a thread that is about to start the
    // second one, when there is nobody else who could read it here.
    Some(unsafe { byte.read_volatile() != 0 })
}

/// Takes the lock of the list of streams, which belongs to the calling thread then; it may be taken more than once.
pub fn lock_streams() {
    call(weak!("_IO_list_lock"));
}

/// Releases it.
pub fn unlock_streams() {
    call(weak!("_IO_list_unlock"));
}

/// Makes it free whatever it was.
pub fn reset_streams() {
    call(weak!("_IO_list_resetlock"));
}

fn call(function: *const c_void) {
    if !function.is_null() {
        // SAFETY: all three are functions without arguments or result, in every C library that has them.
        unsafe { core::mem::transmute::<*const c_void, unsafe extern "C" fn()>(function)() };
    }
}
