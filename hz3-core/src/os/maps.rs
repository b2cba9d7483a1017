//! What the process has mapped: at an address, for messages, and its code, for profiles.

use super::raw;

/// Bytes of a mapping's name that are kept.
const NAME: usize = 512;

/// A mapping.
pub struct Mapping {
    /// Its first address.
    pub start: usize,
    /// The one after its last.
    pub end: usize,
    /// Offset of its first byte in its file.
    pub offset: usize,
    /// Whether it is code.
    pub code: bool,
    name: [u8; NAME],
    length: usize,
}

impl Mapping {
    /// The file's path, for the kernel; empty if there is none.
    pub fn path(&self) -> &core::ffi::CStr {
        // The name is shorter than its room by a zero at least.
        core::ffi::CStr::from_bytes_until_nul(&self.name).unwrap_or_default()
    }

    /// A file's path, at most its first 512 bytes, a name of the kernel's such as `[stack]`, or nothing.
    pub fn name(&self) -> &[u8] {
        self.name.get(..self.length).unwrap_or(&[])
    }
}

/// What is known of an address.
#[allow(clippy::large_enum_variant)] // It lies on the stack for a moment, and nothing may be allocated.
pub enum Mapped {
    /// Nothing is mapped there.
    Nothing,
    /// The mapping that it lies in.
    In(Mapping),
    /// The kernel does not tell.
    Unknown,
}

/// What is mapped at an address. Allocates nothing.
pub fn mapped_at(address: usize) -> Mapped {
    let mut found = Mapped::Nothing;
    let told = each_mapping(|mapping| {
        let here = (mapping.start..mapping.end).contains(&address);
        if here {
            found = Mapped::In(mapping);
        }
        !here
    });
    if told { found } else { Mapped::Unknown }
}

/// Calls `f` with each mapping, by rising address, until it returns false. Allocates nothing. False if the kernel does not
/// tell.
pub fn each_mapping(mut f: impl FnMut(Mapping) -> bool) -> bool {
    let (path, flags) = (c"/proc/self/maps".as_ptr() as usize, libc::O_RDONLY | libc::O_CLOEXEC);
    // SAFETY: the path is a C string.
    let file = unsafe {
        raw::call(
            libc::SYS_openat,
            [libc::AT_FDCWD as usize, path, flags as usize, 0, 0, 0],
        )
    };
    if raw::failed(file) {
        return false;
    }
    let mut line = Line::new();
    let mut buffer = [0u8; 512];
    'reading: loop {
        // SAFETY: the buffer is as long as it says.
        let got = unsafe {
            let into = buffer.as_mut_ptr() as usize;
            raw::call(libc::SYS_read, [file as usize, into, buffer.len(), 0, 0, 0])
        };
        let Some(bytes) = usize::try_from(got).ok().and_then(|n| buffer.get(..n)) else {
            break;
        };
        if bytes.is_empty() {
            break;
        }
        for &b in bytes {
            if line.take(b) && !f(core::mem::replace(&mut line, Line::new()).mapping) {
                break 'reading;
            }
        }
    }
    // SAFETY: the file was opened here.
    unsafe { raw::call(libc::SYS_close, [file as usize, 0, 0, 0, 0, 0]) };
    true
}

/// A line of the kernel's list: `start-end access offset device inode name`.
struct Line {
    mapping: Mapping,
    /// Words that have ended.
    words: u32,
    /// Whether the last byte was a space.
    space: bool,
}

impl Line {
    const fn new() -> Line {
        Line {
            mapping: Mapping {
                start: 0,
                end: 0,
                offset: 0,
                code: false,
                name: [0; NAME],
                length: 0,
            },
            words: 0,
            space: false,
        }
    }

    /// Takes the next byte. True at the line's end.
    #[inline(never)]
    fn take(&mut self, b: u8) -> bool {
        let m = &mut self.mapping;
        match (b, self.words) {
            (b'\n', _) => return true,
            (b' ', ..5) => {
                self.words += u32::from(!self.space);
                self.space = true;
                return false;
            }
            (b' ', _) if self.space => return false,
            (b'-', 0) => (m.start, m.end) = (m.end, 0),
            (_, 0) => m.end = m.end << 4 | (b as char).to_digit(16).unwrap_or(0) as usize,
            (_, 1) => m.code |= b == b'x',
            (_, 2) => m.offset = m.offset << 4 | (b as char).to_digit(16).unwrap_or(0) as usize,
            (_, ..5) => {}
            _ => {
                // A zero stays at the end.
                if let Some(place) = m.name.get_mut(m.length).filter(|_| m.length + 1 < NAME) {
                    *place = b;
                    m.length += 1;
                }
            }
        }
        self.space = false;
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        let mut line = Line::new();
        let text = b"7f00dead0000-7f00dead5000 r-xp 00001000 fe:00 1234                       /usr/lib/a b.so\n";
        let ends = text.iter().map(|&b| line.take(b)).filter(|&end| end).count();
        let m = line.mapping;
        assert_eq!(
            (ends, m.start, m.end, m.name()),
            (1, 0x7f00_dead_0000, 0x7f00_dead_5000, &b"/usr/lib/a b.so"[..])
        );
        assert_eq!((m.code, m.offset), (true, 0x1000));
        let mut line = Line::new();
        b"1000-3000 rw-p 00000000 00:00 0 \n".iter().for_each(|&b| {
            line.take(b);
        });
        assert_eq!(
            (line.mapping.start, line.mapping.end, line.mapping.name()),
            (0x1000, 0x3000, &b""[..])
        );
        assert!(!line.mapping.code);
    }

    #[test]
    fn finds_what_is_there() {
        let local = 0u8;
        static FIXED: u8 = 1;
        let named = |address: *const u8| match mapped_at(address as usize) {
            Mapped::In(m) => std::string::String::from_utf8_lossy(m.name()).into_owned(),
            Mapped::Nothing => "nothing".into(),
            Mapped::Unknown => "unknown".into(),
        };
        assert!(named(&raw const FIXED).starts_with('/'), "{}", named(&raw const FIXED));
        assert_ne!(named(&raw const local), "nothing");
        assert_eq!(named(core::ptr::without_provenance(16)), "nothing");
    }
}
