//! `heap`, of a Rust program whose global allocator is a variant: this one.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{hz3, root};

::hz3::variant!(
    /// This program's allocator.
    Alloc = "../configs/default.toml"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

#[test]
fn a_global_allocator_is_found() {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !matches!(scope.trim(), "" | "0") {
        eprintln!("ignored: kernel.yama.ptrace_scope is {}", scope.trim());
        return;
    }
    let objects: Vec<Box<[u8; 5000]>> = (0..3000).map(|_| Box::new([1; 5000])).collect();
    let huge = vec![1u8; 8 << 20];
    let pid = std::process::id().to_string();
    let json = hz3(&root(), &["heap", &pid, "--json"]).with(0).json();
    assert_eq!(json["variant"], "default");
    // Some lie in larger classes: these serve, too, before the heap grows.
    let serves = |row: &&serde_json::Value| (5000..6900).contains(&row["size"].as_u64().expect("a size"));
    let rows = json["summary"]["classes"].as_array().expect("rows").iter();
    let live: u64 = rows
        .filter(serves)
        .map(|row| row["live"].as_u64().expect("a number"))
        .sum();
    assert!((3000..3020).contains(&live), "{live}");
    assert!(json["summary"]["totals"]["huge_bytes"].as_u64() >= Some(8 << 20));
    drop((objects, huge));
}
