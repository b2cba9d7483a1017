//! From a [`Plan`] to Rust: the tables, the statics, the thread block and `impl Variant`.
//!
//! The expansion is one item group that names everything by absolute path, so that it can stand anywhere. It carries
//! assertions for what it takes for granted, and one `include_bytes!` for each file that was read, so that a change of
//! any of them builds again.

mod agreed;
mod guarding;
pub mod library;
mod life;
mod local;
pub mod note;
mod policy;
mod sampling;
mod tables;
mod thread;
mod token;
mod wrapping;

use crate::plan::{HEAP_SECTION, Interior, Plan, Prefetch, Record, StatsLevel, TagSpace, Tls};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use thread::Block;

/// Where and as what a variant is expanded.
pub struct Site {
    /// The visibility of the type (`pub`, or nothing).
    pub visibility: TokenStream,
    /// Attributes for the type, documentation among them.
    pub attributes: TokenStream,
    /// The type's name.
    pub name: Ident,
    /// Absolute path of the core crate, such as `::hz3_core`.
    pub core: TokenStream,
    /// Tells this expansion from all others that may meet it in one binary.
    pub unique: u64,
    /// What the variant is in.
    pub holder: Holder,
}

/// What a variant is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A library whose C symbols stand before the C library's: its `malloc` is to be the whole process's.
    Malloc,
    /// A program, or a library, that uses the variant.
    User,
    /// A crate whose users may or may not use the variant. In a program that does not, nothing may be left of it, so the loader
    /// calls nothing of it: it begins with the first allocation, and what holds it cannot be unloaded.
    Crate,
}

/// The type `site.name`: a generated allocator, with `impl Variant` and `impl GlobalAlloc`.
pub fn variant(plan: &Plan, site: &Site) -> TokenStream {
    let Site {
        visibility,
        attributes,
        name,
        core,
        unique,
        holder,
    } = site;
    let tables = tables::tables(plan, core);
    let (turned_table, turned) = tables::turned(plan, core, *holder);
    let agreed = agreed::assertions(plan, name, core);
    let (policy, (budget, first)) = (policy::policy(plan, core), policy::budget(plan));
    // With a block at a fixed place there is little to be gained by unloading what is to be everybody's malloc.
    let interposes = *holder == Holder::Malloc;
    let stays = interposes && plan.build.tls != Tls::Dynamic;
    let life = (*holder != Holder::Crate).then(|| life::life(stays, name, core));
    let sources = plan.files().map(|p| p.to_string_lossy().into_owned());
    let classes = plan.all_classes();
    let shards = plan.ownership.shards as usize;
    let pools = classes * shards;
    let bin_bits = plan.tag.bin_bits;
    let block = Block::new(plan, core, *unique, *holder);
    let (block_items, block_functions, arena) = (&block.items, &block.functions, &block.arena);
    let wrapping = wrapping::Wrapping::new(plan, core);
    let (wrapping_items, wrapping_shape, wrapping_functions) = (&wrapping.items, &wrapping.shape, &wrapping.functions);
    let sampling = sampling::Sampling::new(plan, core, *unique);
    let guarding = guarding::Guarding::new(plan, core, *unique);
    let (guarding_items, guarding_functions) = (&guarding.items, &guarding.functions);
    let (sampling_items, sampling_functions) = (&sampling.items, &sampling.functions);
    let mode = Ident::new(&format!("{:?}", plan.ownership.mode), Span::call_site());
    let (route, room, slots) = if plan.policy.per_cpu() {
        (quote!(PerCpu), quote!(cpu::Own), quote!(CpuSlots))
    } else {
        (quote!(#mode), quote!(remote::#mode), quote!(ThreadSlots))
    };
    let link = Ident::new(
        if plan.hot.encode_links { "Encoded" } else { "Plain" },
        Span::call_site(),
    );
    let sentry = match (plan.hot.double_free_head, plan.hot.interior) {
        (false, Interior::Off) => quote!(NoSentry),
        (head, interior) => {
            let interior = match interior {
                Interior::Off => quote!(0),
                Interior::Align => quote!({ #core::hot::sentry::ALIGN }),
                Interior::Grid => quote!({ #core::hot::sentry::GRID }),
            };
            quote!(Looks<#head, #interior>)
        }
    };
    let space = match plan.tag.space {
        TagSpace::Arena => quote!(ArenaSpace),
        TagSpace::Flat => quote!(FlatSpace),
    };
    let (stats, counters) = match plan.stats.level {
        StatsLevel::Off => (quote!(Off), quote!(0)),
        StatsLevel::Events => (quote!(Events), quote!(#core::variant::KINDS.len())),
    };
    let record_bytes = plan.stats.record_bytes as usize;
    let (record, recorder) = match plan.stats.record {
        Record::Trace => (quote!(Trace), quote!(Stream::new(#record_bytes))),
        Record::Histogram => (quote!(Histogram), quote!(Exact::new(#record_bytes))),
        Record::Off | Record::Sample | Record::SampleAll => (quote!(Off), quote!(Nothing)),
    };
    let depot_words = plan.depot.slots as usize;
    let (quarantine, ward) = wrapping::waiting(plan);
    let tag = Ident::new(if plan.tag.width == 16 { "u16" } else { "u32" }, Span::call_site());
    let prefetch = match plan.hot.prefetch {
        Prefetch::Off => quote!(NoPrefetch),
        Prefetch::Next => quote!(PrefetchNext),
    };
    let (above, coarse_shift) = match &plan.lookup.coarse {
        Some(c) => (quote!(Coarse), c.shift),
        None => (quote!(FineOnly), 0),
    };
    let (fine_max, granule) = (plan.lookup.fine_max as usize, plan.lookup.granule as usize);
    let largest = plan.classes.last().map_or(0, |c| c.size as usize);
    let arena_pages = plan.policy.arena.size / crate::plan::PAGE as usize;
    let variant_name = &plan.name;
    let name_c = c_string(&plan.name);
    let config_c = c_string(&plan.resolved);
    let report = plan
        .stats
        .exit_report
        .then(|| quote!(#core::abi::introspect::report::<#name>();));
    let last: TokenStream = report
        .into_iter()
        .chain(sampling::at_exit(plan, name, core))
        .chain(wrapping::at_exit(plan, name, core))
        .collect();
    let at_exit = (!last.is_empty()).then(|| at_exit(&last));

    quote! {
        #attributes
        #visibility struct #name;

        const _: () = {
            #(const _: &[u8] = ::core::include_bytes!(#sources);)*
            #tables

            #turned_table

            #block_items

            #sampling_items

            #guarding_items

            #wrapping_items

            #agreed

            // In a section of its own sort: the statics below are zero and take no room in the file, this is not.
            static ARENA_BASE: ::core::sync::atomic::AtomicUsize =
                ::core::sync::atomic::AtomicUsize::new(#core::heap::arena::NO_BASE);
            static ARENA_WORDS: #core::policy::ArenaWords = [
                ::core::sync::atomic::AtomicUsize::new(#core::policy::NOWHERE.0),
                ::core::sync::atomic::AtomicUsize::new(#core::policy::NOWHERE.1),
            ];
            static FLAT_TABLE: ::core::sync::atomic::AtomicPtr<u32> =
                ::core::sync::atomic::AtomicPtr::new(#core::policy::no_table().cast_mut());
            // Not zero, so that it lies beside the base.
            static LINK_KEY: ::core::sync::atomic::AtomicUsize = ::core::sync::atomic::AtomicUsize::new(1);
            static COUNTERS: [#core::variant::Counter; #counters] =
                [const { #core::variant::Counter::ZERO }; #counters];
            static RECORDER: <#core::event::record::#record as #core::variant::Record>::State = #core::record::#recorder;
            static SHARED: #core::Statics<#pools, #depot_words> = #core::Statics::new();
            #[unsafe(link_section = #HEAP_SECTION)]
            static LAYOUT: #core::statics::layout::Layout =
                #core::statics::layout::Layout::new::<#name, #pools, #depot_words>(
                    &SHARED,
                    &CLASSES,
                    &raw const LAYOUT,
                    #quarantine,
                    #ward,
                );

            // SAFETY: the table comes from a checked plan and is asserted above; the words are this expansion's alone.
            unsafe impl #core::Shape for #name {
                type Tag = #tag;
                type Link = #core::policy::link::#link;
                type Space = #core::hot::#space;
                type Route = #core::hot::route::#route;

                const NAME: &'static str = #variant_name;
                const ARENA_PAGES: usize = #arena_pages;
                const CLASSES: usize = #classes;
                const SHARDS: usize = #shards;
                const BIN_BITS: u32 = #bin_bits;
                const GRANULE: usize = #granule;
                const POLICY: #core::Policy = #policy;

                #[inline(always)]
                fn classes() -> &'static [#core::Class] {
                    &CLASSES
                }

                #[inline(always)]
                fn arena_base() -> &'static ::core::sync::atomic::AtomicUsize {
                    &ARENA_BASE
                }

                #[inline(always)]
                fn arena_words() -> &'static #core::policy::ArenaWords {
                    &ARENA_WORDS
                }

                #arena

                #[inline(always)]
                fn flat_table() -> &'static ::core::sync::atomic::AtomicPtr<u32> {
                    &FLAT_TABLE
                }

                #wrapping_shape

                #[inline(always)]
                fn link_key() -> &'static ::core::sync::atomic::AtomicUsize {
                    &LINK_KEY
                }
            }

            // SAFETY: as above; the statics and the thread block's symbol are this expansion's alone.
            unsafe impl #core::Variant for #name {
                type Room = #core::event::#room;
                type Sentry = #core::hot::sentry::#sentry;
                type Prefetch = #core::hot::#prefetch;
                type Above = #core::hot::#above;
                type Cache = #core::hot::#slots;
                type Stats = #core::event::stats::#stats;
                type Record = #core::event::record::#record;
                type Shared = #core::Statics<#pools, #depot_words>;
                type Thread = Thread;

                const NAME_C: &'static ::core::ffi::CStr = #name_c;
                const CONFIG: &'static ::core::ffi::CStr = #config_c;
                const FINE_MAX: usize = #fine_max;
                const LARGEST: usize = #largest;
                const COARSE_SHIFT: u32 = #coarse_shift;
                const INTERPOSES: bool = #interposes;
                const BUDGET: u32 = #budget;
                const FIRST: u32 = #first;

                #[inline(always)]
                unsafe fn fine(granule: usize) -> #core::list::SlotOffset {
                    // SAFETY: `Variant::fine` asks for `granule <= FINE_MAX / GRANULE`, and the table has an entry more.
                    #core::list::SlotOffset::new(usize::from(unsafe { *FINE.get_unchecked(granule) }))
                }

                #turned

                #[inline(always)]
                unsafe fn coarse(index: usize) -> #core::list::SlotOffset {
                    // SAFETY: `Variant::coarse` asks for `index <= (LARGEST - 1) >> COARSE_SHIFT`: the table's last entry.
                    #core::list::SlotOffset::new(usize::from(unsafe { *COARSE.get_unchecked(index) }))
                }

                #[inline(always)]
                fn counters() -> &'static [#core::variant::Counter] {
                    &COUNTERS
                }

                #[inline(always)]
                fn recorder() -> &'static <Self::Record as #core::variant::Record>::State {
                    &RECORDER
                }

                #[inline]
                fn layout() -> &'static #core::statics::layout::Layout {
                    &LAYOUT
                }

                #[inline(always)]
                fn shared() -> &'static Self::Shared {
                    &SHARED
                }

                #sampling_functions

                #guarding_functions

                #wrapping_functions

                #block_functions
            }

            #life

            // SAFETY: objects are at least as large and as aligned as the layout says, and belong to one owner at a
            // time: the contract of the variant's `malloc` and `free`.
            unsafe impl ::core::alloc::GlobalAlloc for #name {
                #[inline]
                unsafe fn alloc(&self, layout: ::core::alloc::Layout) -> *mut u8 {
                    // SAFETY: an allocation asks nothing of its caller; that the size is not 0 is more than it needs.
                    unsafe { #core::abi::global::alloc::<#name>(layout) }
                }

                #[inline]
                unsafe fn dealloc(&self, p: *mut u8, layout: ::core::alloc::Layout) {
                    // SAFETY: `GlobalAlloc::dealloc` asks that `p` is an object of this allocator that nobody uses any more.
                    unsafe { #core::abi::global::dealloc::<#name>(p, layout) }
                }

                #[inline]
                unsafe fn alloc_zeroed(&self, layout: ::core::alloc::Layout) -> *mut u8 {
                    // SAFETY: an allocation asks nothing of its caller; that the size is not 0 is more than it needs.
                    unsafe { #core::abi::global::alloc_zeroed::<#name>(layout) }
                }

                #[inline]
                unsafe fn realloc(&self, p: *mut u8, layout: ::core::alloc::Layout, n: usize) -> *mut u8 {
                    // SAFETY: `GlobalAlloc::realloc` asks that `p` is an object of this allocator, given for `layout`,
                    // and that `n` is not 0.
                    unsafe { #core::abi::global::realloc::<#name>(p, layout, n) }
                }
            }

            #at_exit
        };
    }
}

/// What runs when the program ends or the library is unloaded: the dynamic linker and the C library's start code call what
/// stands in this section, in a program as in a library. It is here and not in a crate that links the variant, so that
/// every way of linking has it.
fn at_exit(calls: &TokenStream) -> TokenStream {
    quote! {
        #[used]
        #[unsafe(link_section = ".fini_array")]
        static AT_EXIT: extern "C" fn() = {
            extern "C" fn last() {
                #calls
            }
            last
        };
    }
}

fn c_string(text: &str) -> Literal {
    // A checked plan has no NUL in its texts; should one slip through, it ends the text.
    let clean: Vec<u8> = text.bytes().take_while(|b| *b != 0).collect();
    Literal::c_string(&std::ffi::CString::new(clean).unwrap_or_default())
}
