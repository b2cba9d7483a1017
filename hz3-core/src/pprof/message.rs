//! Messages as protobuf writes them: numbers, and bytes with their length in front.

/// Where the bytes of a profile go.
pub trait Sink {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]);
}

/// A message that becomes part of a larger one: its length stands in front of it. What does not fit is left out, so whoever
/// makes one knows that it fits.
pub struct Part<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Part<N> {
    fn default() -> Self {
        Part {
            bytes: [0; N],
            length: 0,
        }
    }
}

impl<const N: usize> Part<N> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

impl<const N: usize> Sink for Part<N> {
    fn take(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }
}

pub(super) fn varint(out: &mut impl Sink, mut n: u64) {
    while n >= 0x80 {
        out.take(&[n as u8 | 0x80]);
        n >>= 7;
    }
    out.take(&[n as u8]);
}

/// A field that is a number. (One that is 0 is left out, as it is the default.)
pub(super) fn number(out: &mut impl Sink, field: u64, n: u64) {
    if n != 0 {
        varint(out, field << 3);
        varint(out, n);
    }
}

/// A field of bytes: a string, a message, or packed numbers.
pub(super) fn bytes(out: &mut impl Sink, field: u64, what: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, what.len() as u64);
    out.take(what);
}
