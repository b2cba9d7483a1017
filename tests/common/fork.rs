//! Children of a fork, for tests of what ends a process or of what a fork leaves.

use std::ffi::c_int;

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// How the child of a fork ends that does this: its status, as `waitpid` has it; 0 if it returns.
pub fn ending(of: impl FnOnce()) -> c_int {
    // SAFETY: the child uses the heap, which fork keeps whole, and ends.
    unsafe {
        let child = fork();
        if child == 0 {
            let same = std::panic::catch_unwind(std::panic::AssertUnwindSafe(of));
            _exit(c_int::from(same.is_err()));
        }
        let mut status = -1;
        assert_eq!(waitpid(child, &mut status, 0), child);
        status
    }
}
