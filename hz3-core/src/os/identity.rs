//! Which thread this is, which process, and what another thread does.

use super::raw;

/// What tells this thread from all others that exist; the same in the child of a fork.
pub fn thread_identity() -> usize {
    // SAFETY: always safe to call.
    unsafe { libc::pthread_self() as usize }
}

/// This thread's number in the kernel.
pub fn thread_number() -> u32 {
    // SAFETY: the call touches no memory.
    unsafe { raw::call(libc::SYS_gettid, [0; 6]) as u32 }
}

/// This process's number in the kernel.
pub fn process_number() -> u32 {
    // SAFETY: the call touches no memory.
    unsafe { raw::call(libc::SYS_getpid, [0; 6]) as u32 }
}

/// The memory node (NUMA) of the processor that this thread runs on; 0 where the kernel does not tell.
pub fn node() -> usize {
    let (mut node, no_processor, no_cache) = (0u32, 0, 0);
    // SAFETY: the kernel writes one number, which outlives the call.
    let said = unsafe {
        raw::call(
            libc::SYS_getcpu,
            [no_processor, &raw mut node as usize, no_cache, 0, 0, 0],
        )
    };
    if said == 0 { node as usize } else { 0 }
}

/// The number of the process that started this one.
pub fn parent_number() -> u32 {
    // SAFETY: the call touches no memory.
    unsafe { raw::call(libc::SYS_getppid, [0; 6]) as u32 }
}

/// How many threads this process has; None where the kernel does not tell.
pub fn process_threads() -> Option<u64> {
    // SAFETY: plain numbers.
    let mut folder: libc::stat = unsafe { core::mem::zeroed() };
    let path = c"/proc/self/task".as_ptr() as usize;
    let arguments = [libc::AT_FDCWD as usize, path, &raw mut folder as usize, 0, 0, 0];
    // SAFETY: the path is a C string, and the structure the kernel's, which outlives the call.
    let said = unsafe { raw::call(libc::SYS_newfstatat, arguments) };
    // A folder has a link in the one above, one in itself, and one in each folder that it holds: one for each thread.
    (said == 0).then(|| (folder.st_nlink as u64).saturating_sub(2))
}

/// Whether the calling thread is the only one of the process, as far as the kernel knows, but for a bare one, whose number `bare`
/// gives: 0 if it is not there. False if the kernel does not tell.
pub fn is_only_thread(bare: impl Fn() -> u32) -> bool {
    let before = bare();
    let threads = process_threads();
    // One whose number stands there before and after was counted: the kernel clears the number first.
    let counted = before != 0 && bare() == before;
    threads == Some(1 + u64::from(counted))
}

/// Whether a thread of this process sleeps where a signal could wake it: waits for a lock, say. False where the kernel does
/// not tell.
pub fn thread_sleeps(number: u32) -> bool {
    let mut digits = [b'0'; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let text = b"/proc/self/task/"
        .iter()
        .chain(digits.iter().skip(zeros))
        .chain(b"/stat");
    let mut path = [0u8; 40]; // Zeroes stay at the end.
    for (to, from) in path.iter_mut().zip(text) {
        *to = *from;
    }
    let mut text = [0u8; 128];
    // SAFETY: the path ends with a zero, the buffer outlives the call, and the descriptor is closed here.
    let got = unsafe {
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
        let file = raw::call(
            libc::SYS_openat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0],
        );
        if raw::failed(file) {
            return false;
        }
        let file = file as usize;
        let got = raw::call(libc::SYS_read, [file, text.as_mut_ptr() as usize, text.len(), 0, 0, 0]);
        raw::call(libc::SYS_close, [file, 0, 0, 0, 0, 0]);
        got
    };
    // `12 (name) S …`; the name may hold anything, and is short.
    let text = text.get(..got.max(0) as usize).unwrap_or_default();
    let end = text.iter().rposition(|b| *b == b')').unwrap_or(text.len());
    text.get(end..).unwrap_or_default().starts_with(b") S")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn threads_are_counted() {
        let (there, done) = (Barrier::new(4), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    there.wait();
                    done.wait();
                });
            }
            there.wait();
            // Other tests run at the same time.
            let many = process_threads();
            done.wait();
            assert!(many.is_none_or(|many| many >= 4), "{many:?}");
        });
    }
}
