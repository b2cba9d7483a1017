//! What of a prefix belongs to which variant: one list a variant, in the prefix itself, from which it is taken out again.
//!
//! A list is there before the first file that it names, and goes after the last: what an interrupted command leaves behind is
//! always named by one.

use super::leads_down;
use hz3_project::{Error, OnPath, Outcome};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the lists are, seen from the prefix.
const FOLDER: &str = "share/hz3";
/// What their names end with.
const ENDING: &str = ".files";

/// What one variant has in a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Files and links, seen from the prefix.
    pub files: BTreeSet<PathBuf>,
    /// Folders that were not there before hz3 came.
    pub folders: BTreeSet<PathBuf>,
}

/// The list of a variant, seen from the prefix.
pub fn path(variant: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{variant}{ENDING}"))
}

impl Manifest {
    fn text(&self) -> String {
        let mut text = String::from(
            "# Installed by `cargo hz3 install`; `cargo hz3 uninstall` removes it. A folder ends with a slash.\n",
        );
        for file in &self.files {
            text.push_str(&format!("{}\n", file.display()));
        }
        for folder in &self.folders {
            text.push_str(&format!("{}/\n", folder.display()));
        }
        text
    }

    /// None if a line is no path that leads down: then nobody knows what would be removed.
    fn parse(text: &str) -> Option<Manifest> {
        let mut manifest = Manifest::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (set, name) = match line.strip_suffix('/') {
                Some(folder) => (&mut manifest.folders, folder),
                None => (&mut manifest.files, line),
            };
            if name.is_empty() || !leads_down(Path::new(name)) {
                return None;
            }
            set.insert(PathBuf::from(name));
        }
        Some(manifest)
    }

    /// Reads the list of a variant in the prefix that lies at `root`.
    pub fn read(root: &Path, variant: &str) -> Result<Option<Manifest>, Error> {
        let file = root.join(path(variant));
        if !file.exists() {
            return Ok(None);
        }
        let bytes = hz3_project::file::read(&file, hz3_config::file::CONFIG)?;
        match std::str::from_utf8(&bytes).ok().and_then(Manifest::parse) {
            Some(manifest) => Ok(Some(manifest)),
            None => Err(Error::failed(format!("{} is no list of files", file.display()))
                .help("remove it, and what it should name, by hand")),
        }
    }

    /// Writes it.
    pub fn write(&self, root: &Path, variant: &str) -> Outcome {
        hz3_project::file::write(&root.join(path(variant)), self.text().as_bytes())
    }
}

/// The variants that are installed in the prefix at `root`, sorted.
pub fn variants(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter_map(|n| n.strip_suffix(ENDING).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// What the other variants have in the prefix at `root`.
pub fn of_others(root: &Path, variant: &str) -> Result<Manifest, Error> {
    let mut all = Manifest::default();
    for other in variants(root).iter().filter(|other| *other != variant) {
        if let Some(manifest) = Manifest::read(root, other)? {
            all.files.extend(manifest.files);
            all.folders.extend(manifest.folders);
        }
    }
    Ok(all)
}

/// Removes the list of a variant.
pub fn remove(root: &Path, variant: &str) -> Outcome {
    let file = root.join(path(variant));
    std::fs::remove_file(&file).on("remove", &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let manifest = Manifest {
            files: [PathBuf::from("lib/a.so"), PathBuf::from("include/h z.h")].into(),
            folders: [PathBuf::from("lib/cmake")].into(),
        };
        assert_eq!(Manifest::parse(&manifest.text()), Some(manifest));
        for bad in ["/etc/passwd\n", "lib/../../etc\n", "/\n", "\n"] {
            assert_eq!(Manifest::parse(bad), None, "{bad:?}");
        }
    }
}
