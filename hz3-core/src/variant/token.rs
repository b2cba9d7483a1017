//! A variant as the calls of one allocation token see it.
//!
//! A compiler may name the kind of what is allocated by a number, a token, and call functions that take it (`-fsanitize=alloc-token`).
//! With `hardening.partition = "token"` a variant has a row of classes for each token: all sizes once more, with slots, depots and
//! runs of their own. Row 0 is that of calls without a token. What a size's slot is, is the same in each row but for the distance
//! of the rows, so that `malloc` of a token is as long as any other. A page's tag says which row its objects are of: `free` needs
//! no token.

use super::{Counter, Record, Variant};
use crate::heap::in_use::InUse;
use crate::heap::pen::Pen;
use crate::heap::sample::Samples;
use crate::heap::ward::Ward;
use crate::list::{Slot, SlotOffset};
use crate::policy::{ArenaWords, Class, Policy, Secret, Shape};
use crate::statics::layout::Layout;
use crate::statics::{Sampler, Vacant, Warden, Watch};
use crate::sync::{AtomicPtr, AtomicUsize};
use core::ffi::CStr;
use core::marker::PhantomData;

/// `V`, whose allocations are of the token `N`, below as many as [`Policy::tokens`] says. All else is `V`'s: objects of one are freed by
/// any other.
pub struct Token<V, const N: usize>(PhantomData<V>);

impl<V: Variant, const N: usize> Token<V, N> {
    /// A value, for who wants one: there is nothing in it.
    #[allow(clippy::new_without_default)] // It exists to initialise a static.
    pub const fn new() -> Self {
        Token(PhantomData)
    }

    /// Bytes from a slot of the first row to the one of this.
    const AWAY: usize = {
        assert!(N < V::POLICY.tokens(), "the variant has fewer tokens");
        N * (V::CLASSES / V::POLICY.tokens()) * size_of::<Slot>()
    };
}

/// Functions that are the variant's own.
macro_rules! same {
    ($(fn $name:ident($($arg:ident: $ty:ty)?) -> $out:ty;)*) => {
        $(
            #[inline(always)]
            fn $name($($arg: $ty)?) -> $out {
                V::$name($($arg)?)
            }
        )*
    };
}

// SAFETY: all of it is `V`'s, who promises the same.
unsafe impl<V: Variant, const N: usize> Shape for Token<V, N> {
    type Tag = V::Tag;
    type Space = V::Space;
    type Link = V::Link;
    type Route = V::Route;

    const NAME: &'static str = V::NAME;
    const ARENA_PAGES: usize = V::ARENA_PAGES;
    const CLASSES: usize = V::CLASSES;
    const SHARDS: usize = V::SHARDS;
    const BIN_BITS: u32 = V::BIN_BITS;
    const GRANULE: usize = V::GRANULE;
    const POLICY: Policy = V::POLICY;

    same! {
        fn classes() -> &'static [Class];
        fn arena_base() -> &'static AtomicUsize;
        fn arena_words() -> &'static ArenaWords;
        fn arena_pair() -> (usize, usize);
        fn catch_up() -> bool;
        fn flat_table() -> &'static AtomicPtr<u32>;
        fn link_key() -> &'static AtomicUsize;
        fn secret() -> &'static Secret;
    }
}

// SAFETY: all of it is `V`'s, but for the slots that sizes have: those lie as far behind `V`'s as the rows are apart, in the same array,
// and are of classes of the same sizes.
unsafe impl<V: Variant, const N: usize> Variant for Token<V, N> {
    type Room = V::Room;
    type Sentry = V::Sentry;
    type Prefetch = V::Prefetch;
    type Above = V::Above;
    type Cache = V::Cache;
    type Stats = V::Stats;
    type Record = V::Record;
    type Shared = V::Shared;
    type Thread = V::Thread;

    const CONFIG: &'static CStr = V::CONFIG;
    const CONFIG_HASH: &'static str = V::CONFIG_HASH;
    const PROFILE: &'static CStr = V::PROFILE;
    const NAME_C: &'static CStr = V::NAME_C;
    const FINE_MAX: usize = V::FINE_MAX;
    const LARGEST: usize = V::LARGEST;
    const COARSE_SHIFT: u32 = V::COARSE_SHIFT;
    const BUDGET: u32 = V::BUDGET;
    const FIRST: u32 = V::FIRST;
    const INTERPOSES: bool = V::INTERPOSES;

    #[inline(always)]
    unsafe fn fine(granule: usize) -> SlotOffset {
        // SAFETY: as the caller says.
        SlotOffset::new(unsafe { V::fine(granule) }.bytes() + Self::AWAY)
    }

    #[inline(always)]
    unsafe fn coarse(index: usize) -> SlotOffset {
        // SAFETY: as the caller says.
        SlotOffset::new(unsafe { V::coarse(index) }.bytes() + Self::AWAY)
    }

    #[inline(always)]
    unsafe fn slot_of_granule(granule: usize) -> *mut Slot {
        // SAFETY: as the caller says; the row lies in the same array. (The distance is added last: so it is a part of the address.)
        unsafe { V::slot_of_granule(granule).byte_add(Self::AWAY) }
    }

    #[inline(always)]
    unsafe fn slot_of_index(index: usize) -> *mut Slot {
        // SAFETY: as above.
        unsafe { V::slot_of_index(index).byte_add(Self::AWAY) }
    }

    same! {
        fn counters() -> &'static [Counter];
        fn recorder() -> &'static <Self::Record as Record>::State;
        fn samples() -> Option<&'static Samples>;
        fn in_use() -> Option<&'static InUse>;
        fn sampler() -> *mut Sampler;
        fn ward() -> Option<&'static Ward>;
        fn vacant() -> Option<&'static Vacant>;
        fn watch() -> Option<&'static Watch>;
        fn pen() -> Option<&'static Pen>;
        fn warden() -> *mut Warden;
        fn is_due(n: usize) -> bool;
        fn layout() -> &'static Layout;
        fn shared() -> &'static Self::Shared;
        fn slot(offset: SlotOffset) -> *mut Slot;
        fn bank_slot(offset: SlotOffset) -> *mut Slot;
        fn trap() -> *mut Slot;
        fn thread() -> *mut Self::Thread;
    }

    #[inline(always)]
    unsafe fn cpu_pop(slot: usize) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { V::cpu_pop(slot) }
    }

    #[inline(always)]
    unsafe fn cpu_push(slot: usize, p: *mut u8) -> bool {
        // SAFETY: as the caller says.
        unsafe { V::cpu_push(slot, p) }
    }

    #[inline(always)]
    unsafe fn cpu_take(slot: usize) -> (*mut u8, u64) {
        // SAFETY: as the caller says.
        unsafe { V::cpu_take(slot) }
    }
}
