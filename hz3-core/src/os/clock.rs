//! The time, read from the page that the kernel maps into every process (the vDSO).
//!
//! Not by the C library's `clock_gettime`: tools interpose that one, too (see [`super::raw`]).

use super::raw;
use core::ffi::{CStr, c_char, c_int};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;

/// Address of the kernel's function; 0 if it was not looked for, [`NONE`] if there is none.
static FUNCTION: AtomicUsize = AtomicUsize::new(0);
const NONE: usize = 1;

#[cfg(target_arch = "x86_64")]
const NAME: &CStr = c"__vdso_clock_gettime";
#[cfg(not(target_arch = "x86_64"))]
const NAME: &CStr = c"__kernel_clock_gettime";

/// Milliseconds of a clock that is cheap to read and never goes back.
pub fn now_ms() -> u64 {
    let t = read(libc::CLOCK_MONOTONIC_COARSE);
    t.tv_sec as u64 * 1000 + t.tv_nsec as u64 / 1_000_000
}

/// Nanoseconds of a clock that never goes back.
pub fn now_ns() -> u64 {
    nanoseconds(read(libc::CLOCK_MONOTONIC))
}

/// Nanoseconds that the calling thread was on a processor. It takes a system call.
pub fn spent_ns() -> u64 {
    nanoseconds(read(libc::CLOCK_THREAD_CPUTIME_ID))
}

/// Nanoseconds since 1970, as the system has it.
pub fn wall_ns() -> u64 {
    nanoseconds(read(libc::CLOCK_REALTIME))
}

fn nanoseconds(t: libc::timespec) -> u64 {
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let function = match FUNCTION.load(Ordering::Relaxed) {
        0 => look(),
        known => known,
    };
    // SAFETY: `t` outlives the call; the address is that of the vDSO's function, which has this type in every kernel.
    unsafe {
        if function != NONE {
            transmute::<usize, ClockGettime>(function)(clock, &mut t);
        } else {
            raw::call(
                libc::SYS_clock_gettime,
                [clock as usize, &raw mut t as usize, 0, 0, 0, 0],
            );
        }
    }
    t
}

/// Looks for the function. Threads that come at the same time find the same.
#[cold]
fn look() -> usize {
    // SAFETY: the auxiliary vector names the vDSO's image, if there is one; it stays mapped as long as the process lives.
    let function = unsafe {
        match libc::getauxval(libc::AT_SYSINFO_EHDR) as usize {
            0 => None,
            image => symbol(image, NAME),
        }
    };
    let found = function.unwrap_or(NONE);
    FUNCTION.store(found, Ordering::Relaxed);
    found
}

/// The address of a function that an image in memory defines.
///
/// # Safety
/// `image` is the address of a whole, mapped ELF image for this machine, as the kernel made it.
unsafe fn symbol(image: usize, name: &CStr) -> Option<usize> {
    // SAFETY: the headers of a sound image lead to its tables, all of which lie inside of it; the symbol table's length is the
    // number of chains in its hash table.
    unsafe {
        let header = &*(image as *const libc::Elf64_Ehdr);
        let segments = core::slice::from_raw_parts(
            (image + header.e_phoff as usize) as *const libc::Elf64_Phdr,
            usize::from(header.e_phnum),
        );
        let load = segments.iter().find(|s| s.p_type == libc::PT_LOAD)?;
        let dynamic = segments.iter().find(|s| s.p_type == libc::PT_DYNAMIC)?;
        let moved = (image + load.p_offset as usize).wrapping_sub(load.p_vaddr as usize);
        let (mut names, mut symbols, mut hash) = (0, 0, 0);
        let mut entry = moved.wrapping_add(dynamic.p_vaddr as usize) as *const [usize; 2];
        loop {
            let [tag, value] = *entry;
            match tag {
                0 => break,
                DT_HASH => hash = moved.wrapping_add(value),
                DT_STRTAB => names = moved.wrapping_add(value),
                DT_SYMTAB => symbols = moved.wrapping_add(value),
                _ => {}
            }
            entry = entry.add(1);
        }
        if names == 0 || symbols == 0 || hash == 0 {
            return None;
        }
        let count = *(hash as *const u32).add(1) as usize;
        core::slice::from_raw_parts(symbols as *const libc::Elf64_Sym, count)
            .iter()
            .find(|s| s.st_shndx != 0 && CStr::from_ptr((names + s.st_name as usize) as *const c_char) == name)
            .map(|s| moved.wrapping_add(s.st_value as usize))
    }
}

const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn goes_with_the_system_clock() {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let before = now_ms();
        // SAFETY: `t` outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
        let there = t.tv_sec as u64 * 1000 + t.tv_nsec as u64 / 1_000_000;
        assert!(before <= there, "{before} ms after {there} ms");
        // The coarse clock is behind by a tick of the kernel at most, which is 10 ms where it is longest.
        assert!(there - before < 5000, "{before} ms, long before {there} ms");
        assert!(now_ms() >= before);
    }

    #[test]
    fn finds_nothing_that_is_not_there() {
        // SAFETY: as in `look`.
        unsafe {
            let image = libc::getauxval(libc::AT_SYSINFO_EHDR) as usize;
            if image != 0 {
                assert_eq!(symbol(image, c"no_such_function"), None);
            }
        }
    }
}
