//! Lines of the processor's cache.

/// Asks for the line at an address, to write there soon. Nothing waits for it, and no program can see a difference: any address
/// will do.
#[inline(always)]
pub fn fetch(p: *mut u8) {
    // SAFETY: a prefetch reads and writes nothing, and never faults. Processors that do not know it do nothing.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("prefetchw [{}]", in(reg) p, options(nostack, preserves_flags, readonly));
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("prfm pstl1keep, [{}]", in(reg) p, options(nostack, preserves_flags, readonly));
    }
}
