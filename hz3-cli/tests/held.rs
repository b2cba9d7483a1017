//! What `explain --profile` says that a variant would hold beside live objects, against what it holds: the heap of a running process.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{compile, hz3, root};
use hz3_tests::variant::Allocator;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Six sizes, whose objects stay, come and go in turn, or go for the most part when all are there.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *kept[120000];
static unsigned n, x = 1;
static void *made(unsigned i) {
	static const size_t sizes[] = {24, 64, 100, 300, 1000, 3000};
	void *p = malloc(sizes[i % 6]);
	memset(p, 1, 8);
	return p;
}
static void fill(unsigned each) { while (n < 6 * each) { kept[n] = made(n); n++; } }
int main(int argc, char **argv) {
	setvbuf(stdout, NULL, _IONBF, 0);
	switch (argv[1][0]) {
	case 'f': fill(200); break;
	case 'g': fill(20000); break;
	case 'h': fill(20000); for (unsigned i = 0; i < n; i += 2) free(kept[i]); break;
	case 's': fill(20000); for (unsigned i = 0; i < n; i++) if ((x = x * 1103515245 + 12345) >> 16 & 31) free(kept[i]); break;
	case 't': for (unsigned r = 0; r < 400000; r++) {
		x = x * 1103515245 + 12345;
		unsigned k = (x >> 8) % 20000;
		free(kept[k]);
		kept[k] = made(x >> 24);
	}
	}
	puts("ready");
	if (argc > 2) getchar();
	return 0;
}
"#;

/// What is held beside live objects, in bytes: free objects in caches, free places in runs, headers of segments.
type Held = [f64; 3];

/// What is held by the program in this mode, under `default`.
fn measured(program: &Path, mode: &str) -> Held {
    let library = match Allocator::variant("default") {
        Ok(Allocator::Variant(variant)) => variant.path.clone(),
        other => panic!("no variant `default`: {other:?}"),
    };
    let mut child = Command::new(program)
        .args([mode, "wait"])
        .env("LD_PRELOAD", library)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("it is ready");
    let json = hz3(&root(), &["heap", &child.id().to_string(), "--json"])
        .with(0)
        .json();
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    let totals = &json["summary"]["totals"];
    let number = |key: &str| totals[key].as_f64().expect(key);
    [
        number("cached_bytes"),
        number("run_free_bytes"),
        number("header_pages") * 4096.0,
    ]
}

/// What is predicted of a recording's end: what is likely, and the most.
fn predicted(program: &Path, mode: &str) -> [Held; 2] {
    let [trace, profile] = ["hz3t", "pb"].map(|end| program.with_extension(end).to_str().expect("UTF-8").to_owned());
    let program = program.to_str().expect("UTF-8");
    hz3(&root(), &["trace", "-o", &trace, "--", program, mode]).with(0);
    // A recording stands for its peak; its profile is of its end.
    hz3(&root(), &["profile", &trace, "-o", &profile]).with(0);
    let words = ["explain", "default", "--profile", &profile, "--format", "json"];
    let json = hz3(&root(), &words).with(0).json();
    let held = &json["profile"]["held"];
    let of = |store: &str, which: &str| held[store][which].as_f64().expect(store);
    let headers = held["headers"].as_f64().expect("headers");
    ["likely", "most"].map(|which| [of("magazines", which) + of("depots", which), of("runs", which), headers])
}

#[test]
fn what_is_predicted_is_what_is_held() {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !matches!(scope.trim(), "" | "0") {
        eprintln!("ignored: kernel.yama.ptrace_scope is {}", scope.trim());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program =
        compile(folder.path(), "held", PROGRAM, &["-O1", "-fno-builtin"]).expect("cc is needed by these tests");
    let mut table = String::from("mode, then caches, runs, headers in KiB: measured, likely, most\n");
    let mut wrong = Vec::new();
    for mode in ["few", "grow", "half", "scattered", "turns"] {
        let held = measured(&program, mode);
        let [likely, most] = predicted(&program, mode);
        table += mode;
        for (store, (held, (likely, most))) in held.into_iter().zip(likely.into_iter().zip(most)).enumerate() {
            table += &format!("\t{:.0} {:.0} {:.0}", held / 1024.0, likely / 1024.0, most / 1024.0);
            // Where a list happens to stand is chance, and the program's own start allocates something, too.
            let (factor, slack) = if store == 2 { (1.1, 48e3) } else { (2.0, 96e3) };
            let near = held < factor * likely + slack && likely < factor * held + slack;
            if !near || held > factor.min(1.1) * most + 16e3 {
                wrong.push((mode, ["caches", "runs", "headers"][store]));
            }
        }
        table += "\n";
    }
    assert!(wrong.is_empty(), "{wrong:?}\n{table}");
}
