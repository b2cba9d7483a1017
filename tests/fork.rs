//! `fork` in a Rust program: while a thread makes a variant's first allocation, and with a handler that was registered before
//! the variants' own and takes a lock under which other threads allocate; and what children draw.

#[path = "common/fixtures.rs"]
mod fixtures;

use fixtures::{Bank, Coloured, Narrow, Ring, Wide};
use hz3::core::abi::calls;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_long, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

hz3::variant!(Waiting = "tests/fixtures/wrapped.toml");

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn pthread_atfork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) -> c_int;
    fn pthread_mutex_lock(mutex: *mut [u64; 8]) -> c_int;
    fn pthread_mutex_unlock(mutex: *mut [u64; 8]) -> c_int;
    fn __pthread_key_create(key: *mut c_uint, destructor: Option<unsafe extern "C" fn(*mut c_void)>) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
}

/// The system call behind `fork`.
const CLONE: c_long = if cfg!(target_arch = "x86_64") { 56 } else { 220 };
const SIGCHLD: usize = 17;

/// Some objects of all kinds come and go.
fn use_heap(alloc: &impl GlobalAlloc) {
    for size in [16, 300, 5000, 40_000, 200_000, 3 << 20] {
        let layout = Layout::from_size_align(size, 16).unwrap();
        // SAFETY: the size is not 0, and the object is freed once, by the layout that it was asked for.
        unsafe {
            let p = alloc.alloc(layout);
            if p.is_null() {
                _exit(3);
            }
            p.write_bytes(1, size.min(5000));
            alloc.dealloc(p, layout);
        }
    }
}

/// Runs `f` in a child, which must leave with 0.
fn in_child(f: impl FnOnce()) {
    let mut status = -1;
    // SAFETY: the child ends here, without going back to the test that it is a copy of.
    unsafe {
        let pid = fork();
        assert!(pid >= 0, "fork fails");
        if pid == 0 {
            f();
            _exit(0);
        }
        assert_eq!(waitpid(pid, &mut status, 0), pid);
    }
    assert_eq!(status, 0, "a child ends with status {status:#x}");
}

/// How many processes [`first_use`] tries, and by how many turns of a loop each of them forks later than the one before. An emulator
/// takes longer for a process, and a hundred times as long for a start, as it translates the code first: some 200,000 turns.
fn spread() -> (u32, u32) {
    match std::env::var_os("HZ3_TEST_EMULATOR") {
        Some(_) => (40, 6000),
        None => (250, 20),
    }
}

/// Processes in which no one has used the variant yet: one thread does so for the first time, another one forks.
fn first_use(alloc: &'static (impl GlobalAlloc + Sync)) {
    let (processes, turns) = spread();
    for n in 0..processes {
        in_child(|| {
            let go = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !go.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                    use_heap(alloc);
                });
                go.store(true, Ordering::Relaxed);
                for _ in 0..n * turns {
                    std::hint::spin_loop();
                }
                in_child(|| use_heap(alloc));
            });
        });
    }
}

#[test]
fn a_process_may_be_copied_in_the_middle_of_its_start() {
    first_use(&Narrow);
    first_use(&Coloured);
    first_use(&Bank);
    first_use(&Ring);
}

/// Where a start is that [`pthread_key_create`] keeps in its middle: not to be kept, to be kept, kept, or let go.
static MIDDLE: AtomicU32 = AtomicU32::new(0);

/// In place of the C library's, which a variant calls as it starts.
///
/// # Safety
/// As for that one.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_key_create(
    key: *mut c_uint,
    destructor: Option<unsafe extern "C" fn(*mut c_void)>,
) -> c_int {
    if MIDDLE
        .compare_exchange(1, 2, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
    {
        while MIDDLE.load(Ordering::Relaxed) == 2 {
            std::hint::spin_loop();
        }
    }
    // SAFETY: as the caller says.
    unsafe { __pthread_key_create(key, destructor) }
}

/// A process is copied by a bare system call, so that no handler runs, while a thread starts the variant: the copy, which does not
/// have that thread, starts it anew.
fn copied_bare(alloc: &'static (impl GlobalAlloc + Sync)) {
    in_child(|| {
        MIDDLE.store(1, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| use_heap(alloc));
            while MIDDLE.load(Ordering::Relaxed) != 2 {
                std::hint::spin_loop();
            }
            // SAFETY: the copy has its own stack, as it has all else of its own, and ends here.
            let pid = unsafe { syscall(CLONE, SIGCHLD, 0usize, 0usize, 0usize, 0usize) } as c_int;
            if pid == 0 {
                use_heap(alloc);
                // SAFETY: the copy ends.
                unsafe { _exit(0) };
            }
            MIDDLE.store(3, Ordering::Relaxed);
            let mut status = -1;
            // SAFETY: the status outlives the call.
            let waited = unsafe { waitpid(pid, &mut status, 0) };
            if waited != pid || status != 0 {
                // SAFETY: this is a child, which may end anywhere.
                unsafe { _exit(4) };
            }
        });
    });
}

#[test]
fn a_process_may_be_copied_without_handlers_in_the_middle_of_its_start() {
    copied_bare(&Narrow);
    copied_bare(&Coloured);
    copied_bare(&Bank);
    copied_bare(&Ring);
}

/// A lock that the handlers below take: all zero is unlocked.
struct Mutex(UnsafeCell<[u64; 8]>);

// SAFETY: only the C library looks inside.
unsafe impl Sync for Mutex {}

static MUTEX: Mutex = Mutex(UnsafeCell::new([0; 8]));

extern "C" fn lock() {
    // SAFETY: the mutex lives as long as the process.
    unsafe { pthread_mutex_lock(MUTEX.0.get()) };
    use_heap(&Wide);
}

extern "C" fn unlock() {
    use_heap(&Wide);
    // SAFETY: this thread, or the one that it is a copy of, holds the mutex.
    unsafe { pthread_mutex_unlock(MUTEX.0.get()) };
}

/// Called before the variants register their handlers: in a fork, `lock` is called when their locks are taken already.
#[used]
#[unsafe(link_section = ".init_array.00000")]
static REGISTER: extern "C" fn() = {
    extern "C" fn register() {
        // SAFETY: the handlers are functions of this program.
        unsafe { pthread_atfork(lock, unlock, unlock) };
    }
    register
};

#[test]
fn a_handler_may_wait_for_a_thread_that_allocates() {
    let stop = AtomicBool::new(false);
    let object = Layout::new::<[u64; 100_000]>();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: as in `lock`; the object as in `use_heap`.
                unsafe {
                    pthread_mutex_lock(MUTEX.0.get());
                    let p = Wide.alloc(object);
                    Wide.dealloc(p, object);
                    pthread_mutex_unlock(MUTEX.0.get());
                }
            }
        });
        for _ in 0..40 {
            in_child(|| use_heap(&Wide));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_ne!(ptr::from_ref(&REGISTER), ptr::null());
}

/// What children of this process say, each for itself, of which `of` is the remainder by 127.
fn said(of: impl Fn() -> usize) -> Vec<c_int> {
    let child = || {
        let mut status = -1;
        // SAFETY: the child ends here.
        unsafe {
            let pid = fork();
            assert!(pid >= 0, "fork fails");
            if pid == 0 {
                _exit((of() % 127) as c_int);
            }
            assert_eq!(waitpid(pid, &mut status, 0), pid);
        }
        status
    };
    (0..8).map(|_| child()).collect()
}

fn differ(said: &[c_int]) -> bool {
    said.iter().any(|one| *one != said[0])
}

#[test]
fn children_draw_what_leaves_their_quarantine() {
    let take = |count| -> Vec<*mut u8> {
        // SAFETY: any size may be asked for.
        (0..count).map(|_| unsafe { calls::malloc::<Waiting>(64) }).collect()
    };
    let give = |objects: &[*mut u8]| {
        // SAFETY: they are freed once.
        objects.iter().for_each(|&p| unsafe { calls::free::<Waiting>(p) });
    };
    // It is full, and has drawn.
    give(&take(3000));
    let held = take(500);
    let said = said(|| {
        give(&held);
        take(100)
            .iter()
            .fold(0usize, |sum, p| (sum * 31 + (p.addr() >> 4)) % 8191)
    });
    give(&held);
    assert!(differ(&said), "all children draw the same: {said:?}");
}
