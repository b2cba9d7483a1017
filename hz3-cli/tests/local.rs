//! `build.tls = "local-exec"`: an archive and no library, in a static program, and as many instructions as the other models take.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "../../tests/asm/code.rs"]
#[allow(dead_code, reason = "the listings are for snapshots")]
mod code;
mod common;

use code::Code;
use common::{Cleanup, hz3, root};
use hz3_tests::client;
use std::path::Path;
use std::process::Command;

/// The most instructions of a call that finds an object or room for it, and the conditional branches on its way.
fn most(code: &Code, function: &str) -> (usize, usize) {
    let paths = code.paths(function).expect("a function without loops");
    let own = paths.iter().filter(|path| path.returns);
    own.map(|path| (path.instructions, path.branches))
        .max()
        .unwrap_or_else(|| panic!("`{function}` never returns:\n{}", code.listing(function)))
}

/// A client as a static program with an archive.
fn linked(name: &str, archive: &Path) -> std::path::PathBuf {
    let flags = [
        "-static",
        "-DHZ3_LINKED",
        "-Wl,--undefined=malloc",
        archive.to_str().expect("UTF-8"),
    ];
    client::build_with(name, None, "cli-local", &flags).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_static_program_has_its_blocks_at_a_distance_in_the_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("cli-local.toml");
    let text =
        "name = \"cli-local\"\ndescription = \"d\"\nextends = \"hz3:default\"\n\n[build]\ntls = \"local-exec\"\n";
    std::fs::write(&config, text).expect("a config");
    let config = config.to_str().expect("UTF-8");
    let place = hz3_project::Place::checkout();
    let (library, archive) = (place.library("cli-local"), place.archive("cli-local"));
    let _cleanup = Cleanup(vec![library.clone(), archive.clone()]);

    // No library, and it says where and what to do.
    let ended = hz3(&root(), &["build", config]).with(2);
    ended.tells("cli-local.toml:6:7").tells("cargo hz3 build --static");
    assert!(!library.exists() && !archive.exists());

    hz3(&root(), &["build", "--static", config])
        .with(0)
        .shows("libhz3_cli-local.a");
    assert!(!library.exists() && archive.is_file());

    for (name, arguments) in [("abi_surface", &[][..]), ("threads_pattern", &["8", "8000"])] {
        let output = Command::new(linked(name, &archive))
            .args(arguments)
            .env("HZ3_EXPECT", "cli-local")
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} left with {}:\n{said}", output.status);
    }

    let code = Code::read(&linked("abi_surface", &archive)).expect("a program");
    let counts = ["malloc", "free"].map(|function| most(&code, function));
    assert_eq!(counts, [(15, 2), (15, 2)], "{}", code.listing("malloc"));
    // The distance is a number: nothing is loaded for it.
    assert!(!code.listing("malloc").contains("rip"), "{}", code.listing("malloc"));

    // In a shared library the linker names the reason.
    let output = Command::new("gcc")
        .args(["-shared", "-Wl,--whole-archive"])
        .arg(&archive)
        .arg("-o")
        .arg(folder.path().join("shared.so"))
        .output()
        .expect("a linker");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("which_no_shared_library_can_have"),
        "{said}"
    );
}
