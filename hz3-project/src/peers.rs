//! Other mallocs that are known by name, and where a distribution keeps them.

use crate::{Error, Result};
use std::path::PathBuf;

/// A known peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// What users call it.
    pub name: &'static str,
    /// File names to look for, the best first.
    pub files: &'static [&'static str],
    /// Debian's package; empty if there is none.
    pub package: &'static str,
}

const fn peer(name: &'static str, files: &'static [&'static str], package: &'static str) -> Peer {
    Peer { name, files, package }
}

/// All of them.
pub const PEERS: &[Peer] = &[
    peer(
        "mimalloc",
        &["libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so"],
        "libmimalloc2.0",
    ),
    peer(
        "tcmalloc",
        &["libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so.4"],
        "libtcmalloc-minimal4",
    ),
    peer("jemalloc", &["libjemalloc.so.2", "libjemalloc.so"], "libjemalloc2"),
    peer("snmalloc", &["libsnmallocshim.so"], ""),
    peer("rpmalloc", &["librpmallocwrap.so", "librpmalloc.so"], ""),
    peer("hoard", &["libhoard.so"], ""),
    peer("tbbmalloc", &["libtbbmalloc_proxy.so.2"], "libtbbmalloc2"),
];

/// The peer of this name.
pub fn named(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

impl Peer {
    /// Its file.
    ///
    /// # Errors
    ///
    /// That it is not installed, and what to do.
    pub fn find(&self) -> Result<PathBuf> {
        in_folders(self.files).ok_or_else(|| {
            let path = format!("give the path of its library: {}=/…/{}", self.name, self.files[0]);
            Error::unfit(format!("{} is not installed", self.name)).help(match self.package {
                "" => path,
                package => format!("apt install {package}, or {path}"),
            })
        })
    }
}

/// The C library's own file.
pub fn libc_file() -> Option<PathBuf> {
    in_folders(&["libc.so.6"])
}

/// The first of these files in the folders in which a distribution keeps libraries.
fn in_folders(files: &[&str]) -> Option<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = [
        format!("/usr/lib/{triplet}"),
        format!("/lib/{triplet}"),
        "/usr/lib64".into(),
        "/usr/local/lib".into(),
        "/usr/local/lib64".into(),
        "/usr/lib".into(),
    ];
    folders
        .iter()
        .flat_map(|folder| files.iter().map(move |file| PathBuf::from(folder).join(file)))
        .find(|path| path.is_file())
}
