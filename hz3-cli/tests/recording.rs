//! `trace`, where a variant does the recording: under a C program, and inside of a Rust program, which is this one.
#![cfg(target_os = "linux")]

mod common;

use common::{compile, hz3, root};
use hz3_lab::trace::{self, Call, Event, Trace};
use std::collections::BTreeMap;
use std::path::Path;

::hz3::variant!(
    /// This program's allocator.
    Alloc = "tests/fixtures/recorded.toml"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

/// Calls of every sort, in two processes. The child has more of them, so that its recording is the one that is kept.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *kept[300];

static void use(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        void *a = malloc(i * 7), *b = calloc(3, i + 1), *c = memalign(64, i), *d = aligned_alloc(4096, 8192);
        void *e = NULL;
        if (posix_memalign(&e, 128, 1000 + i)) abort();
        a = realloc(a, i * 11 + 1);
        a = reallocarray(a, 2, 50000);
        errno = 0;
        if (realloc(b, PTRDIFF_MAX) || errno != ENOMEM) abort();
        memset(b, 1, 3 * (i + 1));
        free(realloc(NULL, 24));
        if (realloc(malloc(5), 0)) abort();
        free(c);
        free(d);
        free(valloc(100));
        free(pvalloc(5000));
        free(kept[i % 300]);
        kept[i % 300] = a;
        free(b);
        free(e);
        free(malloc(300 << 20));
    }
}

int main(void)
{
    use(200);
    pid_t child = fork();
    if (child == 0) {
        use(1000);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status != 0;
}
"#;

fn record(folder: &Path, options: &[&str], command: &[&str]) -> Trace {
    let file = folder.join("made.hz3t");
    let mut all = vec!["trace", "-o", file.to_str().expect("UTF-8")];
    all.extend(options);
    all.push("--");
    all.extend(command);
    hz3(&root(), &all).with(0);
    trace::unpack(&std::fs::read(&file).expect("a trace")).expect("a sound trace")
}

#[test]
fn a_variant_writes_down_what_the_shim_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program =
        compile(folder.path(), "calls", PROGRAM, &["-O0", "-fno-builtin"]).expect("cc is needed by this test");
    let program = [program.to_str().expect("UTF-8")];
    let expected = record(folder.path(), &[], &program);
    assert!(expected.events.len() > 20_000, "{} events", expected.events.len());
    for variant in ["s47-bank", "default"] {
        let found = record(folder.path(), &["--with", variant], &program);
        let differs = (expected.events.iter().zip(&found.events)).position(|(a, b)| a != b);
        assert_eq!(
            (differs, found.events.len()),
            (None, expected.events.len()),
            "{variant}"
        );
        assert_eq!(found.command, expected.command);
    }
    let few = record(folder.path(), &["--with", "default", "--limit", "500"], &program);
    assert!(few.events.len() <= 500 && few.dropped > 4000, "{}", few.dropped);
}

#[test]
fn what_cannot_record_is_told() {
    let ended = hz3(&root(), &["trace", "--own", "-o", "/dev/null", "--", "true"]).with(3);
    ended
        .tells("no variant in the program records")
        .tells("record = \"trace\"");
    hz3(&root(), &["trace", "--with", "glibc", "-o", "/dev/null", "--", "true"])
        .with(2)
        .tells("`glibc` is no config");
    hz3(
        &root(),
        &["trace", "--with", "default", "--own", "-o", "/dev/null", "--", "true"],
    )
    .with(2);
}

/// What the test below records: a part of this program.
#[test]
fn child() {
    if std::env::var_os("HZ3_TRACE_DIR").is_none() {
        return;
    }
    let own: Vec<Vec<u8>> = (0..300).map(|_| Vec::with_capacity(1_234_567)).collect();
    let made = std::thread::spawn(|| {
        (0..400)
            .map(|_| Vec::<u8>::with_capacity(7_654_321))
            .collect::<Vec<_>>()
    });
    drop(made.join().expect("it ends"));
    let mut grown: Vec<u8> = Vec::with_capacity(2_222_222);
    grown.reserve_exact(3_333_333);
    #[repr(align(256))]
    struct Wide(#[allow(dead_code)] [u8; 512]);
    let wide: Vec<Wide> = Vec::with_capacity(5000);
    std::mem::forget(own);
    drop((grown, wide));
}

#[test]
fn a_rust_program_records_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("this program");
    let command = [program.to_str().expect("UTF-8"), "--exact", "child", "--nocapture"];
    let found = record(folder.path(), &["--own"], &command);
    let mut sizes: Vec<(u64, u16, Option<u16>)> = Vec::new();
    let mut kinds: BTreeMap<u64, Call> = BTreeMap::new();
    for Event { thread, call } in found.events {
        if let Call::Free(object) | Call::Realloc(object, _) = call {
            sizes[object as usize].2 = Some(thread);
        }
        if let Some(bytes) = call.made() {
            kinds.insert(bytes, call);
            sizes.push((bytes, thread, None));
        }
    }
    let of = |bytes| sizes.iter().filter(move |(n, ..)| *n == bytes);
    assert_eq!(of(1_234_567).filter(|(_, _, end)| end.is_none()).count(), 300);
    assert_eq!(
        of(7_654_321)
            .filter(|(_, thread, end)| end.is_some_and(|end| end != *thread))
            .count(),
        400
    );
    assert!(
        matches!(kinds[&3_333_333], Call::Realloc(..)),
        "{:?}",
        kinds[&3_333_333]
    );
    assert!(
        matches!(kinds[&2_560_000], Call::Memalign(8, _)),
        "{:?}",
        kinds[&2_560_000]
    );
}
