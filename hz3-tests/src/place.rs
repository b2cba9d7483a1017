//! Where things are: the project's root, its configs, and what was built.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The folder that holds the workspace's `Cargo.toml`.
pub static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("this crate lies in the workspace").to_owned()
});

/// Where build results go: `CARGO_TARGET_DIR`, or `target/` of the root.
pub static TARGET: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("CARGO_TARGET_DIR") {
    Some(dir) => ROOT.join(dir),
    None => ROOT.join("target"),
});

/// The libraries, named `libhz3_<name>.so`; the command line builds them into the same folder.
pub fn libraries() -> PathBuf {
    TARGET.join("hz3")
}

/// Compiled clients.
pub fn clients() -> PathBuf {
    TARGET.join("hz3-clients")
}

/// The source of a client or program, by its path within this crate.
pub fn source(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Names of all configs, sorted.
///
/// # Panics
///
/// If `configs/` is missing, which no test can do without.
pub fn config_names() -> Vec<String> {
    let folder = ROOT.join("configs");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// The file of a config.
pub fn config(name: &str) -> PathBuf {
    ROOT.join("configs").join(format!("{name}.toml"))
}

/// A program's path: `/usr/bin` first, as a wrapper earlier in the search path may be a script that runs something else.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    [PathBuf::from("/usr/bin"), PathBuf::from("/bin")]
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A fresh folder below the clients' for one test; whatever an earlier run left is removed.
///
/// # Panics
///
/// If it cannot be made.
pub fn scratch(name: &str) -> PathBuf {
    let dir = TARGET.join("hz3-scratch").join(name.replace("::", "-"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    dir
}
