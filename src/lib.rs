//! hz3: a malloc made at build time from one TOML.
//!
//! [`Hz3`] is the allocator for everybody:
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: hz3::Hz3 = hz3::Hz3;
//!
//! fn main() {
//!     assert_eq!((0..1000).collect::<Vec<_>>().len(), 1000);
//! }
//! ```
//!
//! [`variant!`] makes another one, from a preset (`hz3:compact` wants the least memory) or from a TOML of your own. [`stats`]
//! and [`stats_json`] say where memory is, and [`trim`] gives back what is not in use. [`profile`] writes what an allocator has
//! recorded. With the feature `prometheus`, `prometheus::encode` writes the statistics as Prometheus reads them.
//!
//! The allocator is Rust alone: no C is compiled. It is `no_std`, depends on `libc`, and does not panic. It runs on Linux on
//! x86-64 and, tried under an emulator, aarch64, with pages of 4 KiB. Other machines do not compile.
#![no_std]

pub mod profile;
#[cfg(any(feature = "prometheus", test))]
pub mod prometheus;

use ::core::alloc::GlobalAlloc;

#[doc(hidden)]
pub use hz3_core as core;
#[doc(inline)]
pub use hz3_core::abi::introspect::Totals as Stats;
#[doc(inline)]
pub use hz3_core::statics::errors::{Error, Fault};
#[doc(hidden)]
pub use hz3_macros::variant as __variant;

use crate::core::Shared;
use crate::core::abi::{c, introspect};

/// Defines an allocator: `variant!(pub Name = "my-malloc.toml");`
///
/// `Name` becomes a unit struct that implements [`GlobalAlloc`] and [`Allocator`]. What stands behind `=` is
///
/// - a path of a TOML, relative to the folder of the crate's `Cargo.toml`,
/// - `"hz3:NAME"` for a preset, one of the configs that hz3 ships, or
/// - `env "VARIABLE" or "…"`: what that environment variable of the *build* says, if it is set and not empty, and otherwise
///   the text.
///
/// Attributes, documentation and any visibility may stand before the name. Several variants can live in one program; each
/// has its own memory, and an object goes back to the variant that it came from.
///
/// Every error of the config is a compile error with file, line, column and help. A change of the TOML, of any file that it
/// extends, or of the variable builds the crate again.
///
/// ```
/// hz3::variant!(
///     /// This program's allocator: least memory.
///     pub Alloc = "hz3:compact"
/// );
///
/// #[global_allocator]
/// static GLOBAL: Alloc = Alloc;
///
/// fn main() {
///     let words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
///     assert!(hz3::stats::<Alloc>().live() > 1000 * 16);
///     drop(words);
///     hz3::trim::<Alloc>();
/// }
/// ```
///
/// The keys of a TOML are described in the reference of the config language; a name and a description are enough:
///
/// ```toml
/// name = "my-malloc"
/// description = "The allocator of this program"
/// extends = "hz3:compact"
///
/// [cache]
/// thread_bytes = "1MiB"
/// ```
///
/// An error of the config is one of the compiler:
///
/// ```compile_fail
/// hz3::variant!(Alloc = "hz3:compcat"); // there is no preset `compcat`; did you mean "hz3:compact"?
/// ```
#[macro_export]
macro_rules! variant {
    ($($input:tt)*) => {
        $crate::__variant! { $crate; $($input)* }
    };
}

// Its config has segments of the usual length, and all variants of a program have the same.
#[cfg(not(any(
    feature = "segment-1m",
    feature = "segment-4m",
    feature = "segment-8m",
    feature = "segment-16m",
    feature = "segment-32m"
)))]
__variant! {
    crate; perhaps;
    /// The allocator of the preset `default`, for programs that want no TOML.
    ///
    /// A plugin, which a program loads by `dlopen`, takes a variant of its own whose `build.tls` is `"dynamic"`, such as the
    /// preset `late`: it can be unloaded, and this one cannot.
    ///
    /// ```
    /// #[global_allocator]
    /// static GLOBAL: hz3::Hz3 = hz3::Hz3;
    /// # fn main() { assert_eq!(vec![1, 2, 3].len(), 3); }
    /// ```
    pub Hz3 = "hz3:default"
}

/// An allocator that [`variant!`] made, or [`Hz3`].
pub trait Allocator: GlobalAlloc + core::Variant {}

impl<A: GlobalAlloc + core::Variant> Allocator for A {}

/// Where the allocator's memory is at this moment.
///
/// It is taken level by level while other threads go on, so under load the sums may be off by what moved in between. It walks
/// all segments under the page heap's lock: ask once a second, not once a request.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// let kept = vec![0u8; 10 << 20];
/// let now = hz3::stats::<hz3::Hz3>();
/// assert!(now.live() >= 10 << 20 && now.taken >= now.live());
/// # drop(kept);
/// ```
pub fn stats<A: Allocator>() -> Stats {
    introspect::totals::<A>()
}

/// The same, and more of it, as one JSON object: with `stats.level = "events"` also the counts, cycles and longest of each kind
/// of event. Returns what fits into the buffer, which is all of it with 16 KiB.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// let mut buffer = [0; 16 << 10];
/// let text = hz3::stats_json::<hz3::Hz3>(&mut buffer);
/// assert!(text.starts_with("{\"name\":\"default\"") && text.ends_with('}'));
/// ```
pub fn stats_json<A: Allocator>(buffer: &mut [u8]) -> &str {
    // SAFETY: the buffer is as long as it says.
    let length = unsafe { introspect::stats_json::<A>(buffer.as_mut_ptr(), buffer.len()) };
    // The last byte is the zero that ends it for C.
    let text = &buffer[..length.min(buffer.len().saturating_sub(1))];
    // The text is ASCII.
    ::core::str::from_utf8(text).unwrap_or_default()
}

/// Has a function told of each error that the allocator finds (a double free, a pointer that is nobody's), or nobody. The report
/// is on standard error already.
///
/// Where the config's `hardening.on_error` is `"abort"` the process ends when the function returns; where it is `"continue"` it
/// goes on, and what the error was about is leaked. The function is called in the thread that found the error, and may allocate.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// extern "C" fn told(error: &hz3::Error) {
///     if error.fault == hz3::Fault::DoubleFree {
///         eprintln!("{:?} was freed twice", error.pointer);
///     }
/// }
///
/// hz3::on_error::<hz3::Hz3>(Some(told));
/// ```
pub fn on_error<A: Allocator>(told: Option<extern "C" fn(&Error)>) {
    A::shared().errors().set_hook(told);
}

/// Sets the limits of the allocator's heap, in bytes; `None` is none. Returns whether they hold: a soft limit must not be above the
/// hard one.
///
/// They replace `arena.soft_limit` and `arena.hard_limit` of the config. What counts is `committed_bytes` of [`stats_json`]: every
/// page of the heap that may hold something. Above the soft limit caches and free pages are given back. Above the hard one there
/// is no memory: allocations fail, and whoever cannot go on without ends in
/// `std::alloc::handle_alloc_error`.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// assert!(hz3::set_limit::<hz3::Hz3>(Some(48 << 20), Some(64 << 20)));
/// let mut much: Vec<u8> = Vec::new();
/// assert!(much.try_reserve(100 << 20).is_err());
/// assert!(hz3::set_limit::<hz3::Hz3>(None, None));
/// assert!(much.try_reserve(100 << 20).is_ok());
/// ```
pub fn set_limit<A: Allocator>(soft: Option<usize>, hard: Option<usize>) -> bool {
    // None is 0, so that no limit of nothing can be set: the least is one byte.
    let bytes = |limit: Option<usize>| limit.map_or(0, |bytes| bytes.max(1));
    // SAFETY: any thread may ask at any time that is not within the allocator, and no caller of this is.
    unsafe { hz3_core::event::limit::set::<A>(bytes(soft), bytes(hard)) }
}

/// Gives memory that is not in use back to the kernel, and returns how many bytes it got.
///
/// The calling thread's caches, what waits between threads, and all free pages go at once. Other threads' caches follow when
/// these threads next need memory from the heap.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: hz3::Hz3 = hz3::Hz3;
/// let words: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
/// drop(words);
/// assert!(hz3::trim::<hz3::Hz3>() > 0);
/// ```
pub fn trim<A: Allocator>() -> usize {
    // SAFETY: any thread may ask at any time that is not within the allocator, and no caller of this is.
    unsafe { c::trim::<A>(0) }
}

/// The examples of the texts are compiled, too.
#[cfg(doctest)]
mod texts {
    #[doc = include_str!("README.md")]
    struct Own;
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/rust.md")]
    struct Rust;
}
