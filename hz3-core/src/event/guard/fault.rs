//! The handler of faults: it tells of those that have to do with the heap, and leaves all others to who handled them before.

use super::{account, fence, kept, stray};
use crate::os::fault;
use crate::policy::knobs::OnError;
use crate::sync::Ordering;
use crate::variant::Variant;
use core::ffi::{c_int, c_void};

/// Sees to it that faults are told, from now on: see [`Variant::watch`].
pub(super) fn catch<V: Variant>() {
    if let Some(watch) = V::watch()
        && watch.caught.load(Ordering::Relaxed) == 0
        && watch.caught.swap(1, Ordering::Relaxed) == 0
    {
        // SAFETY: the swap lets one in, once.
        unsafe { fault::catch(on_fault::<V>, &watch.before) };
    }
}

/// Ends that.
pub(super) fn release<V: Variant>() {
    if let Some(watch) = V::watch()
        && watch.caught.swap(0, Ordering::Relaxed) != 0
    {
        fault::release(on_fault::<V>, &watch.before);
    }
}

/// # Safety
/// It has the safe type that the kernel's table wants; it is called by the kernel, or by who handled faults after it.
extern "C" fn on_fault<V: Variant>(signal: c_int, info: *mut c_void, context: *mut c_void) {
    let Some(watch) = V::watch() else { return };
    // SAFETY: these are what a handler of faults gets.
    unsafe {
        let (p, write) = (fault::address(info), fault::is_write(context));
        match V::pen().filter(|pen| pen.contains(p)) {
            Some(pen) => {
                account::at_fault::<V>(pen, p, write);
                if V::POLICY.hardening.on_error == OnError::Continue && pen.let_through(p) {
                    return;
                }
            }
            None if kept::at_fault::<V>(p, write) || fence::at_fault::<V>(p, write) => {}
            None => {
                let at = fault::has_address(info).then_some(p.cast_const());
                stray::at_fault::<V>(at, fault::registers(context));
            }
        }
        // The program ends where it is, as it would without a handler: what is written of its end shows the place.
        fault::leave(&watch.before, signal, info, context);
    }
}
