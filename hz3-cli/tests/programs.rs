//! Commands that run programs: run and doctor, under mallocs made for the test.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, compile, hz3, root};
use std::path::{Path, PathBuf};

/// A malloc that gives every object memory of its own, and says so on exit.
const LIBRARY: &str = r#"
#include <stddef.h>
static char heap[64 << 20];
static size_t used;
void *malloc(size_t n)
{
    char *p = heap + __atomic_fetch_add(&used, (n + 47) & ~(size_t)15, __ATOMIC_RELAXED);
    ((size_t *)p)[0] = n;
    return p + 16;
}
void free(void *p) { (void)p; }
void *calloc(size_t a, size_t b) { return malloc(a * b); }
void *realloc(void *p, size_t n)
{
    char *q = malloc(n);
    size_t old = p ? ((size_t *)p)[-2] : 0;
    for (size_t i = 0; i < old && i < n; i++)
        q[i] = ((char *)p)[i];
    return q;
}
"#;

const PROGRAM: &str = "#include <stdlib.h>\nint main(void) { free(malloc(10)); return 0; }\n";

struct Bench {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let flags = ["-shared", "-fPIC", "-fno-builtin", "-O1"];
        let library = compile(folder.path(), "libtest.so", LIBRARY, &flags).expect("cc is needed by these tests");
        Bench { folder, library }
    }

    fn program(&self, name: &str, source: &str, flags: &[&str]) -> Option<String> {
        let mut all = vec!["-fno-builtin"];
        all.extend(flags);
        compile(self.folder.path(), name, source, &all).map(|p| text(&p))
    }

    /// A library that exports no malloc.
    fn inert(&self, flags: &[&str]) -> Option<String> {
        self.program("libinert.so", "int nothing;", &[&["-shared", "-fPIC"], flags].concat())
    }

    fn hz3(&self, command: &str, rest: &[&str]) -> Ended {
        let mut all = vec![command, self.library.to_str().expect("UTF-8")];
        all.extend(rest);
        hz3(&root(), &all)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn run_keeps_exit_status_and_environment() {
    let bench = Bench::new();
    bench.hz3("run", &["--", "sh", "-c", "exit 7"]).with(7);
    bench.hz3("run", &["--", "sh", "-c", "kill -9 $$"]).with(-1);
    let ended = bench.hz3("run", &["--", "sh", "-c", "echo $LD_PRELOAD"]).with(0);
    assert_eq!(ended.out.trim(), text(&bench.library));
    let ended = bench.hz3("run", &["--", "/no/such/program"]).with(2);
    assert!(
        ended.err.starts_with("error: cannot start /no/such/program"),
        "{}",
        ended.err
    );
    bench.hz3("run", &[]).with(2);
}

#[test]
fn doctor_proves_it() {
    let bench = Bench::new();
    let program = bench.program("plain", PROGRAM, &[]).expect("cc");
    let ended = bench.hz3("doctor", &["--", &program]).with(0);
    assert!(
        ended
            .out
            .starts_with(&format!("proven: {} (exit code 0)\n", text(&bench.library))),
        "{}",
        ended.out
    );
    // Children count as well.
    let line = format!("{program}; {program}");
    let json = bench
        .hz3("doctor", &["--format", "json", "--", "sh", "-c", &line])
        .with(0)
        .json();
    assert_eq!(json["proven"], true);
    let programs = json["programs"].as_array().expect("programs");
    let row = programs
        .iter()
        .find(|p| p["program"] == program.as_str())
        .expect("the program's row");
    assert_eq!(
        (row["times"].as_u64(), row["verdict"].as_str()),
        (Some(2), Some("proven"))
    );
}

#[test]
fn doctor_of_the_c_library() {
    let bench = Bench::new();
    let program = bench.program("plain", PROGRAM, &[]).expect("cc");
    hz3(&root(), &["doctor", "glibc", "--", &program]).with(0);
}

#[test]
fn doctor_stops_a_program_that_does_not_end() {
    let bench = Bench::new();
    let ended = bench.hz3("doctor", &["--seconds", "1", "--", "sleep", "1000"]).with(0);
    ended.shows("(stopped after 1 s)");
}

/// Program, compiler flags, and a part of the reason; `false` where the compiler may lack what it takes.
#[test]
fn doctor_says_why_not() {
    let bench = Bench::new();
    let own = format!("{LIBRARY}\nint main(void) {{ return malloc(1) == 0; }}\n");
    let hidden = own.replace("void *malloc", "__attribute__((visibility(\"hidden\"))) void *malloc");
    let cases = [
        ("static", PROGRAM, &["-static"][..], "is linked statically", true),
        (
            "own",
            own.as_str(),
            &["-rdynamic"][..],
            "exports its own malloc, free, calloc, realloc",
            true,
        ),
        ("asan", PROGRAM, &["-fsanitize=address"][..], "AddressSanitizer", false),
        (
            "narrow",
            PROGRAM,
            &["-m32"][..],
            "is for another machine (x86, 32 bits)",
            false,
        ),
        ("hidden", hidden.as_str(), &[][..], "own ", true),
    ];
    for (name, source, flags, reason, needed) in cases {
        let Some(program) = bench.program(name, source, flags) else {
            assert!(!needed, "cc cannot build {name}");
            continue;
        };
        let ended = bench.hz3("doctor", &["--", &program]).with(1);
        assert!(ended.out.starts_with("not proven: "), "{name}:\n{}", ended.out);
        assert!(ended.out.contains(reason), "{name}: {reason} is not in:\n{}", ended.out);
    }
}

#[test]
fn doctor_of_a_library_that_exports_no_malloc() {
    let bench = Bench::new();
    let inert = bench.inert(&[]).expect("cc");
    let program = bench.program("plain", PROGRAM, &[]).expect("cc");
    let ended = hz3(&root(), &["doctor", &inert, "--", &program]).with(1);
    ended.shows("malloc from ");
}

#[test]
fn doctor_of_a_library_without_room() {
    let bench = Bench::new();
    let source = "__thread char room[1ul << 40];\nchar *start(void) { return room; }\n";
    let flags = ["-shared", "-fPIC", "-ftls-model=initial-exec", "-mcmodel=large"];
    let Some(huge) = compile(bench.folder.path(), "libhuge.so", source, &flags) else {
        return;
    };
    let ended = hz3(&root(), &["doctor", &text(&huge), "--", "true"]).with(1);
    ended.shows("no memory for the library's thread-local storage");
}

#[test]
fn doctor_follows_the_jump_table_of_a_program_at_a_fixed_address() {
    let bench = Bench::new();
    let source = "#include <stdlib.h>\nvoid *(*volatile f)(size_t) = malloc;\nint main(void) { return !f(10); }\n";
    let Some(program) = bench.program("fixed", source, &["-no-pie", "-fno-pie"]) else {
        return;
    };
    bench.hz3("doctor", &["--", &program]).with(0);
}

#[test]
fn doctor_of_a_library_for_another_machine() {
    let bench = Bench::new();
    let Some(narrow) = bench.inert(&["-m32"]) else {
        return;
    };
    let ended = hz3(&root(), &["doctor", &narrow, "--", "true"]).with(1);
    ended.shows("another machine");
}

#[test]
fn doctor_tells_a_crash_under_the_library_from_a_crash() {
    let bench = Bench::new();
    let always = bench
        .program("always", "#include <stdlib.h>\nint main(void) { abort(); }\n", &[])
        .expect("cc");
    let ended = bench.hz3("doctor", &["--", &always]).with(1);
    ended.shows("dies without the library too");
    let source = "#include <stdlib.h>\n#include <malloc.h>\nint main(void) { void *p = malloc(9); \
                  return malloc_usable_size(p) > 1000 ? 0 : (free(p), getenv(\"LD_PRELOAD\") ? (abort(), 0) : 0); }\n";
    let only = bench.program("only", source, &[]).expect("cc");
    let ended = bench.hz3("doctor", &["--", &only]).with(1);
    ended.shows("and does not without it");
}

#[test]
fn inspect_of_what_is_not_ours() {
    let bench = Bench::new();
    let ended = bench.hz3("inspect", &[]).with(0);
    ended.shows("none: this library was not made by hz3");
    let json = bench.hz3("inspect", &["--format", "json"]).with(0).json();
    assert_eq!(json["variant"], serde_json::Value::Null);
    assert!(json["exports"].as_array().expect("exports").contains(&"malloc".into()));
    bench.hz3("inspect", &["--format", "toml"]).with(2);
    let inert = bench.inert(&[]).expect("cc");
    let ended = hz3(&root(), &["inspect", &inert]).with(1);
    ended.shows("missing").shows("malloc free calloc realloc");
    let script = bench.folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").expect("a file");
    let ended = hz3(&root(), &["inspect", &text(&script)]).with(2);
    ended.tells("is not an ELF file");
}
