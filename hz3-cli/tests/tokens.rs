//! Allocation tokens in C and C++: the functions that clang calls, by hand and by clang where there is one that knows them.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Cleanup, hz3, root};
use std::path::Path;
use std::process::Command;

/// Compiles a program that is linked with the library, and runs it.
fn right(folder: &Path, compiler: &str, options: &[&str], source: &str, library: &Path) {
    let program = folder.join("program");
    let built = Command::new(compiler)
        .arg("-O2")
        .args(options)
        .arg(root().join("hz3-cli/tests/tokens").join(source))
        .arg(library)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("the compiler starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{source} {options:?}: {said}");
    let folder = library.parent().expect("a folder");
    let run = Command::new(&program)
        .env("LD_LIBRARY_PATH", folder)
        .env_remove("LD_PRELOAD")
        .output()
        .expect("the program starts");
    let (out, err) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(
        run.status.success() && out == "right\n",
        "{source} {options:?}: {out}{err}"
    );
}

#[test]
fn tokens_of_c_and_of_clang() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = "cli-test-tokens";
    let config = folder.path().join(format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\ndescription = \"A test\"\nextends = \"hz3:default\"\n[hardening]\ngroups = 4\n\
         partition = \"token\"\n"
    );
    std::fs::write(&config, text).expect("a config");
    let library = hz3_project::Place::checkout().library(name);
    let _cleanup = Cleanup(vec![library.clone()]);
    hz3(&root(), &["build", config.to_str().expect("UTF-8")]).with(0);
    right(folder.path(), "cc", &["-fno-builtin"], "calls.c", &library);
    // The first clang that gives tokens.
    let clang = "clang++-22";
    if Command::new(clang).arg("--version").output().is_err() {
        eprintln!("{clang} is not installed");
        return;
    }
    for abi in [&["-fsanitize-alloc-token-fast-abi"][..], &[]] {
        let options = [&["-fsanitize=alloc-token", "-falloc-token-max=4"], abi].concat();
        right(folder.path(), clang, &options, "program.cc", &library);
    }
}
