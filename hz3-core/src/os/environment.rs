//! What the process was told by its environment when it started.
//!
//! Read from the kernel's copy: the C library's may not be there yet when the first memory is asked for, and a program may
//! change it meanwhile.

use super::file::File;

/// Copies the value of a variable into `out`. Returns its length; None if there is none, if it does not fit, or where the
/// process has rights that whoever started it has not.
pub fn variable(name: &[u8], out: &mut [u8]) -> Option<usize> {
    // SAFETY: always safe to call.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return None;
    }
    let file = File::open(c"/proc/self/environ")?;
    let mut search = Search::new(name);
    let mut buffer = [0u8; 512];
    loop {
        let got = file.read(&mut buffer);
        for &b in buffer.get(..got).unwrap_or_default() {
            if let Some(found) = search.take(b, out) {
                return found;
            }
        }
        if got == 0 {
            return search.take(0, out).flatten();
        }
    }
}

/// How far a look through `A=1\0B=2\0` has come.
struct Search<'a> {
    name: &'a [u8],
    /// Bytes of the entry so far.
    at: usize,
    /// Whether it is another one's.
    other: bool,
}

impl<'a> Search<'a> {
    fn new(name: &'a [u8]) -> Self {
        Search {
            name,
            at: 0,
            other: false,
        }
    }

    /// Takes the next byte. At the end of the entry that is looked for: its length, if it fits.
    fn take(&mut self, b: u8, out: &mut [u8]) -> Option<Option<usize>> {
        let begin = self.name.len() + 1;
        if b == 0 {
            let found = (!self.other && self.at >= begin).then(|| Some(self.at - begin).filter(|n| *n <= out.len()));
            (self.at, self.other) = (0, false);
            return found;
        }
        match self.name.get(self.at) {
            Some(expected) => self.other |= *expected != b,
            None if self.at + 1 == begin => self.other |= b != b'=',
            None if self.other => {}
            None => {
                if let Some(place) = out.get_mut(self.at - begin) {
                    *place = b;
                }
            }
        }
        self.at += 1;
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn find(text: &[u8], name: &[u8], room: usize) -> Option<std::vec::Vec<u8>> {
        let mut out = std::vec![0; room];
        let mut search = Search::new(name);
        let length = text.iter().find_map(|&b| search.take(b, &mut out))??;
        out.truncate(length);
        Some(out)
    }

    #[test]
    fn finds_a_variable_among_others() {
        let text = b"AB=no\0B=1\0BB=2\0B2=\0LONG=0123456789\0";
        assert_eq!(find(text, b"B", 8).as_deref(), Some(&b"1"[..]));
        assert_eq!(find(text, b"BB", 8).as_deref(), Some(&b"2"[..]));
        assert_eq!(find(text, b"B2", 8).as_deref(), Some(&b""[..]));
        assert_eq!(find(text, b"A", 8), None);
        assert_eq!(find(text, b"LONG", 9), None);
        assert_eq!(find(text, b"LONG", 10).as_deref(), Some(&b"0123456789"[..]));
    }

    #[test]
    fn reads_that_of_the_process() {
        let mut out = [0; 4096];
        let path = variable(b"PATH", &mut out).map(|n| &out[..n]);
        assert_eq!(path, std::env::var_os("PATH").as_ref().map(|p| p.as_encoded_bytes()));
        assert_eq!(variable(b"NO_SUCH_VARIABLE", &mut out), None);
    }
}
