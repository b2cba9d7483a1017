//! `heap`, `profile` and `inspect`, of a Rust program with two variants, one of which is its global allocator: this one.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Cleanup, hz3, root};
use std::alloc::{GlobalAlloc, Layout};

::hz3::variant!(
    /// This program's allocator.
    Alloc = "../configs/default.toml"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

::hz3::variant!(
    /// What some of its objects come from.
    Sampled = "tests/fixtures/sampled.toml"
);

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
    let json = hz3(&root(), &["heap", &pid, "--variant", "default", "--json"])
        .with(0)
        .json();
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

/// Objects of the second variant, as long as this lives.
struct Held(Vec<*mut u8>);

impl Held {
    const LAYOUT: Layout = match Layout::from_size_align(3000, 8) {
        Ok(layout) => layout,
        Err(_) => panic!("a bad layout"),
    };

    fn new(count: usize) -> Self {
        // SAFETY: the layout has a size.
        Self((0..count).map(|_| unsafe { Sampled.alloc(Self::LAYOUT) }).collect())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for p in self.0.drain(..) {
            // SAFETY: the object came from there with this layout, and is this one's alone.
            unsafe { Sampled.dealloc(p, Self::LAYOUT) };
        }
    }
}

#[test]
fn a_variant_in_a_program_is_asked_for_its_profile() {
    let pid = std::process::id();
    // Paths of profiles are relative to where the program was started: the crate's folder.
    let _cleanup = Cleanup(vec![root().join(format!("target/sampled-{pid}.pb"))]);
    let held = Held::new(8000);
    let pid = pid.to_string();
    let ask = |more: &[&str]| hz3(&root(), &[&["profile", &pid, "--format", "json"], more].concat());
    for more in [&[][..], &["--variant", "sampled"]] {
        let json = ask(more).with(0).json();
        assert_eq!((&json["config"], &json["level"]), (&"sampled".into(), &"in-use".into()));
        // 24 MB, sampled every 16 KiB: some 1,300 samples of 8,000 objects, so 3 % is a deviation.
        let bytes = json["in_use"]["bytes"]["value"].as_f64().expect("a number");
        assert!((bytes / 24e6 - 1.0).abs() < 0.15, "{}", json["in_use"]);
    }
    // The global allocator records nothing, and the third one is not there.
    ask(&["--variant", "default"])
        .with(1)
        .tells("records nothing")
        .tells("set stats.record = \"sample\"");
    ask(&["--variant", "compact"])
        .with(2)
        .tells("no variant `compact` in process")
        .tells("`default`");

    let statistics = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect(text);
    let mut buffer = [0; 16 << 10];
    let sampler = statistics(::hz3::stats_json::<Sampled>(&mut buffer))["sampler"].clone();
    let number = |key: &str| sampler[key].as_u64().expect(key);
    assert!((800..2000).contains(&number("live")), "{sampler}");
    let told = (number("sample_bytes"), number("pause_us"), number("room"));
    assert_eq!(told, (16 << 10, 0, 8192));
    assert_eq!((number("dropped"), number("spaced")), (0, 0));
    assert!(number("threads") >= 1 && number("table_bytes") > 1 << 20, "{sampler}");
    drop(held);
    let sampler = statistics(::hz3::stats_json::<Sampled>(&mut buffer))["sampler"].clone();
    assert_eq!(sampler["live"], 0, "{sampler}");
    assert!(
        statistics(::hz3::stats_json::<Alloc>(&mut buffer))
            .get("sampler")
            .is_none()
    );
}

#[test]
fn a_program_says_which_variants_are_in_it() {
    let own = std::env::current_exe().expect("this program");
    let own = own.to_str().expect("UTF-8");
    let ended = hz3(&root(), &["inspect", own]).with(0);
    ended.shows("variant").shows("default").shows("sampled");
    let json = hz3(&root(), &["inspect", own, "--format", "json"]).with(0).json();
    let mut names = [&json["variant"]["name"], &json["others"][0]["name"]].map(|name| name.as_str().expect("a name"));
    names.sort_unstable();
    assert_eq!(names, ["default", "sampled"]);
}
