//! What an expansion has for guarded objects: the pen, and a symbol of each thread's; for freed large ones that wait; and for faults
//! that are told.

use super::local::Local;
use crate::plan::Plan;
use proc_macro2::TokenStream;
use quote::quote;

/// What an expansion holds for guarded objects.
pub(super) struct Guarding {
    /// The static and the symbol, where there are some.
    pub items: TokenStream,
    /// The functions of `Variant`.
    pub functions: TokenStream,
}

impl Guarding {
    pub(super) fn new(plan: &Plan, core: &TokenStream, unique: u64) -> Guarding {
        let (items, pen, warden) = if plan.policy.guards() {
            let Local { item, pointer, .. } = Local::new(plan, core, unique, "warden", "Warden");
            (
                quote! {
                    static PEN: #core::heap::pen::Pen = #core::heap::pen::Pen::new();
                    #item
                },
                quote!(::core::option::Option::Some(&PEN)),
                pointer,
            )
        } else {
            (
                TokenStream::new(),
                quote!(::core::option::Option::None),
                quote!(::core::ptr::null_mut()),
            )
        };
        let (kept, kept_function) = one(
            plan.policy.hardening.quarantine_large > 0,
            quote!(static WARD: #core::heap::ward::Ward = #core::heap::ward::Ward::new();),
            quote! {
                #[inline(always)]
                fn ward() -> ::core::option::Option<&'static #core::heap::ward::Ward> {
                    ::core::option::Option::Some(&WARD)
                }
            },
        );
        let (watch, watch_function) = one(
            plan.policy.guards() || plan.policy.hardening.faults,
            quote!(static WATCH: #core::statics::Watch = #core::statics::Watch::new();),
            quote! {
                #[inline(always)]
                fn watch() -> ::core::option::Option<&'static #core::statics::Watch> {
                    ::core::option::Option::Some(&WATCH)
                }
            },
        );
        Guarding {
            items: quote!(#items #kept #watch),
            functions: quote! {
                #kept_function
                #watch_function
                #[inline(always)]
                fn pen() -> ::core::option::Option<&'static #core::heap::pen::Pen> {
                    #pen
                }

                #[inline(always)]
                fn warden() -> *mut #core::statics::Warden {
                    #warden
                }
            },
        }
    }
}

/// An item and a function, or neither.
fn one(is: bool, item: TokenStream, function: TokenStream) -> (TokenStream, TokenStream) {
    if is { (item, function) } else { Default::default() }
}
