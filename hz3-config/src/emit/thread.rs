//! The thread block: its type, its symbol, and how its slots are found.

use crate::plan::{Plan, SLOT_BYTES, Tls};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// The macros of the core that read a block: for an address in it, and for an address in one of its slot arrays.
fn accessors(plan: &Plan) -> (Ident, Ident) {
    let (address, row) = match plan.build.tls {
        Tls::InitialExec => ("__tls_address", "__tls_row"),
        Tls::Dynamic => ("__tls_address_dynamic", "__tls_row_dynamic"),
    };
    (
        Ident::new(address, Span::call_site()),
        Ident::new(row, Span::call_site()),
    )
}

/// The type of the block, with the recorder's word where calls are told to one.
fn thread(plan: &Plan, core: &TokenStream, block: TokenStream) -> TokenStream {
    if plan.stats.tells_calls() {
        quote!(#core::statics::Recorded<#block>)
    } else {
        block
    }
}

/// What an expansion holds for its thread block.
pub(super) struct Block {
    /// Type, symbol and trap.
    pub items: TokenStream,
    /// The functions of `Variant` that find it.
    pub functions: TokenStream,
}

impl Block {
    pub(super) fn new(plan: &Plan, core: &TokenStream, unique: u64) -> Block {
        let symbol = Literal::string(&format!("__hz3_tls_{unique:016x}"));
        if plan.ownership.mode.has_bank() {
            Self::with_rows(plan, core, &symbol)
        } else {
            Self::with_slots(plan, core, &symbol)
        }
    }

    /// Slots inside of the block.
    fn with_slots(plan: &Plan, core: &TokenStream, symbol: &Literal) -> Block {
        let (address, _) = accessors(plan);
        let slots = plan.classes.len() + 1;
        let thread = thread(plan, core, quote!(#core::statics::Block<#slots>));
        Block {
            items: quote! {
                type Thread = #thread;

                // A module, because assembly may not stand where statements stand.
                mod thread_block {
                    #core::__tls_symbol!(#symbol, ::core::mem::size_of::<#thread>());
                }
            },
            functions: quote! {
                #[inline(always)]
                fn slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    #core::#address!(#symbol, offset.bytes()) as *mut #core::list::Slot
                }

                #[inline(always)]
                fn bank_slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    Self::slot(offset)
                }

                #[inline(always)]
                fn trap() -> *mut #core::list::Slot {
                    ::core::ptr::null_mut()
                }

                #[inline(always)]
                fn thread() -> *mut Thread {
                    #core::#address!(#symbol, 0) as *mut Thread
                }
            },
        }
    }

    /// Rows of slots outside of the block, one for each owner, and a trap of the same size for threads without.
    fn with_rows(plan: &Plan, core: &TokenStream, symbol: &Literal) -> Block {
        let (address, row_at) = accessors(plan);
        let words = ((plan.ownership.shards as usize) << plan.tag.bin_bits) / 8;
        let slot_bytes = SLOT_BYTES as usize;
        let row = quote!(#core::statics::RowsBlock);
        let thread = thread(plan, core, row.clone());
        Block {
            items: quote! {
                type Thread = #thread;
                mod thread_block {
                    /// Aligned like a bank.
                    #[repr(align(64))]
                    #[allow(dead_code)] // Only its address is used.
                    pub struct Trap(pub [u64; #words]);
                    pub static TRAP: Trap = Trap([0; #words]);
                    #core::__tls_symbol_with_rows!(#symbol, ::core::mem::size_of::<#thread>(), TRAP);
                }

                const _: () = assert!(::core::mem::size_of::<thread_block::Trap>() >= #slot_bytes);
            },
            functions: quote! {
                #[inline(always)]
                fn slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    #core::#row_at!(#symbol, #row::OWN, offset.bytes()) as *mut #core::list::Slot
                }

                #[inline(always)]
                fn bank_slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    #core::#row_at!(#symbol, #row::ROWS, offset.bytes()) as *mut #core::list::Slot
                }

                #[inline(always)]
                fn trap() -> *mut #core::list::Slot {
                    (&raw const thread_block::TRAP).cast_mut().cast()
                }

                #[inline(always)]
                fn thread() -> *mut Thread {
                    #core::#address!(#symbol, 0) as *mut Thread
                }
            },
        }
    }
}
