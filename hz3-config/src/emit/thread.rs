//! The thread block: its type, its symbol, and how its slots are found.

use super::Holder;
use super::local::{accessor, symbol};
use crate::plan::{Plan, SLOT_BYTES, Tls};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// The macros of the core that read a block: for an address in it, and for an address in one of its slot arrays.
fn accessors(plan: &Plan) -> (Ident, Ident) {
    (accessor(plan, "address"), accessor(plan, "row"))
}

/// The type of the block, with the recorder's word where calls are told to one.
fn thread(plan: &Plan, core: &TokenStream, block: TokenStream) -> TokenStream {
    if plan.stats.tells_calls() {
        quote!(#core::statics::Recorded<#block>)
    } else {
        block
    }
}

/// The functions that find the trap and the block, where slots lie outside of it.
fn trap_and_thread(core: &TokenStream, address: &Ident, symbol: &Literal) -> TokenStream {
    quote! {
        #[inline(always)]
        fn trap() -> *mut #core::list::Slot {
            (&raw const thread_block::TRAP).cast_mut().cast()
        }

        #[inline(always)]
        fn thread() -> *mut Thread {
            #core::#address!(#symbol, 0) as *mut Thread
        }
    }
}

/// What an expansion holds for its thread block.
pub(super) struct Block {
    /// Type, symbol and trap.
    pub items: TokenStream,
    /// The functions of `Variant` that find it.
    pub functions: TokenStream,
    /// The functions of `Shape` that know where the arena is.
    pub arena: TokenStream,
}

/// Where `free` has from where the arena is: from the static, or from a copy that each thread has before its block.
fn arena(core: &TokenStream, led: Option<&Literal>) -> TokenStream {
    let (pair, catch_up) = match led {
        Some(symbol) => (
            quote!(match #core::tls::NEAR {
                true => #core::__tls_lead!(#symbol),
                false => #core::policy::pair_in(&ARENA_WORDS),
            }),
            quote!(#core::__tls_catch_up!(#symbol, ARENA_WORDS)),
        ),
        None => (quote!(#core::__near_pair!(ARENA_WORDS)), quote!(false)),
    };
    quote! {
        #[inline(always)]
        fn arena_pair() -> (usize, usize) {
            #pair
        }

        #[inline(always)]
        fn catch_up() -> bool {
            #catch_up
        }
    }
}

impl Block {
    pub(super) fn new(plan: &Plan, core: &TokenStream, unique: u64, holder: Holder) -> Block {
        let symbol = symbol(plan, unique, "tls");
        let led = holder == Holder::Malloc && plan.build.tls == Tls::InitialExec;
        if plan.policy.per_cpu() {
            Self::of_cpus(plan, core, &symbol)
        } else if plan.ownership.mode.has_bank() {
            Self::with_rows(plan, core, &symbol, led)
        } else {
            Self::with_slots(plan, core, &symbol, led)
        }
    }

    /// Slots inside of the block; `led` by a copy of where the arena is.
    fn with_slots(plan: &Plan, core: &TokenStream, symbol: &Literal, led: bool) -> Block {
        let (address, _) = accessors(plan);
        let slots = plan.all_classes() + 1;
        let thread = thread(plan, core, quote!(#core::statics::Block<#slots>));
        let size = quote!(::core::mem::size_of::<#thread>());
        let declared = match led {
            true => quote!(#core::__tls_symbol_led!(#symbol, #size, [],)),
            false => quote!(#core::__tls_symbol!(#symbol, #size)),
        };
        Block {
            arena: arena(core, led.then_some(symbol)),
            items: quote! {
                type Thread = #thread;

                // A module, because assembly may not stand where statements stand.
                mod thread_block {
                    #declared;
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

    /// Rows of slots outside of the block, one for each owner, and a trap of the same size for threads without. The block is `led` by
    /// a copy of where the arena is.
    fn with_rows(plan: &Plan, core: &TokenStream, symbol: &Literal, led: bool) -> Block {
        let (address, row_at) = accessors(plan);
        let words = ((plan.ownership.shards as usize) << plan.tag.bin_bits) / 8;
        let slot_bytes = SLOT_BYTES as usize;
        let row = quote!(#core::statics::RowsBlock);
        let trap_and_thread = trap_and_thread(core, &address, symbol);
        let thread = thread(plan, core, row.clone());
        let declare = Ident::new(
            if led { "__tls_symbol_led" } else { "__tls_symbol_with" },
            Span::call_site(),
        );
        Block {
            arena: arena(core, led.then_some(symbol)),
            items: quote! {
                type Thread = #thread;
                mod thread_block {
                    /// Aligned like a bank.
                    #[repr(align(64))]
                    #[allow(dead_code)] // Only its address is used.
                    pub struct Trap(pub [u64; #words]);
                    pub static TRAP: Trap = Trap([0; #words]);
                    #core::#declare!(
                        #symbol, ::core::mem::size_of::<#thread>(), ["{trap}", "{trap}"], trap = sym TRAP,
                    );
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

                #trap_and_thread
            },
        }
    }

    /// Slots of processors, outside of the block; the block says where.
    fn of_cpus(plan: &Plan, core: &TokenStream, symbol: &Literal) -> Block {
        let (address, _) = accessors(plan);
        let classes = plan.all_classes();
        let words = usize::try_from(crate::cost::row_bytes(plan) / 8).unwrap_or(0);
        let shift = quote!({ #core::statics::rows::row_shift(#classes) });
        let trap_and_thread = trap_and_thread(core, &address, symbol);
        Block {
            arena: arena(core, None),
            items: quote! {
                type Thread = #core::statics::CpuBlock;
                mod thread_block {
                    /// Aligned like a row.
                    #[repr(align(64))]
                    #[allow(dead_code)] // Only its address is used.
                    pub struct Trap(pub [u64; #words]);
                    pub static TRAP: Trap = Trap([0; #words]);
                    pub static IDLE: #core::statics::Idle = #core::statics::Idle::new();
                    #core::__tls_symbol_with!(
                        #symbol,
                        ::core::mem::size_of::<#core::statics::CpuBlock>(),
                        ["{idle}", "0", "{idle} + 8", "{trap}"],
                        idle = sym IDLE,
                        trap = sym TRAP,
                    );
                }

                const _: () = assert!(::core::mem::size_of::<thread_block::Trap>() == 1 << #shift);
                const _: () = assert!(
                    cfg!(target_arch = "x86_64"),
                    "`cache.per = \"cpu\"` is there for x86-64 only: let each thread have its own lists by `cache.per = \"thread\"`"
                );
            },
            functions: quote! {
                #[inline(always)]
                fn slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    // No address: the offset of a slot in the row of whatever processor this runs on.
                    ::core::ptr::without_provenance_mut(offset.bytes())
                }

                #[inline(always)]
                fn bank_slot(offset: #core::list::SlotOffset) -> *mut #core::list::Slot {
                    Self::slot(offset)
                }

                #trap_and_thread

                #[inline(always)]
                unsafe fn cpu_pop(slot: usize) -> *mut u8 {
                    #core::__cpu_pop!(#symbol, #shift, slot)
                }

                #[inline(always)]
                unsafe fn cpu_push(slot: usize, p: *mut u8) -> bool {
                    #core::__cpu_push!(#symbol, #shift, slot, p)
                }

                #[inline(always)]
                unsafe fn cpu_take(slot: usize) -> (*mut u8, u64) {
                    #core::__cpu_take!(#symbol, #shift, slot, #core::statics::Row::STOP)
                }
            },
        }
    }
}
