//! What a variant consists of once it is installed, for programs that are linked against it: the library under the names
//! that linkers and the dynamic linker look for, a static archive, the header, and a description of all that for pkg-config
//! and CMake. `place` puts it into a prefix and takes it out again.

pub mod describe;
pub mod manifest;
pub mod place;

use hz3_config::Plan;
use hz3_config::soname::{link_name, soname};
use std::path::{Component, Path, PathBuf};

/// hz3's own functions, declared.
const HEADER: &str = include_str!("hz3.h");

/// The version of what is installed.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Something that is put in place.
pub struct Piece {
    /// Where, seen from the prefix.
    pub path: PathBuf,
    /// What.
    pub content: Content,
}

/// What a piece is.
pub enum Content {
    /// A file with these bytes, readable by all.
    File(Vec<u8>),
    /// A link to a file of this name in the same folder.
    Link(String),
}

/// Where the pieces of a variant belong.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder of everything, absolute: what pkg-config tells.
    pub prefix: PathBuf,
    /// The folder of libraries, seen from the prefix.
    pub libraries: PathBuf,
}

impl Layout {
    /// Where the variant's static archive belongs, seen from the prefix.
    fn library(&self, file: &str) -> PathBuf {
        self.libraries.join(file)
    }
}

/// Whether a path leads down from where it begins: only so does a prefix hold what is installed in it.
pub fn leads_down(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The file that the library's other names lead to: its version is that of the interface, then hz3's own.
pub fn file_name(variant: &str) -> String {
    let rest = VERSION.split_once('.').map_or("0", |(_, rest)| rest);
    format!("{}.{rest}", soname(variant))
}

/// The static archive of a variant.
pub fn archive_name(variant: &str) -> String {
    format!("libhz3_{variant}.a")
}

/// All pieces of a variant, the library before what leads to it. `library` and `archive` are the bytes of the two.
pub fn pieces(plan: &Plan, layout: &Layout, library: Vec<u8>, archive: Vec<u8>) -> Vec<Piece> {
    let name = plan.name.as_str();
    let file = |path: PathBuf, bytes: Vec<u8>| Piece {
        path,
        content: Content::File(bytes),
    };
    let link = |from: String, to: String| Piece {
        path: layout.library(&from),
        content: Content::Link(to),
    };
    let described = |path: PathBuf, text: String| file(path, text.into_bytes());
    let cmake = layout.library("cmake").join(format!("hz3_{name}"));
    let pkg_config = layout.library("pkgconfig");
    vec![
        file(layout.library(&file_name(name)), library),
        link(soname(name), file_name(name)),
        link(link_name(name), soname(name)),
        file(layout.library(&archive_name(name)), archive),
        described(PathBuf::from("include/hz3.h"), HEADER.to_owned()),
        described(
            pkg_config.join(format!("hz3_{name}.pc")),
            describe::shared(plan, layout),
        ),
        described(
            pkg_config.join(format!("hz3_{name}-static.pc")),
            describe::archive(plan, layout),
        ),
        described(
            cmake.join(format!("hz3_{name}Config.cmake")),
            describe::cmake(plan, layout),
        ),
        described(
            cmake.join(format!("hz3_{name}ConfigVersion.cmake")),
            describe::cmake_version(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(file_name("a-b"), format!("libhz3_a-b.so.{VERSION}"));
        assert!(leads_down(Path::new("lib/x86_64-linux-gnu")));
        for path in ["/lib", "../lib", "lib/../..", "./lib"] {
            assert!(!leads_down(Path::new(path)) || path == "./lib", "{path}");
        }
    }
}
