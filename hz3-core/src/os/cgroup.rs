//! What the process's control group says of memory: its limits, and whether its threads wait for memory.
//!
//! Of both versions of the interface, where they are mounted as a rule. A group is bounded by all groups that it is in, up to
//! the root; what is narrowest holds. In a container with a namespace of its own the root is the container's own group. Nothing
//! is allocated. Files that are not there, or cannot be read, set no limit.

use super::file::File;
use core::ffi::CStr;

/// Where the groups are, as a rule.
pub const ROOT: &[u8] = b"/sys/fs/cgroup";
/// Bytes of a path, with its zero. A group whose path is longer is not looked at.
const PATH: usize = 512;
/// Bytes of `/proc/self/cgroup` that are read: a line for each of the controllers of the first version, and one of the second.
const GROUPS: usize = 4096;
/// From here on a number means that there is no limit, in the first version.
const NONE: u64 = 1 << 60;
/// Hundredths of a percent of the last ten seconds in which some thread waited for memory, from which on it is short.
const STALLED: u64 = 500;

/// What holds for the process's group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Bytes from which on the kernel slows the group down and takes its pages (`memory.high`).
    pub high: Option<u64>,
    /// Bytes at which it ends a process of the group (`memory.max`, `memory.limit_in_bytes`).
    pub max: Option<u64>,
    /// Threads of the group wait for memory (`memory.pressure`).
    pub stalls: bool,
}

impl Group {
    /// No limit.
    pub const UNBOUND: Group = Group {
        high: None,
        max: None,
        stalls: false,
    };

    /// What holds for the calling process now.
    pub fn of_process() -> Group {
        let mut text = [0; GROUPS];
        let length = read(c"/proc/self/cgroup", &mut text);
        Group::read(ROOT, text.get(..length).unwrap_or_default())
    }

    /// What holds for a process of which `/proc/self/cgroup` says so, with the groups below a root.
    pub fn read(root: &[u8], groups: &[u8]) -> Group {
        let mut found = Group::UNBOUND;
        for line in groups.split(|b| *b == b'\n') {
            let mut parts = line.splitn(3, |b| *b == b':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            if controllers.is_empty() {
                found.look(&[root], path, [b"memory.high", b"memory.max", b"memory.pressure"]);
            } else if controllers.split(|b| *b == b',').any(|c| c == b"memory") {
                found.look(&[root, b"/memory"], path, [b"", b"memory.limit_in_bytes", b""]);
            }
        }
        found
    }

    /// Looks at a group and all that it is in. The files are those that say `high`, `max` and what waits.
    fn look(&mut self, root: &[&[u8]], path: &[u8], [high, max, pressure]: [&[u8]; 3]) {
        let mut path = path.strip_suffix(b"/").unwrap_or(path);
        loop {
            let file = |name: &[u8], text: &mut [u8]| match Path::of(root, &[path, b"/", name]) {
                Some(path) if !name.is_empty() => read(path.text(), text),
                _ => 0,
            };
            let mut text = [0; 64];
            for (name, narrowest) in [(high, &mut self.high), (max, &mut self.max)] {
                let length = file(name, &mut text);
                let bytes = number(text.get(..length).unwrap_or_default()).filter(|n| *n < NONE);
                *narrowest = [*narrowest, bytes].into_iter().flatten().min();
            }
            let length = file(pressure, &mut text);
            self.stalls |= stalled(text.get(..length).unwrap_or_default()) >= STALLED;
            match path.iter().rposition(|b| *b == b'/') {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return,
            }
        }
    }
}

/// Reads the beginning of a file. The number of bytes; 0 if there is none.
fn read(path: &CStr, text: &mut [u8]) -> usize {
    let Some(file) = File::open(path) else { return 0 };
    let mut length = 0;
    loop {
        let got = file.read(text.get_mut(length..).unwrap_or_default());
        if got == 0 {
            return length;
        }
        length += got;
    }
}

/// The number that a text begins with; none if it begins with something else, such as `max`.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit());
    let value = digits
        .clone()
        .fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    (digits.count() > 0).then_some(value)
}

/// Hundredths of a percent that a text such as `some avg10=1.25 avg60=…` says of the last ten seconds.
fn stalled(text: &[u8]) -> u64 {
    const BEGIN: &[u8] = b"some avg10=";
    let Some(rest) = text.strip_prefix(BEGIN) else { return 0 };
    let whole = number(rest).unwrap_or(0);
    let mut parts = rest.splitn(2, |b| *b == b'.');
    let hundredths = parts.nth(1).and_then(|rest| number(rest.get(..2).unwrap_or_default()));
    whole * 100 + hundredths.unwrap_or(0)
}

/// A path, for the kernel.
struct Path([u8; PATH]);

impl Path {
    /// All these parts one behind the other, if that is not too long.
    fn of(root: &[&[u8]], rest: &[&[u8]]) -> Option<Path> {
        let mut path = [0; PATH];
        let mut at = 0;
        for part in root.iter().chain(rest) {
            path.get_mut(at..at + part.len())?.copy_from_slice(part);
            at += part.len();
        }
        (at < PATH).then_some(Path(path))
    }

    fn text(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::string::String;
    use std::{format, fs, path::PathBuf, process, vec::Vec};

    /// A made-up tree of groups, which is removed when it is dropped.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, files: &[(&str, &str)]) -> Tree {
            let root = std::env::temp_dir().join(format!("hz3-cgroup-{name}-{}", process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            Tree(root)
        }

        fn read(&self, groups: &str) -> Group {
            let root: Vec<u8> = String::from(self.0.to_str().expect("a name")).into_bytes();
            Group::read(&root, groups.as_bytes())
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_narrowest_of_all_groups_holds() {
        let tree = Tree::new(
            "two",
            &[
                ("memory.max", "max\n"),
                ("a/memory.max", "268435456\n"),
                ("a/memory.high", "max\n"),
                (
                    "a/memory.pressure",
                    "some avg10=4.99 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00\n",
                ),
                ("a/b/memory.max", "536870912\n"),
                ("a/b/memory.high", "209715200\n"),
                (
                    "a/b/memory.pressure",
                    "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00\n",
                ),
            ],
        );
        let inner = tree.read("0::/a/b\n");
        assert_eq!(
            (inner.high, inner.max, inner.stalls),
            (Some(200 * MIB), Some(256 * MIB), true)
        );
        let outer = tree.read("1:cpu:/elsewhere\n0::/a\n");
        assert_eq!((outer.high, outer.max, outer.stalls), (None, Some(256 * MIB), false));
        assert_eq!(tree.read("0::/\n"), Group::UNBOUND);
        assert_eq!(tree.read("0::/nowhere\n"), Group::UNBOUND);
        assert_eq!(tree.read(""), Group::UNBOUND);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let tree = Tree::new("own", &[("memory.max", "100663296\n"), ("memory.high", "max\n")]);
        assert_eq!(tree.read("0::/\n").max, Some(96 * MIB));
        // With the path that it has outside of the container.
        assert_eq!(tree.read("0::/docker/0123\n").max, Some(96 * MIB));
    }

    #[test]
    fn the_first_version_has_one_limit() {
        let tree = Tree::new(
            "one",
            &[
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/box/memory.limit_in_bytes", "134217728\n"),
            ],
        );
        let found = tree.read("5:cpu:/\n4:hugetlb,memory:/box\n0::/\n");
        assert_eq!((found.high, found.max), (None, Some(128 * MIB)));
        assert_eq!(tree.read("4:memory:/\n"), Group::UNBOUND);
        assert_eq!(tree.read("4:memoryless:/box\n"), Group::UNBOUND);
    }

    #[test]
    fn what_is_too_long_or_no_number_sets_no_limit() {
        let long = format!("0::/{}\n", "x".repeat(PATH));
        let tree = Tree::new("odd", &[("memory.max", "garbage"), ("memory.pressure", "some avg10=")]);
        assert_eq!(tree.read(&long), Group::UNBOUND);
        assert_eq!(tree.read("0::/\n"), Group::UNBOUND);
        assert_eq!(number(b"99999999999999999999999"), Some(u64::MAX));
        assert_eq!(stalled(b"some avg10=3.07 avg60"), 307);
    }
}
