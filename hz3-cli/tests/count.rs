//! `count`, against mallocs that any machine has.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Ended, compile, hz3, root};
use serde_json::Value;

fn count(arguments: &[&str]) -> Ended {
    let mut all = vec!["count"];
    all.extend(arguments);
    hz3(&root(), &all)
}

/// Name, size, op and the typical count of every row.
fn rows(json: &Value) -> Vec<(String, u64, String, u64)> {
    let reports = json.as_array().expect("one report an allocator");
    reports
        .iter()
        .flat_map(|r| r["rows"].as_array().expect("rows").iter().map(move |row| (r, row)))
        .map(|(report, row)| {
            (
                report["name"].as_str().expect("a name").to_owned(),
                row["size_bytes"].as_u64().expect("a size"),
                row["op"].as_str().expect("an operation").to_owned(),
                row["instructions"]["typical"].as_u64().expect("a count"),
            )
        })
        .collect()
}

#[test]
fn glibc_is_counted_and_two_runs_agree() {
    let arguments = ["glibc", "--sizes", "16,1000", "--format", "json", "--calls", "8"];
    let first = count(&arguments).with(0).json();
    let rows_of_first = rows(&first);
    assert_eq!(rows_of_first.len(), 8);
    for (_, size, op, n) in &rows_of_first {
        assert!((5..1000).contains(n), "{op} of {size} B took {n} instructions");
    }
    assert_eq!(rows(&count(&arguments).with(0).json()), rows_of_first);
    let report = &first[0];
    assert!(
        report["library"].as_str().is_some_and(|l| l.contains("libc.so")),
        "{report}"
    );
    for row in report["rows"].as_array().expect("rows") {
        let counts = &row["instructions"];
        assert!(
            counts["min"].as_u64() <= counts["typical"].as_u64()
                && counts["typical"].as_u64() <= counts["max"].as_u64()
        );
        assert!(row["conditional_branches"].as_u64() < counts["typical"].as_u64());
    }
}

#[test]
fn peers_that_are_installed_are_counted() {
    for (peer, most) in [("mimalloc", 20), ("tcmalloc", 40), ("jemalloc", 40)] {
        let ended = count(&[peer, "--sizes", "64", "--ops", "malloc,free", "--format", "json"]);
        if ended.code == 3 {
            ended.tells("is not installed\nhelp: apt install");
            continue;
        }
        let rows = rows(&ended.with(0).json());
        assert!(
            rows.iter()
                .any(|(_, _, op, n)| op == "malloc" && (5..=most).contains(n)),
            "{peer}: {rows:?}"
        );
    }
}

/// A malloc whose every instruction is known.
const KNOWN: &str = r#"
__asm__(
    ".globl malloc\n.type malloc,@function\nmalloc:\n"
    "  lea buffer(%rip), %rax\n"
    "  cmp $100, %rdi\n"
    "  jb 1f\n"
    "  lock incl counter(%rip)\n"
    "1: ret\n"
    ".globl free\n.type free,@function\nfree: ret\n"
    ".globl realloc\n.type realloc,@function\nrealloc:\n"
    "  call helper\n  mov %rdi, %rax\n  ret\nhelper: ret\n"
    ".globl calloc\n.type calloc,@function\ncalloc:\n"
    "  mov %rsi, %rcx\n  lea buffer(%rip), %rdi\n  mov %rdi, %rdx\n  xor %eax, %eax\n"
    "  rep stosb\n  mov %rdx, %rax\n  ret\n"
    ".bss\n.balign 16\nbuffer: .zero 65536\ncounter: .zero 8\n.text\n"
);
"#;

#[test]
fn a_known_malloc_is_counted_to_the_instruction() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(library) = compile(folder.path(), "libknown.so", KNOWN, &["-shared", "-fPIC", "-nostdlib"]) else {
        panic!("cc is needed by these tests");
    };
    let library = library.to_str().expect("UTF-8");
    let ended = count(&[library, "--sizes", "16,200", "--format", "json"]).with(0);
    let json = ended.json();
    let found: Vec<(u64, &str, [u64; 5])> = json[0]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|r| {
            let n = |key: &str| r[key].as_u64().expect("a number");
            let counts = [
                r["instructions"]["typical"].as_u64().expect("a number"),
                n("conditional_branches"),
                n("calls"),
                n("locked"),
                n("syscalls"),
            ];
            (n("size_bytes"), r["op"].as_str().expect("an operation"), counts)
        })
        .collect();
    assert_eq!(
        found,
        [
            (16, "malloc", [4, 1, 0, 0, 0]),
            (200, "malloc", [5, 1, 0, 1, 0]),
            (16, "free", [1, 0, 0, 0, 0]),
            (200, "free", [1, 0, 0, 0, 0]),
            (16, "calloc", [7, 0, 0, 0, 0]),
            (200, "calloc", [7, 0, 0, 0, 0]),
            (16, "realloc", [4, 0, 1, 0, 0]),
            (200, "realloc", [4, 0, 1, 0, 0]),
        ]
    );
    let text = count(&[library, "--sizes", "200", "--ops", "malloc,realloc"])
        .with(0)
        .out;
    let last: Vec<&str> = text.lines().last().expect("a row").split_whitespace().collect();
    assert_eq!(last, ["200", "5", "1", "l", "4", "0", "c"]);

    let trace = count(&[library, "--trace", "200", "--ops", "malloc"]).with(0).out;
    for part in ["5 instructions, 1 conditional branches", "lock inc", "ret"] {
        assert!(trace.contains(part), "{part} is not in:\n{trace}");
    }
}

#[test]
fn an_inert_library_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = compile(folder.path(), "libinert.so", "int nothing;", &["-shared", "-fPIC"]).expect("cc");
    let ended = count(&[library.to_str().expect("UTF-8"), "--sizes", "16"]).with(1);
    ended.tells("libinert.so is inert: the client's malloc is in");
    assert_eq!(ended.out, "");
}

#[test]
fn bad_arguments() {
    for arguments in [
        &["glibc", "--sizes", "0"][..],
        &["glibc", "--sizes", "x"][..],
        &["glibc", "--ops", "munmap"][..],
        &["no-such-malloc"][..],
        &["/no/such/library.so"][..],
        &[][..],
    ] {
        let ended = count(arguments).with(2);
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_library_in_a_path_with_blanks_is_refused() {
    let folder = tempfile::Builder::new()
        .prefix("with blank ")
        .tempdir()
        .expect("a temporary folder");
    let library = compile(folder.path(), "libx.so", KNOWN, &["-shared", "-fPIC", "-nostdlib"]).expect("cc");
    let ended = count(&[library.to_str().expect("UTF-8")]).with(3);
    ended.tells("cannot be preloaded");
}
