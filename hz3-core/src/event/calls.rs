//! The call stack of this thread, read as the config says.

use crate::list;
use crate::os::stack::{self, Frames};
use crate::policy::agreed::DEPTH_MAX;
use crate::policy::knobs::Stacks;
use crate::variant::Variant;

/// Makes a thread's stack readable: notes in `bounds` where it lies, if that is needed. To be called once in a thread; `first` in
/// one thread at least. `busy` is true meanwhile, as it may allocate.
///
/// # Safety
/// Both pointers are to what only this thread writes and reads.
pub(super) unsafe fn begin<V: Variant>(busy: *mut bool, bounds: *mut (usize, usize), first: bool) {
    // SAFETY: both are this thread's.
    unsafe {
        *busy = true;
        list::keep_order();
        match V::POLICY.stats.stacks {
            Stacks::Off => {}
            Stacks::FramePointers => {
                let found = stack::bounds();
                *bounds = (found.start, found.end);
            }
            // Its first call may allocate, and take locks of the loader's: better now than in the middle of an event.
            Stacks::Unwinder if first => stack::unwind(&mut Frames::new(&mut [0; 2], 0..0)),
            Stacks::Unwinder => {}
        }
        list::keep_order();
        *busy = false;
    }
}

/// Reads this thread's stack, the innermost call first. `busy` is true meanwhile.
///
/// # Safety
/// As for [`begin`], which was called in this thread and has written `bounds`.
// In place, as the walk by frame pointers begins in the caller's frame.
#[inline(always)]
pub(super) unsafe fn read<V: Variant>(
    busy: *mut bool,
    bounds: (usize, usize),
    calls: &mut [usize; DEPTH_MAX],
) -> &[usize] {
    let depth = (V::POLICY.stats.depth as usize).min(DEPTH_MAX);
    // In a program of Rust's the whole program is the object that holds this.
    let own = if V::INTERPOSES { stack::own_code() } else { 0..0 };
    let mut frames = Frames::new(calls.get_mut(..depth).unwrap_or_default(), own);
    match V::POLICY.stats.stacks {
        Stacks::Off => {}
        Stacks::FramePointers => stack::walk(&mut frames, &(bounds.0..bounds.1)),
        // SAFETY: it is this thread's.
        Stacks::Unwinder => unsafe {
            *busy = true;
            list::keep_order();
            stack::unwind(&mut frames);
            list::keep_order();
            *busy = false;
        },
    }
    let count = frames.count();
    calls.get(..count).unwrap_or_default()
}
