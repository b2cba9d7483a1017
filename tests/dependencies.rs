//! What the dependencies ask of a user's toolchain.

use serde_json::Value;
use std::process::Command;

/// `major.minor.patch`, as numbers; what is left out counts as 0.
fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').map(|n| n.parse().expect("a number")).collect();
    numbers.resize(3, 0);
    numbers
}

/// The manifest's `rust-version` is a promise to users. A newer toolchain compiles the tests, so this looks at what each
/// locked dependency says of itself; `clippy::incompatible_msrv` looks at hz3's own use of the standard library.
#[test]
fn no_dependency_wants_a_newer_toolchain() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .arg("--filter-platform=x86_64-unknown-linux-gnu")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let promised = version(env!("CARGO_PKG_RUST_VERSION"));
    // Only what the graph for this platform holds; `packages` has them all.
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a graph");
    let used = |id: &Value| nodes.iter().any(|node| &node["id"] == id);
    let packages = metadata["packages"].as_array().expect("packages");
    let too_new: Vec<String> = packages
        .iter()
        .filter(|package| used(&package["id"]))
        .filter_map(|package| Some((package, package["rust_version"].as_str()?)))
        .filter(|(_, wants)| version(wants) > promised)
        .map(|(package, wants)| format!("{} {} wants Rust {wants}", package["name"], package["version"]))
        .collect();
    assert!(packages.len() > 50 && !nodes.is_empty(), "no dependencies were seen");
    assert_eq!(
        too_new,
        Vec::<String>::new(),
        "promised: {}",
        env!("CARGO_PKG_RUST_VERSION")
    );
}
