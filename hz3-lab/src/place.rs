//! Where things are: the project's folders, the variants' libraries, the peers of the distribution.

use crate::{Error, Result, built};
use hz3_config::{file, suggest};
use std::path::{Path, PathBuf};

/// The folders of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder that holds `configs/` and `Cargo.toml`.
    pub root: PathBuf,
}

impl Place {
    /// From a folder or one of its parents that has a `configs` folder and a `Cargo.toml`.
    pub fn find(from: &Path) -> Result<Self> {
        from.ancestors()
            .find(|p| p.join("configs").is_dir() && p.join("Cargo.toml").is_file())
            .map(|p| Self { root: p.to_path_buf() })
            .ok_or_else(|| {
                Error::unfit(format!(
                    "{} is not inside an hz3 project (a folder with configs/ and Cargo.toml): change there first",
                    from.display()
                ))
            })
    }
    /// The same from the current folder.
    pub fn here() -> Result<Self> {
        let here = std::env::current_dir().map_err(|e| Error::unfit(format!("the current folder: {e}")))?;
        Self::find(&here)
    }
    /// Built variants.
    pub fn variants(&self) -> PathBuf {
        self.root.join("target/hz3")
    }
    /// The library of the variant `name`, built or not.
    pub fn library(&self, name: &str) -> PathBuf {
        self.variants().join(format!("libhz3_{name}.so"))
    }
    /// Whether a word is the name of a variant: it has a config, or a library from when it had one.
    pub fn is_variant(&self, word: &str) -> bool {
        !word.contains('/') && (self.configs().join(format!("{word}.toml")).is_file() || self.library(word).is_file())
    }
    /// A path as seen from the root, where it lies below it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
    /// Built clients and what else can be made again.
    pub fn clients(&self) -> PathBuf {
        self.root.join("target/hz3-clients")
    }
    /// Comparisons that only this checkout has.
    pub fn private_ledger(&self) -> PathBuf {
        self.root.join("target/hz3-ledger")
    }
    /// Comparisons that are part of the project.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }
    /// Configs.
    pub fn configs(&self) -> PathBuf {
        self.root.join("configs")
    }
    /// Names of all configs, sorted.
    pub fn config_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.configs()).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }
}

/// What a library is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A variant of this project, by name.
    Variant,
    /// A known other allocator.
    Peer,
    /// A file that the user named.
    File,
    /// The C library's own malloc: nothing is preloaded.
    Glibc,
}

/// One contender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// What it is called in tables; unique in a comparison.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// The file to preload; none for the C library.
    pub path: Option<PathBuf>,
}

/// A known peer: its name, the file's name, the package that has it.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// What users call it.
    pub name: &'static str,
    /// File names to look for, the best first.
    pub files: &'static [&'static str],
    /// Debian's package; empty if there is none.
    pub package: &'static str,
}

/// The peers that are known by name.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "mimalloc",
        files: &["libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so"],
        package: "libmimalloc2.0",
    },
    Peer {
        name: "tcmalloc",
        files: &["libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so.4"],
        package: "libtcmalloc-minimal4",
    },
    Peer {
        name: "jemalloc",
        files: &["libjemalloc.so.2", "libjemalloc.so"],
        package: "libjemalloc2",
    },
    Peer {
        name: "snmalloc",
        files: &["libsnmallocshim.so"],
        package: "",
    },
    Peer {
        name: "rpmalloc",
        files: &["librpmallocwrap.so", "librpmalloc.so"],
        package: "",
    },
    Peer {
        name: "hoard",
        files: &["libhoard.so"],
        package: "",
    },
    Peer {
        name: "tbbmalloc",
        files: &["libtbbmalloc_proxy.so.2"],
        package: "libtbbmalloc2",
    },
];

/// Folders in which a distribution keeps libraries.
fn library_folders() -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    [
        format!("/usr/lib/{triplet}"),
        format!("/lib/{triplet}"),
        "/usr/lib64".into(),
        "/usr/local/lib".into(),
        "/usr/local/lib64".into(),
        "/usr/lib".into(),
    ]
    .into_iter()
    .map(PathBuf::from)
    .collect()
}

impl Peer {
    /// That it is not there, and what to do.
    fn missing(&self) -> String {
        let path = format!("give a path: {}=/…/{}", self.name, self.files[0]);
        match self.package {
            "" => format!(
                "{} is not installed here, and Debian has no package of it: {path}",
                self.name
            ),
            package => format!("{} is not installed here: apt install {package}, or {path}", self.name),
        }
    }
}

/// The C library's own file.
pub fn libc_file() -> Option<PathBuf> {
    library_folders()
        .into_iter()
        .map(|d| d.join("libc.so.6"))
        .find(|p| p.is_file())
}

/// Finds a peer's file.
pub fn find_peer(peer: &Peer) -> Option<PathBuf> {
    library_folders()
        .iter()
        .flat_map(|d| peer.files.iter().map(move |f| d.join(f)))
        .find(|p| p.is_file())
}

impl Library {
    /// The C library's own malloc.
    pub fn glibc() -> Self {
        Self {
            label: "glibc".into(),
            kind: Kind::Glibc,
            path: None,
        }
    }

    /// A contender by what the user wrote: `glibc`, a peer's name, a variant's name, or a path (it holds a slash or
    /// ends in `.so`). `label=path` gives a path a name. A variant must be what its config and the sources say now; a
    /// path is taken as it is.
    pub fn parse(place: &Place, word: &str) -> Result<Self> {
        if word == "glibc" {
            return Ok(Self::glibc());
        }
        if let Some(peer) = PEERS.iter().find(|p| p.name == word) {
            return find_peer(peer)
                .map(|path| Self {
                    label: word.into(),
                    kind: Kind::Peer,
                    path: Some(path),
                })
                .ok_or_else(|| Error::unfit(peer.missing()));
        }
        let (label, path) = match word.split_once('=') {
            Some((label, path)) => (Some(label), path),
            None => (None, word),
        };
        if label.is_some() || path.contains('/') || path.ends_with(".so") {
            if path.is_empty() {
                return Err(Error::input(format!("'{word}' names no file: label=path")));
            }
            let full = std::fs::canonicalize(path);
            let full = full.map_err(|e| Error::input(format!("{path}: {}", file::reason(&e))))?;
            file::check(&full).map_err(|why| Error::input(format!("{path}: {why}")))?;
            let stem = full
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            return Ok(Self {
                label: label.map_or(stem, Into::into),
                kind: Kind::File,
                path: Some(full),
            });
        }
        if place.is_variant(word) {
            return Ok(Self {
                label: word.into(),
                kind: Kind::Variant,
                path: Some(built::demand(place, word)?),
            });
        }
        let configs = place.config_names();
        let peers = || PEERS.iter().map(|p| p.name);
        let known = configs.iter().map(String::as_str).chain(peers()).chain(["glibc"]);
        let near = match suggest::nearest(word, known) {
            Some(near) => format!(": did you mean '{near}'?"),
            None => String::new(),
        };
        Err(Error::input(format!(
            "'{word}' is neither a config of this project, nor {}, nor glibc, nor a path{near}",
            peers().collect::<Vec<_>>().join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_libraries() {
        let place = Place {
            root: "/nowhere".into(),
        };
        assert_eq!(Library::parse(&place, "glibc").unwrap(), Library::glibc());
        let e = Library::parse(&place, "nonsense").unwrap_err();
        assert_eq!(
            e.message,
            "'nonsense' is neither a config of this project, nor mimalloc, tcmalloc, jemalloc, snmalloc, rpmalloc, hoard, tbbmalloc, nor glibc, nor a path"
        );
        assert_eq!(e.fault, crate::Fault::Input);
        assert!(
            Library::parse(&place, "./missing.so")
                .unwrap_err()
                .message
                .starts_with("./missing.so: ")
        );
    }
}
