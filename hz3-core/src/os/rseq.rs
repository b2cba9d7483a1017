//! Restartable sequences, as the C library has told the kernel of them.

use super::glibc::weak;
use super::raw;
use core::ffi::c_void;

/// Where a thread's area has what sequences need, in bytes from the thread pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// The word for the address of a descriptor.
    pub cs: i32,
    /// The number that the kernel writes: whoever reads it in a sequence is alone with it until the sequence ends.
    pub number: i32,
    /// All numbers are below.
    pub numbers: u32,
}

/// Byte offsets in an area, as the kernel defines them.
const CPU: i32 = 4;
const CS: i32 = 8;
const MM_CID: i32 = 24;
/// The area ends behind `flags` in the first version.
const FIRST: u32 = 20;
/// What the kernel knows of an area, in bytes.
const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
/// `membarrier`: the sequences of this process's threads that run now begin anew.
const PRIVATE_EXPEDITED_RSEQ: usize = 1 << 7;
/// The same is to be possible.
const REGISTER_PRIVATE_EXPEDITED_RSEQ: usize = 1 << 8;
/// Processors that a table is made for at the most: as many as a kernel of this machine can be made for.
const MOST: usize = 8192;

/// The area of this process's threads; None if the C library has registered none, or a kernel could write greater numbers than
/// tables are made for.
pub fn area() -> Option<Area> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let (offset, size) = (
        weak!("__rseq_offset").cast::<isize>(),
        weak!("__rseq_size").cast::<u32>(),
    );
    if offset.is_null() || size.is_null() {
        return None;
    }
    // SAFETY: the C library's constants, of these types by its documentation; it sets them before it runs anything of ours.
    let (offset, size) = unsafe { (offset.read_volatile(), size.read_volatile()) };
    if size < FIRST {
        return None;
    }
    let numbers = numbers()?;
    let offset = i32::try_from(offset).ok()?;
    // SAFETY: always safe to call.
    let known = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) };
    // The numbers of the processors that a process uses have no gaps. Where the C library names the least size it has an area of 32
    // bytes, all of which a kernel fills that knows what is in them.
    let number = if known >= MM_CID as u64 + 4 { MM_CID } else { CPU };
    Some(Area {
        cs: offset + CS,
        number: offset + number,
        numbers,
    })
}

/// A bound of the numbers of processors; None if it is greater than [`MOST`].
fn numbers() -> Option<u32> {
    let mut mask = [0u64; MOST / 64];
    let bytes = size_of_val(&mask);
    // SAFETY: the kernel writes into the mask, as many bytes as it says. It refuses one that is shorter than its own.
    let written = unsafe {
        raw::call(
            libc::SYS_sched_getaffinity,
            [0, bytes, mask.as_mut_ptr() as usize, 0, 0, 0],
        )
    };
    (written > 0 && written as usize <= bytes).then_some(written as u32 * 8)
}

/// Whether the kernel has been told of the calling thread's area.
///
/// # Safety
/// `area` is this process's.
pub unsafe fn is_registered(area: &Area) -> bool {
    // SAFETY: the area is in the thread's static storage.
    unsafe {
        let cpu = at(area.cs + CPU - CS).cast::<i32>().read_volatile();
        // Less than 0: the C library has not, or could not, register it.
        cpu >= 0 && at(area.number).cast::<u32>().read_volatile() < area.numbers
    }
}

/// The address that lies so far from this thread's thread pointer.
pub fn at(distance: i32) -> *mut u8 {
    let tp: *mut u8;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the thread pointer.
    unsafe {
        core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) tp, options(pure, readonly, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads the thread pointer.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) tp, options(pure, nomem, nostack, preserves_flags));
    }
    tp.wrapping_offset(distance as isize)
}

/// Makes [`restart`] possible, in a process that has one thread as a rule.
pub fn prepare_restart() {
    membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ);
}

/// Has all sequences of this process's threads that have begun by now end or begin anew, and orders what was written before it
/// against what they read. False if the kernel cannot do that.
pub fn restart() -> bool {
    if membarrier(PRIVATE_EXPEDITED_RSEQ) {
        return true;
    }
    // A child of fork may have to ask for it once more.
    prepare_restart();
    membarrier(PRIVATE_EXPEDITED_RSEQ)
}

fn membarrier(command: usize) -> bool {
    // SAFETY: the kernel touches no memory of ours for that.
    unsafe { raw::call(libc::SYS_membarrier, [command, 0, 0, 0, 0, 0]) == 0 }
}
