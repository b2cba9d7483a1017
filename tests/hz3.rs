//! `Hz3` as a program's allocator: it begins with the first allocation, and lives through threads and forks.

use std::os::unix::process::CommandExt;
use std::process::Command;

#[global_allocator]
static GLOBAL: hz3::Hz3 = hz3::Hz3;

/// Strings of many sizes, freed by who called.
fn words(n: usize) -> Vec<String> {
    (0..n).map(|n| "x".repeat(n % 3000)).collect()
}

#[test]
fn threads_and_forks_find_their_memory() {
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| words(20_000))).collect();
    for _ in 0..20 {
        let mut child = Command::new("true");
        // SAFETY: the child allocates between fork and exec, which is what is tested; the allocator supports it.
        unsafe {
            child.pre_exec(|| match words(2000).len() {
                2000 => Ok(()),
                _ => Err(std::io::ErrorKind::Other.into()),
            })
        };
        assert!(child.status().expect("it starts").success());
    }
    for thread in threads {
        assert_eq!(thread.join().expect("it ends").len(), 20_000);
    }
    let now = hz3::stats::<hz3::Hz3>();
    assert!(now.taken >= now.live() && now.threads >= 1, "{now:?}");
    hz3::trim::<hz3::Hz3>();
    assert!(hz3::stats::<hz3::Hz3>().pages_dirty <= now.pages_dirty);
}
