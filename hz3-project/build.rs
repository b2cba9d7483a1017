//! Puts the sources that variants are built from into this crate, so that a program without a checkout has them: all files
//! below `sources/`, where `hz3-core` and `hz3-preload` are the folders of those crates' sources.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut code = String::from("&[\n");
    for name in ["hz3-core", "hz3-preload"] {
        let folder = here.join("sources").join(name);
        let mut files = Vec::new();
        walk(&folder, &mut files);
        files.sort();
        assert!(!files.is_empty(), "{} holds no sources", folder.display());
        for file in files {
            let below = file.strip_prefix(&folder).expect("it was found there");
            let name = format!("{name}/src/{}", below.display());
            writeln!(code, "({name:?}, include_bytes!({:?})),", file.display().to_string()).expect("memory");
        }
    }
    code.push_str("]\n");
    let file = out.join("sources.rs");
    std::fs::write(&file, code).unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
}

/// Every file below a folder. A change of a folder is a file more or less.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    // Through a link, its own time is what cargo would look at.
    let real = folder
        .canonicalize()
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    println!("cargo::rerun-if-changed={}", real.display());
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be read to its end").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
