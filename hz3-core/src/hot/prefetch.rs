//! What `malloc` does about the next object of the list.

use crate::variant::Prefetch;

/// Nothing is prefetched.
pub struct NoPrefetch;

impl Prefetch for NoPrefetch {
    #[inline(always)]
    fn next(_: *mut u8) {}
}

/// The next object's first line is fetched, so that the next `malloc` finds its link.
pub struct PrefetchNext;

impl Prefetch for PrefetchNext {
    #[inline(always)]
    fn next(p: *mut u8) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch of any address, null included, has no effect that a program can see.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(p.cast())
        };
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as on x86-64.
        unsafe {
            core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) p, options(readonly, nostack, preserves_flags));
        }
    }
}
