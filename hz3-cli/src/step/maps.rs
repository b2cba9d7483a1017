//! What is mapped where in a process.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// One mapping of a file.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// The process may write it.
    pub writable: bool,
    /// The file's inode.
    pub inode: u64,
    /// The file.
    pub path: PathBuf,
}

/// The file mappings of the process `pid`.
pub fn read(pid: u32) -> std::io::Result<Vec<Mapping>> {
    Ok(parse(&std::fs::read(format!("/proc/{pid}/maps"))?))
}

/// The mapping that holds `address`.
pub fn at(maps: &[Mapping], address: u64) -> Option<&Mapping> {
    maps.iter().find(|m| (m.start..m.end).contains(&address))
}

/// The mapped file, if it is still there: as the process sees it, which may be in a container.
pub fn file(pid: u32, mapping: &Mapping) -> Option<PathBuf> {
    let inside = mapping.path.strip_prefix("/").ok()?;
    let places = [
        PathBuf::from(format!("/proc/{pid}/root")).join(inside),
        PathBuf::from(format!("/proc/{pid}/exe")),
    ];
    places
        .into_iter()
        .find(|place| std::fs::metadata(place).is_ok_and(|m| m.is_file() && m.ino() == mapping.inode))
}

fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|b| *b == b'\n').filter_map(line).collect()
}

/// `start-end perms offset dev inode   path`
fn line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |b| *b == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let writable = fields.next()?.get(1) == Some(&b'w');
    let offset = std::str::from_utf8(fields.next()?).ok()?;
    let inode = std::str::from_utf8(fields.nth(1)?).ok()?;
    let path = fields.next()?.trim_ascii_start();
    if !path.starts_with(b"/") {
        return None;
    }
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        writable,
        inode: inode.parse().ok()?,
        path: PathBuf::from(std::ffi::OsStr::from_bytes(path)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_a_process() {
        let text = b"55d0-55f0 r-xp 00001000 fe:00 1234    /usr/bin/a b\n7f00-7f01 rw-p 00000000 00:00 0 \nff00-ff01 r-xp 0 00:00 0 [vdso]\n";
        let maps = parse(text);
        assert_eq!(maps.len(), 1);
        assert_eq!((maps[0].start, maps[0].end, maps[0].offset), (0x55d0, 0x55f0, 0x1000));
        assert_eq!((maps[0].inode, maps[0].writable), (1234, false));
        assert_eq!(maps[0].path, PathBuf::from("/usr/bin/a b"));
        assert!(at(&maps, 0x55ef).is_some() && at(&maps, 0x55f0).is_none());
    }

    #[test]
    fn own_maps_hold_own_program() {
        let maps = read(std::process::id()).unwrap();
        let program = std::env::current_exe().unwrap();
        assert!(maps.iter().any(|m| hz3_project::file::same(&m.path, &program)));
    }
}
