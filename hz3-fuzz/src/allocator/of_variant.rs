//! A variant that is compiled into this program.

use super::entries::{Entries, Own, Rust};
use super::player::Promise;
use hz3::core::Variant;
use hz3::core::abi::{c, calls, global, introspect, profile};
use std::alloc::Layout;
use std::ffi::{c_char, c_int};

/// Defines functions of the C ABI that call one generic function of the core each.
macro_rules! shims {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;)*) => {
        $(/// # Safety
        /// The contract of the C function of this name, or of `GlobalAlloc`'s.
        unsafe extern "C" fn $name<V: Variant>($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the function of the core has the contract of the C function of this name, which the caller keeps; the
            // threads of this program are the C library's.
            unsafe { $body }
        })*
    };
}

shims! {
    malloc(n: usize) -> *mut u8 = calls::malloc::<V>(n);
    calloc(count: usize, n: usize) -> *mut u8 = c::calloc::<V>(count, n);
    realloc(p: *mut u8, n: usize) -> *mut u8 = c::realloc::<V>(p, n);
    reallocarray(p: *mut u8, count: usize, n: usize) -> *mut u8 = c::reallocarray::<V>(p, count, n);
    aligned_alloc(align: usize, n: usize) -> *mut u8 = c::aligned_alloc::<V>(align, n);
    posix_memalign(out: *mut *mut u8, align: usize, n: usize) -> c_int = c::posix_memalign::<V>(out, align, n);
    memalign(align: usize, n: usize) -> *mut u8 = c::memalign::<V>(align, n);
    valloc(n: usize) -> *mut u8 = c::valloc::<V>(n);
    pvalloc(n: usize) -> *mut u8 = c::pvalloc::<V>(n);
    free(p: *mut u8) = calls::free::<V>(p);
    free_sized(p: *mut u8, n: usize) = calls::free_sized::<V>(p, n, 1, false);
    free_aligned_sized(p: *mut u8, align: usize, n: usize) = calls::free_sized::<V>(p, n, align, false);
    usable(p: *mut u8) -> usize = c::malloc_usable_size::<V>(p);
    trim(pad: usize) -> c_int = c_int::from(c::trim::<V>(pad) > 0);
    stats_json(out: *mut u8, room: usize) -> usize = introspect::stats_json::<V>(out, room);
    dump(path: *const c_char) -> c_int = profile::profile_dump::<V>(path);
    alloc(n: usize, align: usize) -> *mut u8 = global::alloc::<V>(Layout::from_size_align_unchecked(n, align));
    alloc_zeroed(n: usize, align: usize) -> *mut u8 =
        global::alloc_zeroed::<V>(Layout::from_size_align_unchecked(n, align));
    rust_realloc(p: *mut u8, n: usize, align: usize, to: usize) -> *mut u8 =
        global::realloc::<V>(p, Layout::from_size_align_unchecked(n, align), to);
    dealloc(p: *mut u8, n: usize, align: usize) =
        global::dealloc::<V>(p, Layout::from_size_align_unchecked(n, align));
}

/// Looks at all that the variant counts.
extern "C" fn info<V: Variant>() {
    let totals = introspect::totals::<V>();
    std::hint::black_box(totals.live());
    let mut text = [0u8; introspect::REPORT];
    // SAFETY: the buffer can be written for the length that is passed.
    unsafe { introspect::info_xml::<V>(text.as_mut_ptr(), text.len()) };
}

impl Entries {
    /// Those of a variant.
    pub fn of_variant<V: Variant>() -> Self {
        Self {
            malloc: malloc::<V>,
            calloc: calloc::<V>,
            realloc: realloc::<V>,
            reallocarray: reallocarray::<V>,
            aligned_alloc: aligned_alloc::<V>,
            posix_memalign: posix_memalign::<V>,
            memalign: memalign::<V>,
            valloc: valloc::<V>,
            pvalloc: pvalloc::<V>,
            free: free::<V>,
            free_sized: Some(free_sized::<V>),
            free_aligned_sized: Some(free_aligned_sized::<V>),
            usable: usable::<V>,
            trim: Some(trim::<V>),
            info: Some(info::<V>),
            cxx: None,
            rust: Some(Rust {
                alloc: alloc::<V>,
                alloc_zeroed: alloc_zeroed::<V>,
                realloc: rust_realloc::<V>,
                dealloc: dealloc::<V>,
            }),
            own: Some(Own {
                stats_json: stats_json::<V>,
                dump: dump::<V>,
            }),
        }
    }
}

/// The variants beside the default one: one of each kind of code, most of them with caches so small that a short program gets
/// into every event. They take long to compile, so only who searches waits for them.
#[cfg(feature = "libfuzzer")]
mod searched {
    hz3::variant!(pub Small = "variants/small.toml");
    hz3::variant!(pub SmallBank = "variants/small-bank.toml");
    hz3::variant!(pub SmallRing = "variants/small-ring.toml");
    hz3::variant!(pub SmallFull = "variants/small-full.toml");
    hz3::variant!(pub SmallSampled = "variants/small-sampled.toml");
    hz3::variant!(pub Flat = "hz3:flat");
    hz3::variant!(pub TwoTables = "hz3:two-tables");
    hz3::variant!(pub Compact = "hz3:compact");
    hz3::variant!(pub Histogram = "hz3:histogram");
    hz3::variant!(pub Quarantine = "hz3:s47-quarantine");
}

/// Those variants, each with what it promises.
#[cfg(feature = "libfuzzer")]
pub(super) fn more() -> Vec<(Entries, Promise)> {
    vec![
        (Entries::of_variant::<searched::Small>(), Promise::of_variant()),
        (Entries::of_variant::<searched::SmallBank>(), Promise::of_variant()),
        (Entries::of_variant::<searched::SmallRing>(), Promise::of_variant()),
        (Entries::of_variant::<searched::SmallFull>(), Promise::limited()),
        (Entries::of_variant::<searched::SmallSampled>(), Promise::of_variant()),
        (Entries::of_variant::<searched::Flat>(), Promise::of_variant()),
        (Entries::of_variant::<searched::TwoTables>(), Promise::of_variant()),
        (Entries::of_variant::<searched::Compact>(), Promise::of_variant()),
        (Entries::of_variant::<searched::Histogram>(), Promise::of_variant()),
        (Entries::of_variant::<searched::Quarantine>(), Promise::limited()),
    ]
}

/// None: see the feature `libfuzzer`.
#[cfg(not(feature = "libfuzzer"))]
pub(super) fn more() -> Vec<(Entries, Promise)> {
    Vec::new()
}
