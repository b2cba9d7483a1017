//! The operating system: the only module that calls libc.
//!
//! Every wrapper leaves `errno` as it was: `free` must not change it, and only the ABI layer sets it.

mod c_library;
mod maps;

pub use c_library::Malloc;
pub use maps::{Mapped, mapped_at};

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::AtomicU32;

/// Bytes of a page.
pub const PAGE: usize = 4096;

struct KeepErrno(c_int);

impl KeepErrno {
    fn new() -> Self {
        KeepErrno(errno())
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        set_errno(self.0);
    }
}

/// This thread's `errno`.
#[inline]
pub fn errno() -> c_int {
    // SAFETY: libc returns a valid, thread-local address for the life of the thread.
    unsafe { *libc::__errno_location() }
}

/// Sets this thread's `errno`.
#[inline]
pub fn set_errno(value: c_int) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = value }
}

/// What a mapping may be used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: address space only.
    None,
    /// Reading and writing; no swap is set aside for it.
    ReadWrite,
}

impl Access {
    fn prot(self) -> c_int {
        match self {
            Access::None => libc::PROT_NONE,
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// In tests: makes calls of this thread to the kernel fail, as if memory were out.
#[cfg(all(test, not(loom)))]
pub mod refuse {
    use core::cell::Cell;

    std::thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
        static FROM_TO: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    /// The calls `from..to`, counted from now on, fail.
    pub fn calls(from: u64, to: u64) {
        CALLS.set(0);
        FROM_TO.set((from, to));
    }

    /// How many calls there were since then.
    pub fn made() -> u64 {
        CALLS.get()
    }

    pub(super) fn this_one() -> bool {
        let n = CALLS.get();
        CALLS.set(n + 1);
        let (from, to) = FROM_TO.get();
        n >= from && n < to
    }
}

#[cfg(not(all(test, not(loom))))]
mod refuse {
    #[inline(always)]
    pub(super) fn this_one() -> bool {
        false
    }
}

/// Maps `bytes` of fresh zero pages, near `hint` if that is not 0. Null when the kernel refuses.
pub fn map(hint: usize, bytes: usize, access: Access) -> *mut u8 {
    if refuse::this_one() {
        return ptr::null_mut();
    }
    let _errno = KeepErrno::new();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: without MAP_FIXED an anonymous mapping touches no memory in use.
    let p = unsafe { libc::mmap(hint as *mut c_void, bytes, access.prot(), flags, -1, 0) };
    if p == libc::MAP_FAILED {
        ptr::null_mut()
    } else {
        p.cast()
    }
}

/// Maps `bytes` of zero pages whose address is a multiple of `align` (a power of two, at least a page). Null on refusal.
pub fn map_aligned(bytes: usize, align: usize, access: Access) -> *mut u8 {
    let Some(room) = bytes.checked_add(align) else {
        return ptr::null_mut();
    };
    let p = map(0, room, access);
    if p.is_null() {
        return p;
    }
    let start = (p as usize + align - 1) & !(align - 1);
    let before = start - p as usize;
    let after = room - before - bytes;
    // SAFETY: both trims lie in the mapping just made and outside of what is returned; nobody else knows them.
    unsafe {
        if before > 0 {
            unmap(p, before);
        }
        if after > 0 {
            unmap((start + bytes) as *mut u8, after);
        }
    }
    start as *mut u8
}

/// Gives a mapping back. The caller owns the whole range and nothing refers to it any more.
pub unsafe fn unmap(p: *mut u8, bytes: usize) {
    let _errno = KeepErrno::new();
    // SAFETY: the caller's contract.
    unsafe { libc::munmap(p.cast(), bytes) };
}

/// Makes a reserved range readable and writable. False when the kernel refuses (memory accounting, map count).
pub unsafe fn commit(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    let _errno = KeepErrno::new();
    // SAFETY: the caller owns the range; more access cannot break anybody.
    unsafe { libc::mprotect(p.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE) == 0 }
}

/// Gives the pages of a range back to the kernel; they read as zero afterwards. The caller owns the range and wants
/// nothing that is in it. False when the kernel refuses (locked pages): then the contents stay.
pub unsafe fn purge(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    let _errno = KeepErrno::new();
    // SAFETY: the caller's contract.
    unsafe { libc::madvise(p.cast(), bytes, libc::MADV_DONTNEED) == 0 }
}

/// Replaces a range by fresh zero pages in one mapping, so that it merges with its neighbours again. The caller owns it
/// and wants nothing that is in it.
pub unsafe fn remap_fresh(p: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    let _errno = KeepErrno::new();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    // SAFETY: the caller owns the whole range, so MAP_FIXED replaces nothing of anybody else.
    unsafe { libc::mmap(p.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) != libc::MAP_FAILED }
}

/// Moves the pages of `from` to `to` without copying; `from` stays mapped and reads as zero. Both ranges are `bytes`
/// long, do not overlap and belong to the caller. False when the kernel cannot (before Linux 5.7).
pub unsafe fn move_pages(from: *mut u8, to: *mut u8, bytes: usize) -> bool {
    if refuse::this_one() {
        return false;
    }
    const MREMAP_DONTUNMAP: c_int = 4;
    let _errno = KeepErrno::new();
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | MREMAP_DONTUNMAP;
    // SAFETY: the caller's contract.
    let p = unsafe { libc::mremap(from.cast(), bytes, bytes, flags, to.cast::<c_void>()) };
    p != libc::MAP_FAILED
}

/// Bytes of address space that this process may have (`RLIMIT_AS`); None if that is not limited.
pub fn address_space_limit() -> Option<usize> {
    let _errno = KeepErrno::new();
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` outlives the call.
    let r = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    (r == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
}

/// Huge-page advice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HugePages {
    /// Never.
    Never,
    /// Wherever the kernel can.
    Wanted,
}

/// Advises the kernel about huge pages in a range of the caller's; a refusal changes nothing.
pub unsafe fn advise(p: *mut u8, bytes: usize, huge: HugePages) {
    let _errno = KeepErrno::new();
    let advice = match huge {
        HugePages::Never => libc::MADV_NOHUGEPAGE,
        HugePages::Wanted => libc::MADV_HUGEPAGE,
    };
    // SAFETY: advice does not change contents.
    unsafe { libc::madvise(p.cast(), bytes, advice) };
}

/// Sleeps while `*word == expected`; may return early.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let _errno = KeepErrno::new();
    // SAFETY: the kernel only reads the word, and checks the address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// As [`futex_wait`], but for at most `micros` microseconds.
pub fn futex_wait_for(word: &AtomicU32, expected: u32, micros: u32) {
    let _errno = KeepErrno::new();
    let time = libc::timespec {
        tv_sec: i64::from(micros / 1_000_000),
        tv_nsec: i64::from(micros % 1_000_000) * 1000,
    };
    // SAFETY: the kernel only reads the word and the time, and checks both addresses.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            &raw const time,
        )
    };
}

/// Wakes all sleepers of `word`.
pub fn futex_wake_all(word: &AtomicU32) {
    let _errno = KeepErrno::new();
    // SAFETY: the kernel only uses the address as a key.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        )
    };
}

/// Wakes one sleeper of `word`.
pub fn futex_wake(word: &AtomicU32) {
    let _errno = KeepErrno::new();
    // SAFETY: the kernel only uses the address as a key.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        )
    };
}

/// Starts a detached thread with a small stack and all signals blocked. False if there cannot be one. May allocate.
pub fn start_thread(run: extern "C" fn(*mut c_void) -> *mut c_void) -> bool {
    /// Bytes of the stack: enough for the C library's own and for thread-local storage.
    const STACK: usize = 256 << 10;
    let _errno = KeepErrno::new();
    // SAFETY: all structures outlive their calls and are made by the C library before they are used; the thread needs
    // nothing of this frame.
    unsafe {
        let mut attributes = core::mem::zeroed::<libc::pthread_attr_t>();
        let (mut all, mut old) = (
            core::mem::zeroed::<libc::sigset_t>(),
            core::mem::zeroed::<libc::sigset_t>(),
        );
        if libc::pthread_attr_init(&mut attributes) != 0 {
            return false;
        }
        libc::pthread_attr_setstacksize(&mut attributes, STACK);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
        let mut thread: libc::pthread_t = 0;
        let r = libc::pthread_create(&mut thread, &attributes, run, ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, ptr::null_mut());
        libc::pthread_attr_destroy(&mut attributes);
        r == 0
    }
}

/// Sleeps.
pub fn sleep_ms(ms: u64) {
    let _errno = KeepErrno::new();
    let time = libc::timespec {
        tv_sec: (ms / 1000) as libc::time_t,
        tv_nsec: (ms % 1000 * 1_000_000) as libc::c_long,
    };
    // SAFETY: `time` outlives the call; a shorter sleep does no harm.
    unsafe { libc::nanosleep(&time, ptr::null_mut()) };
}

/// What tells this thread from all others that exist; the same in the child of a fork.
pub fn thread_identity() -> usize {
    // SAFETY: always safe to call.
    unsafe { libc::pthread_self() as usize }
}

/// This thread's number in the kernel.
pub fn thread_number() -> u32 {
    // SAFETY: always safe to call.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// This process's number in the kernel.
pub fn process_number() -> u32 {
    // SAFETY: always safe to call.
    unsafe { libc::syscall(libc::SYS_getpid) as u32 }
}

/// Whether a thread of this process sleeps where a signal could wake it: waits for a lock, say. False where the kernel does
/// not tell.
pub fn thread_sleeps(number: u32) -> bool {
    let _errno = KeepErrno::new();
    let mut path = *b"/proc/self/task/\0\0\0\0\0\0\0\0\0\0/stat\0";
    const FIRST: usize = b"/proc/self/task/".len();
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = &digits[at..];
    path[FIRST..FIRST + digits.len()].copy_from_slice(digits);
    path[FIRST + digits.len()..][..6].copy_from_slice(b"/stat\0");
    let mut text = [0; 128];
    // SAFETY: the path ends with a zero, the buffer outlives the call, and the descriptor is closed here.
    let got = unsafe {
        let file = libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if file < 0 {
            return false;
        }
        let got = libc::syscall(libc::SYS_read, file, text.as_mut_ptr(), text.len());
        libc::syscall(libc::SYS_close, file);
        got
    };
    // `12 (name) S …`; the name may hold anything, and is short.
    let text = text.get(..got.max(0) as usize).unwrap_or_default();
    let end = text.iter().rposition(|b| *b == b')').unwrap_or(text.len());
    text.get(end..).unwrap_or_default().starts_with(b") S")
}

/// A pthread key.
pub type Key = libc::pthread_key_t;

/// Makes a key whose destructor runs at thread exit. None when the process has no key left.
pub fn make_key(destructor: unsafe extern "C" fn(*mut c_void)) -> Option<Key> {
    let mut key: Key = 0;
    // SAFETY: `key` outlives the call.
    let r = unsafe { libc::pthread_key_create(&mut key, Some(destructor)) };
    (r == 0).then_some(key)
}

/// Stores `value` under `key` for this thread, so that its destructor runs with it. May allocate. False when the C library
/// has no memory for that.
///
/// The destructor can be called with `value`.
pub unsafe fn arm_key(key: Key, value: *const c_void) -> bool {
    let _errno = KeepErrno::new();
    // SAFETY: `key` is one of ours; the caller speaks for the value.
    unsafe { libc::pthread_setspecific(key, value) == 0 }
}

/// Registers fork handlers. May allocate.
pub fn at_fork(prepare: unsafe extern "C" fn(), parent: unsafe extern "C" fn(), child: unsafe extern "C" fn()) {
    let _errno = KeepErrno::new();
    // SAFETY: the handlers are functions for the life of this library, and the registration names its DSO.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
}

/// Milliseconds of a clock that is cheap to read and never goes back.
pub fn now_ms() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` outlives the call; the coarse clock is read without entering the kernel.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut t) };
    t.tv_sec as u64 * 1000 + t.tv_nsec as u64 / 1_000_000
}

/// Writes a line to standard error without allocating.
pub fn complain(parts: &[&[u8]]) {
    for part in parts {
        // SAFETY: the slice is readable for its length.
        unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
    }
}

/// Ends the process after a message.
pub fn die(message: &[u8]) -> ! {
    complain(&[b"hz3: ", message, b"\n"]);
    // SAFETY: always safe to call.
    unsafe { libc::abort() }
}

/// No memory.
pub const ENOMEM: c_int = libc::ENOMEM;
/// A bad argument.
pub const EINVAL: c_int = libc::EINVAL;

/// Makes a key without a destructor.
pub fn make_plain_key() -> Option<Key> {
    let mut key: Key = 0;
    // SAFETY: `key` outlives the call.
    let r = unsafe { libc::pthread_key_create(&mut key, None) };
    (r == 0).then_some(key)
}

/// What this thread stored under `key`; null if nothing.
pub fn key_value(key: Key) -> *mut u8 {
    // SAFETY: `key` came from `make_plain_key`.
    unsafe { libc::pthread_getspecific(key).cast() }
}
