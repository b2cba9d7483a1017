//! Text into a buffer of the caller's, like `snprintf`: no allocation, no formatting machinery.

/// Writes as much as fits and counts all of it.
pub struct Text {
    out: *mut u8,
    room: usize,
    length: usize,
}

impl Text {
    /// A writer into `room` bytes at `out`.
    ///
    /// # Safety
    /// `out` can be written for `room` bytes.
    pub unsafe fn new(out: *mut u8, room: usize) -> Self {
        Text { out, room, length: 0 }
    }

    /// Adds bytes. (Out of line: it is called from a hundred places, none of which is in a hurry.)
    #[inline(never)]
    pub fn push(&mut self, bytes: &[u8]) -> &mut Self {
        for &b in bytes {
            // One byte stays for the final zero.
            if self.length + 1 < self.room {
                // SAFETY: inside the buffer.
                unsafe { *self.out.add(self.length) = b };
            }
            self.length += 1;
        }
        self
    }

    /// Adds a number in decimal.
    pub fn number(&mut self, n: u64) -> &mut Self {
        if n >= 10 {
            self.number(n / 10);
        }
        self.push(&[b'0' + (n % 10) as u8])
    }

    /// Adds an address in hexadecimal.
    pub fn address(&mut self, p: *const u8) -> &mut Self {
        let n = p as usize;
        self.push(b"0x");
        let digits = (usize::BITS - n.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            let value = (n >> (digit * 4) & 15) as u8;
            self.push(&[if value < 10 { b'0' + value } else { b'a' + value - 10 }]);
        }
        self
    }

    /// Adds `"key":n` with a comma in front unless it is the first of its object.
    pub fn field(&mut self, first: bool, key: &str, n: u64) -> &mut Self {
        if !first {
            self.push(b",");
        }
        self.push(b"\"").push(key.as_bytes()).push(b"\":").number(n)
    }

    /// Ends the text with a zero and returns its length without it, whether it fitted or not.
    pub fn finish(self) -> usize {
        if self.room > 0 {
            // SAFETY: inside the buffer.
            unsafe { *self.out.add(self.length.min(self.room - 1)) = 0 };
        }
        self.length
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn writes_what_fits_and_counts_the_rest() {
        let mut buffer = [b'x'; 8];
        // SAFETY: the buffer is as long as it says.
        let mut t = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
        t.push(b"n=").number(0).push(b",").number(1_234_567);
        assert_eq!(t.finish(), 11);
        assert_eq!(&buffer, b"n=0,123\0");
    }

    #[test]
    fn addresses() {
        for n in [0, 9, 10, 0xff, 0x7fff_dead_beef, usize::MAX] {
            let mut buffer = [0; 40];
            // SAFETY: the buffer is as long as it says.
            let mut t = unsafe { Text::new(buffer.as_mut_ptr(), buffer.len()) };
            t.address(n as *const u8);
            let length = t.finish();
            assert_eq!(&buffer[..length], std::format!("{n:#x}").as_bytes());
        }
    }
}
