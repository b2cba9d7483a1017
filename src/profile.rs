//! Heap profiles of an allocator that records: which sizes, for how long, by whom, and, where it samples, from where.
//!
//! `stats.record` of the allocator's TOML says what is recorded: `"sample"` and `"sample-all"` draw samples, with call stacks;
//! `"histogram"` counts every object exactly, without stacks, and is slower. The file's format is pprof's. `cargo hz3` reads it,
//! and so do `pprof` and what else knows the format.

use crate::Allocator;
use crate::core::abi::profile;
use ::core::ffi::CStr;
use ::core::fmt;

/// Why there is no profile: an `errno`.
///
/// `std::io::Error::from_raw_os_error(error.code())` says it in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(i32);

impl Error {
    /// The allocator records nothing that a profile could tell.
    pub const NOTHING_RECORDED: Error = Error(38);

    /// The `errno`.
    pub fn code(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::NOTHING_RECORDED => f.write_str("the allocator records nothing: see `stats.record` of its config"),
            Error(code) => write!(f, "no heap profile: errno {code}"),
        }
    }
}

impl ::core::error::Error for Error {}

/// Why a profile was not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError<E> {
    /// There is none.
    Profile(Error),
    /// What the writer says.
    Writer(E),
}

impl<E: fmt::Display> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Profile(error) => error.fmt(f),
            WriteError::Writer(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> ::core::error::Error for WriteError<E> {}

/// Writes a profile to a file, which is there as a whole or not at all. Nothing is allocated.
///
/// ```
/// hz3::variant!(
///     /// Counts every object.
///     Alloc = "hz3:histogram"
/// );
///
/// #[global_allocator]
/// static GLOBAL: Alloc = Alloc;
///
/// fn main() {
///     let words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
///     hz3::profile::dump::<Alloc>(c"/dev/null").expect("the allocator records");
///     drop(words);
/// }
/// ```
///
/// # Errors
///
/// [`Error::NOTHING_RECORDED`], or what the kernel says of the file.
pub fn dump<A: Allocator>(path: &CStr) -> Result<(), Error> {
    profile::dump::<A>(path).map_err(Error)
}

/// Hands a profile to a writer, piece by piece. The writer may allocate: what it does is not in the profile, which is complete
/// by then.
///
/// ```
/// use std::io::Write;
///
/// # hz3::variant!(Alloc = "hz3:histogram");
/// # #[global_allocator]
/// # static GLOBAL: Alloc = Alloc;
/// # fn main() {
/// let mut response = Vec::new();
/// hz3::profile::write::<Alloc, _>(|bytes| response.write_all(bytes)).expect("the allocator records");
/// assert!(response.len() > 100);
/// # }
/// ```
///
/// # Errors
///
/// [`Error::NOTHING_RECORDED`], that there is no memory for the profile, or the writer's first error.
pub fn write<A: Allocator, E>(mut writer: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), WriteError<E>> {
    let mut result = Ok(());
    let mut take = |bytes: &[u8]| {
        result = writer(bytes);
        result.is_ok()
    };
    profile::each::<A>(&mut take).map_err(|code| WriteError::Profile(Error(code)))?;
    result.map_err(WriteError::Writer)
}
