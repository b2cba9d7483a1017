//! What generator and core take for granted together, as assertions of every expansion.

use crate::agreed::*;
use crate::cost::{block_bytes, pen_bytes, quarantine_room, sample_bytes};
use crate::plan::Plan;
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// One assertion for each number of [`crate::agreed`], and what this plan makes of them.
pub(super) fn assertions(plan: &Plan, name: &Ident, core: &TokenStream) -> TokenStream {
    let [page, granule, slot, header_pages, usable_pages, color_step] = [
        PAGE,
        GRANULE,
        SLOT_BYTES,
        plan.segment.header_pages,
        plan.segment.usable_pages,
        COLOR_STEP,
    ]
    .map(|n| n as usize);
    let [
        segment,
        user_space,
        flat_pages,
        cache_line,
        ring_entry,
        spare,
        meta,
        objects,
        owners,
        lots,
        lot_share,
        shelves,
        sampler,
        warden,
        depth,
        crowd,
    ] = [
        plan.segment.bytes,
        USER_SPACE,
        FLAT_PAGES,
        CACHE_LINE,
        RING_ENTRY_BYTES,
        SPARE_BYTES,
        THREAD_META_BYTES,
        RUN_OBJECTS_MAX,
        OWNERS_MAX,
        LOTS,
        LOT_SHARE,
        SHELVES_MAX,
        SAMPLER_BYTES,
        WARDEN_BYTES,
        DEPTH_MAX,
        CROWD_LEAST,
    ]
    .map(|n| n as usize);
    let other_segments = match plan.segment.feature() {
        None => "segments of this config have 2 MiB, and a feature of `hz3` asks for others".to_owned(),
        Some(feature) => format!(
            "`arena.segment` of this config asks for `hz3` with the feature `{feature}`: all variants of a program have segments of \
             one size"
        ),
    };
    let (samples, pen) = (sample_bytes(plan) as usize, pen_bytes(plan) as usize);
    let quarantine = quarantine_room(plan) as usize;
    let batch = BATCH_MAX as u32;
    let block = block_bytes(plan) as usize;
    let pools = plan.all_classes() * plan.ownership.shards as usize;
    quote! {
        const _: () = {
            use ::core::mem::{align_of, size_of};
            use #core::policy::agreed;

            assert!(#core::os::PAGE == #page, "the plan was made for other pages");
            assert!(#core::heap::segment::SEGMENT == #segment, #other_segments);
            assert!(#core::heap::segment::HEADER_PAGES == #header_pages, "the plan was made for other headers of segments");
            assert!(#core::heap::segment::USABLE == #usable_pages, "the plan was made for other headers of segments");
            assert!(1 << agreed::ADDRESS_BITS == #user_space, "the plan was made for another address space");
            assert!(#core::hot::FLAT_PAGES == #flat_pages, "the cost of a flat tag table is another");
            assert!(agreed::GRANULE == #granule, "malloc was taken to align to something else");
            assert!(
                matches!(<#name as #core::Shape>::GRANULE, agreed::LEAST_GRANULE | agreed::GRANULE),
                "the core knows no such granule"
            );
            assert!(
                !<#name as #core::Variant>::INTERPOSES || <#name as #core::Shape>::GRANULE == agreed::GRANULE,
                "C's malloc aligns to 16"
            );
            assert!(agreed::COLOR_STEP == #color_step, "colours were counted in other steps");
            assert!(agreed::BATCH_MAX == #batch, "batches were bounded by another number");
            assert!(agreed::RUN_OBJECTS_MAX == #objects, "objects of runs were bounded by another number");
            assert!(agreed::SHELVES_MAX == #shelves, "shelves were bounded by another number");
            assert!(agreed::CROWD_LEAST == #crowd, "threads of a crowd have other shares");
            assert!(agreed::OWNERS_MAX == #owners, "owners were bounded by another number");
            assert!(#core::heap::lot::LOTS == #lots, "the cost model has other lots");
            assert!(agreed::LOT_SHARE == #lot_share, "the cost model has other lots");
            assert!(#pools < #core::heap::run::GONE as usize, "pools have more numbers than runs can name");
            assert!(size_of::<#core::list::Slot>() == #slot, "slot offsets were computed for other slots");
            assert!(size_of::<#core::list::BatchWord>() == #spare, "the cost model has other spares");
            assert!(size_of::<#core::statics::Entry>() == #ring_entry, "the cost model has other entries of rings");
            assert!(size_of::<#core::statics::Meta>() == #meta, "the cost model has another block");
            assert!(size_of::<Thread>() == #block, "the cost model has another block");
            assert!(size_of::<#core::statics::Sampler>() == #sampler, "the cost model has other samplers");
            assert!(size_of::<#core::statics::Warden>() == #warden, "the cost model has other wardens");
            assert!(agreed::DEPTH_MAX == #depth, "stacks were bounded by another number");
            assert!(
                #pen == 0 || #core::heap::pen::Pen::bytes_of(&<#name as #core::Shape>::POLICY) == #pen,
                "the cost model has another pen"
            );
            assert!(
                #samples == 0 || #core::heap::sample::table_bytes(&<#name as #core::Shape>::POLICY) == #samples,
                "the cost model has other tables of samples"
            );
            assert!(
                #core::event::wrap::quarantine::room::<#name>() == #quarantine,
                "the cost model has other quarantines"
            );
            assert!(align_of::<Thread>() == #cache_line, "the cost model has other cache lines");
            assert!(
                agreed::same(#core::statics::layout::SECTION, #HEAP_SECTION),
                "readers look for the memory map in another section"
            );
        };
    }
}
