//! Libraries whose difference is known: forwarders to the C library, which may waste time.

use hz3_project::Allocator;
use std::path::Path;
use std::process::Command;

const FORWARD: &str = r#"
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
static void pay(void) {
	unsigned long x = 1;
	for (int i = 0; i < SPIN; i++) __asm__ volatile("imul $3, %0, %0" : "+r"(x));
}
void *malloc(size_t n) { pay(); return __libc_malloc(n); }
void free(void *p) { __libc_free(p); }
void *calloc(size_t k, size_t n) { return __libc_calloc(k, n); }
void *realloc(void *p, size_t n) { return __libc_realloc(p, n); }
"#;

/// A library that takes so many multiplications more in each `malloc`, with more C code behind.
pub fn forwarder(folder: &Path, label: &str, spin: u32, more: &str) -> Allocator {
    let (c, path) = (folder.join(format!("{label}.c")), folder.join(format!("lib{label}.so")));
    std::fs::write(&c, format!("{FORWARD}{more}")).unwrap();
    let made = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-fno-builtin"])
        .arg(format!("-DSPIN={spin}"))
        .arg("-o")
        .args([&path, &c])
        .status()
        .unwrap();
    assert!(made.success());
    Allocator::file(label, path)
}
