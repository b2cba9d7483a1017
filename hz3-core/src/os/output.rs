//! A file that is written whole or not at all, by system calls alone: nothing is allocated, so a signal handler may write one.

use super::file::read_at;
use super::{PAGE, raw};
use core::ffi::{CStr, c_int};

/// Bytes of a path, its zero included.
pub const PATH: usize = 1024;
/// What the file is called while it is written.
const UNFINISHED: &[u8] = b".unfinished";

/// A path that was put together, with its zero.
pub struct Path {
    text: [u8; PATH],
    length: usize,
    too_long: bool,
}

impl Default for Path {
    fn default() -> Self {
        Path {
            text: [0; PATH],
            length: 0,
            too_long: false,
        }
    }
}

impl Path {
    /// A path as it stands.
    pub fn plain(text: &CStr) -> Path {
        let mut path = Path::default();
        path.push(text.to_bytes());
        path
    }

    /// A path in which `%p` is this process's number, and `%%` a percent sign.
    pub fn of_process(text: &CStr) -> Path {
        let mut path = Path::default();
        let mut bytes = text.to_bytes().iter();
        while let Some(&b) = bytes.next() {
            match b {
                b'%' => match bytes.next() {
                    Some(b'p') => path.number(u64::from(super::process_number())),
                    Some(other) => path.push(&[*other]),
                    None => {}
                },
                b => path.push(&[b]),
            }
        }
        path
    }

    fn push(&mut self, bytes: &[u8]) {
        // The last byte stays zero.
        match self.text.get_mut(self.length..self.length + bytes.len()) {
            Some(place) if self.length + bytes.len() < PATH => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            _ => self.too_long = true,
        }
    }

    fn number(&mut self, n: u64) {
        if n >= 10 {
            self.number(n / 10);
        }
        self.push(&[b'0' + (n % 10) as u8]);
    }

    fn address(&self) -> usize {
        self.text.as_ptr() as usize
    }
}

/// The file.
pub struct Output<'a> {
    file: usize,
    path: Path,
    /// What it is called so far; empty if that is its name.
    unfinished: Path,
    buffer: &'a mut [u8],
    used: usize,
    /// The first error.
    error: c_int,
}

const AT: usize = libc::AT_FDCWD as usize;

impl<'a> Output<'a> {
    /// Begins a file that will have this name. `buffer` is where bytes wait.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create(path: Path, buffer: &'a mut [u8]) -> Result<Self, c_int> {
        if path.too_long || path.length == 0 {
            return Err(if path.too_long {
                libc::ENAMETOOLONG
            } else {
                libc::ENOENT
            });
        }
        let mut unfinished = Path::default();
        let mut flags = libc::O_WRONLY | libc::O_CLOEXEC;
        // A device, or a pipe, is written as it is: nothing takes its place.
        if !is_special(&path) {
            unfinished.push(path.text.get(..path.length).unwrap_or_default());
            unfinished.push(UNFINISHED);
            flags |= libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
        }
        if unfinished.too_long {
            return Err(libc::ENAMETOOLONG);
        }
        let name = if unfinished.length > 0 { &unfinished } else { &path };
        // SAFETY: the path ends with a zero, and outlives the call.
        let file = unsafe { raw::call(libc::SYS_openat, [AT, name.address(), flags as usize, 0o600, 0, 0]) };
        if raw::failed(file) {
            return Err(-file as c_int);
        }
        Ok(Output {
            file: file as usize,
            path,
            unfinished,
            buffer,
            used: 0,
            error: 0,
        })
    }

    /// Adds bytes.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.buffer.get_mut(self.used..).unwrap_or_default();
            let now = room.len().min(bytes.len());
            let (first, rest) = bytes.split_at(now);
            if let Some(place) = room.get_mut(..now) {
                place.copy_from_slice(first);
            }
            self.used += now;
            bytes = rest;
            if self.used == self.buffer.len() {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let mut at = 0;
        while at < self.used && self.error == 0 {
            // SAFETY: the part of the buffer that is in use.
            let wrote = unsafe {
                let from = self.buffer.as_ptr() as usize + at;
                raw::call(libc::SYS_write, [self.file, from, self.used - at, 0, 0, 0])
            };
            match wrote {
                n if n > 0 => at += n as usize,
                n if n == -(libc::EINTR as isize) => {}
                0 => self.error = libc::EIO,
                n => self.error = -n as c_int,
            }
        }
        self.used = 0;
    }

    /// Ends the file, and gives it its name.
    ///
    /// # Errors
    /// The first one that the kernel reported. Then there is no file.
    pub fn finish(mut self) -> Result<(), c_int> {
        self.flush();
        let (from, to) = (self.unfinished.address(), self.path.address());
        // SAFETY: the file is this one's; the paths end with zeroes, and outlive the calls.
        unsafe {
            let closed = raw::call(libc::SYS_close, [self.file, 0, 0, 0, 0, 0]);
            if self.error == 0 && raw::failed(closed) && closed != -(libc::EINTR as isize) {
                self.error = -closed as c_int;
            }
            if self.unfinished.length == 0 {
                return if self.error == 0 { Ok(()) } else { Err(self.error) };
            }
            if self.error == 0 {
                let renamed = raw::call(libc::SYS_renameat2, [AT, from, AT, to, 0, 0]);
                if raw::failed(renamed) {
                    self.error = -renamed as c_int;
                }
            }
            if self.error != 0 {
                raw::call(libc::SYS_unlinkat, [AT, from, 0, 0, 0, 0]);
            }
        }
        if self.error == 0 { Ok(()) } else { Err(self.error) }
    }
}

/// Whether something has this name that is no file, or what it names is another one's to name: a descriptor, as `/dev/stdout` is.
fn is_special(path: &Path) -> bool {
    if path.text.starts_with(b"/dev/") || path.text.starts_with(b"/proc/") {
        return true;
    }
    // SAFETY: plain numbers.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the path ends with a zero; both outlive the call.
    let r = unsafe {
        let into = &raw mut status as usize;
        raw::call(libc::SYS_newfstatat, [AT, path.address(), into, 0, 0, 0])
    };
    r == 0 && status.st_mode & libc::S_IFMT != libc::S_IFREG
}

/// Most bytes of a build id.
pub const BUILD_ID: usize = 32;

/// The GNU build id of an ELF file. Returns its bytes and how many there are; none if the file has none or cannot be read.
pub fn build_id(file: &CStr) -> ([u8; BUILD_ID], usize) {
    let mut id = ([0; BUILD_ID], 0);
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK) as usize;
    // SAFETY: the path ends with a zero, and outlives the call.
    let file = unsafe { raw::call(libc::SYS_openat, [AT, file.as_ptr() as usize, flags, 0, 0, 0]) };
    if raw::failed(file) {
        return id;
    }
    if let Some((bytes, length)) = find_build_id(file as usize) {
        id = (bytes, length);
    }
    // SAFETY: the file was opened here.
    unsafe { raw::call(libc::SYS_close, [file as usize, 0, 0, 0, 0, 0]) };
    id
}

fn find_build_id(file: usize) -> Option<([u8; BUILD_ID], usize)> {
    const HEADER: usize = size_of::<libc::Elf64_Ehdr>();
    const SEGMENT: usize = size_of::<libc::Elf64_Phdr>();
    /// Segments that are looked at, and bytes of notes.
    const SEGMENTS: usize = 64;
    const NOTES: usize = PAGE / 4;
    let word = |bytes: &[u8], at: usize| -> Option<u32> { Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?)) };
    let long = |bytes: &[u8], at: usize| -> Option<u64> { Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?)) };
    let mut header = [0u8; HEADER];
    if read_at(file, 0, &mut header) < HEADER || !header.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let first = long(&header, 32)?;
    let count = usize::from(u16::from_ne_bytes(*header.get(56..)?.first_chunk()?));
    for n in 0..count.min(SEGMENTS) {
        let mut segment = [0u8; SEGMENT];
        if read_at(file, first + (n * SEGMENT) as u64, &mut segment) < SEGMENT {
            return None;
        }
        if word(&segment, 0)? != libc::PT_NOTE {
            continue;
        }
        let mut notes = [0u8; NOTES];
        let length = (long(&segment, 32)? as usize).min(NOTES);
        let got = read_at(file, long(&segment, 8)?, notes.get_mut(..length)?);
        let mut rest = notes.get(..got)?;
        while let (Some(name), Some(bytes), Some(kind)) = (word(rest, 0), word(rest, 4), word(rest, 8)) {
            let (name, bytes) = (name as usize, bytes as usize);
            let (name_at, at) = (12, 12 + name.next_multiple_of(4));
            let Some(what) = rest.get(at..at.saturating_add(bytes)) else {
                break;
            };
            const GNU_BUILD_ID: u32 = 3;
            if kind == GNU_BUILD_ID && rest.get(name_at..name_at + name) == Some(b"GNU\0") && bytes <= BUILD_ID {
                let mut id = [0; BUILD_ID];
                id.get_mut(..bytes)?.copy_from_slice(what);
                return Some((id, bytes));
            }
            rest = rest.get(at + bytes.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::vec::Vec;

    fn folder() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(std::format!("hz3-output-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn c(path: &std::path::Path) -> CString {
        CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero")
    }

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let path = folder().join("whole %p");
        let mut buffer = [0; 7];
        let mut out = Output::create(Path::plain(&c(&path)), &mut buffer).expect("a file");
        let text: Vec<u8> = (0..100).collect();
        out.write(&text[..3]);
        out.write(&text[3..]);
        assert!(!path.exists());
        assert_eq!(out.finish(), Ok(()));
        assert_eq!(std::fs::read(&path).expect("it is there"), text);
        std::fs::remove_dir_all(folder()).expect("it goes");
    }

    #[test]
    fn what_is_refused_is_told() {
        let mut buffer = [0; 8];
        let mut error = |path: &CStr| Output::create(Path::plain(path), &mut buffer).err();
        assert_eq!(error(c"/no such folder/x"), Some(libc::ENOENT));
        assert_eq!(error(c""), Some(libc::ENOENT));
        let long = CString::new("x".repeat(PATH)).expect("no zero");
        assert_eq!(error(&long), Some(libc::ENAMETOOLONG));
        let out = Output::create(Path::plain(c"/dev/full"), &mut buffer).expect("a device is written as it is");
        let mut out = out;
        out.write(b"12345678");
        assert_eq!(out.finish(), Err(libc::ENOSPC));
    }

    #[test]
    fn numbers_of_processes_stand_in_paths() {
        let path = Path::of_process(c"a%p%%b");
        let want = std::format!("a{}%b", std::process::id());
        assert_eq!(&path.text[..path.length], want.as_bytes());
    }

    #[test]
    fn finds_build_ids() {
        let own = std::env::current_exe().expect("a program");
        let (id, length) = build_id(&c(&own));
        let whole = std::fs::read(&own).expect("it is there");
        // As the linker of this machine was told to write one, or not.
        if length > 0 {
            assert!(whole.windows(length).any(|bytes| bytes == &id[..length]));
        }
        assert_eq!(build_id(c"/etc/passwd").1, 0);
        assert_eq!(build_id(c"/no such file").1, 0);
        let (_, length) = build_id(c"/lib/x86_64-linux-gnu/libc.so.6");
        assert!(length == 0 || length == 20, "{length}");
    }
}
