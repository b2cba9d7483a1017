//! How much memory this process may have, as the kernel says.

use super::raw;

/// Bytes of address space that this process may have (`RLIMIT_AS`); None if that is not limited.
pub fn address_space_limit() -> Option<usize> {
    limit(libc::RLIMIT_AS as usize)
}

/// Bytes that the first thread's stack may have (`RLIMIT_STACK`); None if that is not limited.
pub(super) fn of_stack() -> Option<usize> {
    limit(libc::RLIMIT_STACK as usize)
}

fn limit(of: usize) -> Option<usize> {
    let mut limit = [0u64; 2];
    // SAFETY: `limit` outlives the call, and is what the kernel calls `struct rlimit64`.
    let r = unsafe { raw::call(libc::SYS_prlimit64, [0, of, 0, &raw mut limit as usize, 0, 0]) };
    (r == 0 && limit[0] != u64::MAX).then_some(limit[0] as usize)
}

/// Bytes that no single request can exceed where the kernel refuses at all: those that this process may have, or all memory
/// and swap.
pub fn most_memory() -> usize {
    // SAFETY: plain numbers.
    let mut system: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is the kernel's, and outlives the call.
    let r = unsafe { raw::call(libc::SYS_sysinfo, [&raw mut system as usize, 0, 0, 0, 0, 0]) };
    let all = match r {
        0 => (system.totalram + system.totalswap) as usize * system.mem_unit as usize,
        _ => usize::MAX,
    };
    [libc::RLIMIT_AS, libc::RLIMIT_DATA]
        .into_iter()
        .filter_map(|of| limit(of as usize))
        .fold(all, usize::min)
}
