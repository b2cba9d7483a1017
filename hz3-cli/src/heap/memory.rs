//! Memory of another process, read without its help: nothing that comes out of it is trusted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What can be read by address.
pub trait Memory {
    /// Fills `into` with what lies at `at`.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Which of so many pages from `at` on the kernel has in memory; None where that is not known.
    fn resident(&self, _at: u64, _pages: usize) -> Option<Vec<bool>> {
        None
    }
}

/// Why a heap could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The process ended meanwhile.
    Ended,
    /// Nothing is mapped at an address, or not any more.
    Unmapped(u64),
    /// What was read cannot be; the text says what.
    Nonsense(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Ended => f.write_str("it ended"),
            Fault::Unmapped(at) => write!(f, "nothing can be read at {at:#x}"),
            Fault::Nonsense(what) => f.write_str(what),
        }
    }
}

/// A piece of memory, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block(pub Vec<u8>);

impl Block {
    /// Copies `bytes` bytes from `at` on.
    pub fn fetch(memory: &dyn Memory, at: u64, bytes: usize) -> Result<Block, Fault> {
        let mut block = vec![0; bytes];
        match memory.read(at, &mut block) {
            Ok(()) => Ok(Block(block)),
            // The kernel reports the end of the file once the address space is gone, and EIO where nothing is mapped.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(Fault::Ended),
            Err(_) => Err(Fault::Unmapped(at)),
        }
    }

    fn get<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let at = usize::try_from(at).ok()?;
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    /// A byte at an offset; 0 beyond the end.
    pub fn u8(&self, at: u64) -> u8 {
        self.get(at).map_or(0, u8::from_ne_bytes)
    }

    /// Two bytes at an offset; 0 beyond the end.
    pub fn u16(&self, at: u64) -> u16 {
        self.get(at).map_or(0, u16::from_ne_bytes)
    }

    /// Four bytes at an offset; 0 beyond the end.
    pub fn u32(&self, at: u64) -> u32 {
        self.get(at).map_or(0, u32::from_ne_bytes)
    }

    /// Eight bytes at an offset; 0 beyond the end.
    pub fn u64(&self, at: u64) -> u64 {
        self.get(at).map_or(0, u64::from_ne_bytes)
    }

    /// Whether a bit of a set of 64-bit words at an offset is set.
    pub fn bit(&self, at: u64, bit: u64) -> bool {
        self.u64(at.saturating_add(bit / 64 * 8)) >> (bit % 64) & 1 != 0
    }
}

/// `/proc/PID/mem` and `/proc/PID/pagemap`.
#[derive(Debug)]
pub struct ProcessMemory {
    /// The memory.
    pub mem: File,
    /// Eight bytes a page, if it could be opened.
    pub pagemap: Option<File>,
}

/// Bit of a page's word that says that it is in memory.
const PRESENT: u64 = 1 << 63;

impl Memory for ProcessMemory {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.mem.read_exact_at(into, at)
    }

    fn resident(&self, at: u64, pages: usize) -> Option<Vec<bool>> {
        let mut words = vec![0; pages.checked_mul(8)?];
        self.pagemap.as_ref()?.read_exact_at(&mut words, at / 4096 * 8).ok()?;
        let words = words
            .chunks_exact(8)
            .map(|w| w.try_into().map_or(0, u64::from_ne_bytes));
        Some(words.map(|word| word & PRESENT != 0).collect())
    }
}
