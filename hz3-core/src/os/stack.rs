//! Call stacks: by frame pointers, or by the unwinding tables.

use super::glibc::weak;
use super::{KeepErrno, limits, maps, rseq};
use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ops::Range;

/// What the unwinder calls for each frame.
type Visit = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

/// The code of the object that holds this function, which stacks leave out. Empty if it cannot be told.
pub fn own_code() -> Range<usize> {
    let mut start: usize;
    // The linker's name for the first byte of the object, as it is mapped.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: computes an address.
    unsafe {
        core::arch::asm!(
            ".hidden __ehdr_start",
            "lea {}, [rip + __ehdr_start]",
            out(reg) start,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: computes an address.
    unsafe {
        core::arch::asm!(
            ".hidden __ehdr_start",
            "adrp {0}, __ehdr_start",
            "add {0}, {0}, :lo12:__ehdr_start",
            out(reg) start,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    // SAFETY: a loaded object begins with its header, and its program headers lie in the same segment; the first segment of
    // memory has the lowest address, from which all others count.
    unsafe {
        let header = &*core::ptr::with_exposed_provenance::<libc::Elf64_Ehdr>(start);
        let first = core::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(start + header.e_phoff as usize);
        let segments = core::slice::from_raw_parts(first, usize::from(header.e_phnum));
        let mut loaded = segments.iter().filter(|segment| segment.p_type == libc::PT_LOAD);
        let lowest = loaded.clone().next().map_or(0, |segment| segment.p_vaddr as usize);
        let inside = own_code as *const () as usize;
        loaded
            .find_map(|segment| {
                let at = start.wrapping_add(segment.p_vaddr as usize).wrapping_sub(lowest);
                let code = at..at + segment.p_memsz as usize;
                code.contains(&inside).then_some(code)
            })
            .unwrap_or(0..0)
    }
}

/// A stack as it is being read: addresses of calls, the innermost first. What lies in `skip` is left out until the first one
/// that does not.
pub struct Frames<'a> {
    calls: &'a mut [usize],
    count: usize,
    skip: Range<usize>,
}

impl<'a> Frames<'a> {
    /// None yet.
    pub fn new(calls: &'a mut [usize], skip: Range<usize>) -> Self {
        Frames { calls, count: 0, skip }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the call before a return address. False if there is no room for more.
    fn add(&mut self, back: usize) -> bool {
        if self.count == 0 && self.skip.contains(&back) {
            return true;
        }
        let Some(place) = self.calls.get_mut(self.count) else {
            return false;
        };
        // The call itself, not what comes after it: that may be another line, or another function.
        *place = back.wrapping_sub(1);
        self.count += 1;
        self.count < self.calls.len()
    }
}

/// The unwinder's function; null if no library of the process has it.
fn unwinder() -> *const c_void {
    weak!("_Unwind_Backtrace")
}

/// Reads this thread's stack by the unwinding tables. May allocate, and takes a lock of the loader's with C libraries before
/// glibc 2.35.
pub fn unwind(frames: &mut Frames<'_>) {
    type Backtrace = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
    let function = unwinder();
    if function.is_null() {
        return;
    }
    let _errno = KeepErrno::new();
    // SAFETY: the function's type in every unwinder; the callback is called before it returns, with the frames.
    unsafe { transmute::<*const c_void, Backtrace>(function)(visit, (frames as *mut Frames<'_>).cast()) };
}

/// # Safety
/// Called by the unwinder, with its context and a pointer to [`Frames`].
unsafe extern "C" fn visit(context: *mut c_void, data: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const STOP: c_int = 5;
    type Address = unsafe extern "C" fn(*mut c_void) -> usize;
    let function = weak!("_Unwind_GetIP");
    if function.is_null() {
        return STOP;
    }
    // SAFETY: the function's type in every unwinder, and its context; the data is what `unwind` passed.
    unsafe {
        let back = transmute::<*const c_void, Address>(function)(context);
        let more = back != 0 && (*data.cast::<Frames<'_>>()).add(back);
        if more { GO_ON } else { STOP }
    }
}

/// Reads this thread's stack by frame pointers: each frame begins with the address of the one before it, and the address to
/// return to. Ends where that cannot be: nothing is read but between this function's own frame and the end of the thread's
/// `stack`, and nothing at all if this runs on another one.
// In place, so that it is compiled as its caller is: with frame pointers, if that is.
#[inline(always)]
pub fn walk(frames: &mut Frames<'_>, stack: &Range<usize>) {
    let mut frame: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    const WORD: usize = size_of::<usize>();
    let mut below = (&raw const frame).addr();
    if !stack.contains(&below) {
        return;
    }
    while frame > below && frame.is_multiple_of(WORD) && frame.saturating_add(2 * WORD) <= stack.end {
        // SAFETY: both words lie between this function's own frame and the end of the stack that it is on, which is memory as
        // long as the thread runs.
        let (before, back) = unsafe {
            let at = core::ptr::with_exposed_provenance::<usize>(frame);
            (at.read_volatile(), at.add(1).read_volatile())
        };
        if back == 0 || !frames.add(back) {
            return;
        }
        (below, frame) = (frame, before);
    }
}

/// This thread's stack, as far as its frames may lie in it; empty if it is not known, or if this is another stack, such as a signal's or
/// a coroutine's. Allocates nothing, and asks the C library nothing: its `pthread_getattr_np` has a lock of the thread while it allocates
/// itself, so that who asks it in an event may wait for that forever.
pub fn bounds() -> Range<usize> {
    let local = 0u8;
    let here = (&raw const local).addr();
    let own = rseq::at(0).addr();
    let (mut before, mut found) = (0, 0..0);
    maps::each_mapping(|mapping| {
        if !(mapping.start..mapping.end).contains(&here) {
            before = mapping.end;
            return true;
        }
        if mapping.name() == b"[stack]" {
            // The first thread's. It grows, down to its limit or to what lies before it.
            let lowest = limits::of_stack().map_or(0, |most| mapping.end.saturating_sub(most));
            found = lowest.max(before).min(mapping.start)..mapping.end;
        } else if (here..mapping.end).contains(&own) {
            // Another thread's has what the C library knows of the thread at its top. What is behind that may be anybody's.
            found = mapping.start..own;
        }
        false
    });
    found
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[inline(never)]
    fn depth(n: usize, read: &mut dyn FnMut()) {
        if n == 0 {
            read();
        } else {
            depth(n - 1, read);
            core::hint::black_box(n);
        }
    }

    #[test]
    fn the_unwinder_finds_callers() {
        let mut calls = [0; 64];
        let mut count = 0;
        depth(20, &mut || {
            let mut frames = Frames::new(&mut calls, 0..0);
            unwind(&mut frames);
            count = frames.count();
        });
        let own = own_code();
        assert!(count > 20, "{count}");
        assert!(calls[..20].iter().all(|call| own.contains(call)), "{own:?}: {calls:x?}");
        // All of this program is left out, up to the first frame that is not its own.
        let mut few = [0; 3];
        let mut frames = Frames::new(&mut few, own.clone());
        unwind(&mut frames);
        assert!(frames.count() == 0 || !own.contains(&(few[0] + 1)));
    }

    #[test]
    fn walking_by_frame_pointers_never_leaves_the_stack() {
        let whole = bounds();
        let here = (&raw const whole).addr();
        assert!(whole.contains(&here));
        for stack in [whole.clone(), whole.start..here, 0..0, 0..here, here..whole.end] {
            let mut calls = [0; 64];
            depth(5, &mut || walk(&mut Frames::new(&mut calls, 0..0), &stack));
        }
    }

    /// What the C library says of this thread's stack.
    fn told() -> Range<usize> {
        // SAFETY: plain numbers.
        let mut known: libc::pthread_attr_t = unsafe { core::mem::zeroed() };
        let (mut lowest, mut bytes) = (core::ptr::null_mut(), 0);
        // SAFETY: the attributes are filled by the first call, and given back by the last.
        unsafe {
            assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), &mut known), 0);
            assert_eq!(libc::pthread_attr_getstack(&known, &mut lowest, &mut bytes), 0);
            libc::pthread_attr_destroy(&mut known);
        }
        lowest.addr()..lowest.addr() + bytes
    }

    #[test]
    fn a_threads_stack_ends_where_it_does_for_the_c_library() {
        let look = || {
            let (own, told) = (bounds(), told());
            let here = (&raw const own).addr();
            assert!(own.contains(&here) && own.end <= told.end, "{own:x?}, {told:x?}");
            assert!(told.end - own.end < 64 << 10, "{own:x?}, {told:x?}");
        };
        look();
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(look)
            .expect("a thread")
            .join()
            .expect("its stack is known");
    }
}
