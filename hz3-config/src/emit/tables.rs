//! The const tables and the assertions about them.

use super::Holder;
use crate::plan::{ClassId, Plan, SLOT_BYTES};
use proc_macro2::TokenStream;
use quote::quote;

/// `FINE`, `COARSE` and `CLASSES`.
pub(super) fn tables(plan: &Plan, core: &TokenStream) -> TokenStream {
    let offset = |id: &ClassId| ((u32::from(id.0) + 1) * SLOT_BYTES) as u16;
    let fine: Vec<u16> = plan.lookup.fine.iter().map(offset).collect();
    let coarse: Vec<u16> = plan
        .lookup
        .coarse
        .iter()
        .flat_map(|c| c.table.iter().map(offset))
        .collect();
    let (fine_len, coarse_len, rows) = (fine.len(), coarse.len(), plan.all_classes());
    let (fine_max, granule) = (plan.lookup.fine_max as usize, plan.lookup.granule as usize);
    // (Where tokens have classes of their own, sizes lead to the first row.)
    let classes = std::iter::repeat_n(&plan.classes, plan.policy.tokens())
        .flatten()
        .map(|c| {
            let (size, align) = (c.size, c.align);
            let inverse = u64::MAX / u64::from(size.max(1)) + 1;
            let depot = plan.depot.batches.get(usize::from(c.id.0)).copied().unwrap_or(0) as u16;
            let [pages, objects, batch, first, burst, carve, borrow, colors] = [
                c.run_pages,
                c.objects,
                c.batch,
                c.batch_first,
                c.burst,
                c.batch_carve,
                c.borrow,
                c.colors,
            ]
            .map(|n| n as u16);
            quote! {
                #core::Class {
                    inverse: #inverse,
                    size: #size,
                    align: #align,
                    run_pages: #pages,
                    objects: #objects,
                    batch: #batch,
                    batch_first: #first,
                    burst: #burst,
                    batch_carve: #carve,
                    borrow: #borrow,
                    colors: #colors,
                    depot: #depot,
                }
            }
        });
    let slot_bytes = SLOT_BYTES as usize;
    let widest = if plan.tag.width == 16 {
        usize::from(u16::MAX)
    } else {
        u32::MAX as usize
    };
    quote! {
        static FINE: [u16; #fine_len] = [#(#fine),*];
        static COARSE: [u16; #coarse_len] = [#(#coarse),*];
        static CLASSES: [#core::Class; #rows] = [#(#classes),*];

        const _: () = {
            assert!(#rows * #slot_bytes <= #widest, "the last slot's offset does not fit a page tag");
            assert!(#fine_len == #fine_max / #granule + 1, "the fine table has a hole at its end");
        };
    }
}

/// The fine table from its end on, a byte an entry, and the functions of `Variant` that ask it: of a library, where `malloc` is not
/// called with sizes that the compiler knows. Nothing where a class's number does not fit, where sizes go on in a second table, or
/// where a bound is no immediate of one instruction of aarch64.
pub(super) fn turned(plan: &Plan, core: &TokenStream, holder: Holder) -> (TokenStream, TokenStream) {
    let (max, granule) = (plan.lookup.fine_max as usize, plan.lookup.granule as usize);
    let immediate = max < 1 << 12 || (max.is_multiple_of(1 << 12) && max < 1 << 24);
    let fits = plan.classes.len() < usize::from(u8::MAX) && granule.is_power_of_two();
    if holder != Holder::Malloc || plan.policy.per_cpu() || plan.lookup.coarse.is_some() || !fits || !immediate {
        return (TokenStream::new(), TokenStream::new());
    }
    // The slot of class `n` is number `n + 1`; the last entry is the trap's.
    let entries: Vec<u8> = plan
        .lookup
        .fine
        .iter()
        .skip(1)
        .rev()
        .map(|id| id.0 as u8 + 1)
        .chain([0])
        .collect();
    let (len, shift, slot_bytes) = (entries.len(), granule.trailing_zeros(), SLOT_BYTES as usize);
    let table = quote! {
        static TURNED: [u8; #len] = [#(#entries),*];

        const _: () = assert!(#len == #max / #granule + 1, "the turned table has a hole at its beginning");
    };
    let functions = quote! {
        const TURNED: bool = #core::tls::NEAR;

        #[inline(always)]
        fn turned(n: usize) -> (#core::list::SlotOffset, usize) {
            let (slot, beyond) = #core::__near_slot!(n, TURNED, #max, #shift);
            (#core::list::SlotOffset::new(slot * #slot_bytes), beyond)
        }
    };
    (table, functions)
}
