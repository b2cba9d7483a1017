//! The sources that a variant's library is built from, as one hash: who built it writes the hash into the library's note,
//! and whoever wants to rely on the library asks whether the sources still have it.

use crate::hash::{ConfigHash, Fnv};
use std::io;
use std::path::{Path, PathBuf};

/// Folders, with all that is in them, and files, below the workspace's root. What is not there is left out.
const PARTS: &[&str] = &[
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "hz3-config/Cargo.toml",
    "hz3-config/src",
    "hz3-core/Cargo.toml",
    "hz3-core/src",
    "hz3-preload/Cargo.toml",
    "hz3-preload/build.rs",
    "hz3-preload/src",
];

/// The hash of all sources below `root`: of their names and their bytes.
///
/// # Errors
///
/// If a file that is there cannot be read.
pub fn hash(root: &Path) -> io::Result<ConfigHash> {
    let mut hash = Fnv::new();
    for file in files(root)? {
        let bytes = std::fs::read(&file)?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        // Each part says where it ends, so that no two sets of files read alike.
        hash.add(name.as_os_str().as_encoded_bytes());
        hash.add(&[0]);
        hash.add(&(bytes.len() as u64).to_le_bytes());
        hash.add(&bytes);
    }
    Ok(hash.finish())
}

/// The folders and files whose change changes the hash, for who watches them.
pub fn watched(root: &Path) -> Vec<PathBuf> {
    PARTS
        .iter()
        .map(|part| root.join(part))
        .filter(|path| path.exists())
        .collect()
}

/// Every file, in an order that does not depend on the file system.
fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = watched(root);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_any_source_changes_the_hash() {
        let root = std::env::temp_dir().join(format!("hz3-sources-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "");
        write("hz3-core/src/hot/free.rs", "a");
        let now = || hash(&root).unwrap();
        let first = now();
        assert_eq!(now(), first);
        write("hz3-core/src/hot/free.rs", "b");
        let second = now();
        write("hz3-core/src/hot/malloc.rs", "");
        let third = now();
        std::fs::rename(
            root.join("hz3-core/src/hot/malloc.rs"),
            root.join("hz3-core/src/hot/m.rs"),
        )
        .unwrap();
        let fourth = now();
        let mut all = [first, second, third, fourth].map(|h| h.to_string()).to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        // What no library is made of does not count.
        write("docs/lab.md", "text");
        write("hz3-lab/src/lib.rs", "");
        assert_eq!(now(), fourth);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
