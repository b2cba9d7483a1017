//! What an expansion has for what objects have on beside their bytes: the process's secret, and the bits of objects in use.

use crate::cost::room;
use crate::plan::{DoubleFree, Fill, Plan};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// What an expansion holds for it; nothing where objects have nothing on.
pub(super) struct Wrapping {
    /// Statics.
    pub items: TokenStream,
    /// Functions of `Shape`.
    pub shape: TokenStream,
    /// Functions of `Variant`.
    pub functions: TokenStream,
}

impl Wrapping {
    pub(super) fn new(plan: &Plan, core: &TokenStream) -> Wrapping {
        let (mut items, mut shape, mut functions) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
        if plan.policy.wraps() {
            items.extend(quote! {
                static SECRET: #core::policy::Secret = #core::policy::Secret::new();
            });
            shape.extend(quote! {
                #[inline(always)]
                fn secret() -> &'static #core::policy::Secret {
                    &SECRET
                }
            });
        }
        if plan.policy.hardening.quarantine > 0 {
            items.extend(quote! {
                static VACANT: #core::statics::Vacant = #core::statics::Vacant::new();
            });
            functions.extend(quote! {
                #[inline(always)]
                fn vacant() -> ::core::option::Option<&'static #core::statics::Vacant> {
                    ::core::option::Option::Some(&VACANT)
                }
            });
        }
        if plan.policy.hardening.double_free == DoubleFree::Exact {
            items.extend(quote! {
                static IN_USE: #core::heap::in_use::InUse = #core::heap::in_use::InUse::new();
            });
            functions.extend(quote! {
                #[inline(always)]
                fn in_use() -> ::core::option::Option<&'static #core::heap::in_use::InUse> {
                    ::core::option::Option::Some(&IN_USE)
                }
            });
        }
        Wrapping {
            items,
            shape,
            functions,
        }
    }
}

/// Where a thread's quarantine lies in what the thread has outside of its block, and where large objects wait, as options.
pub(super) fn waiting(plan: &Plan) -> (TokenStream, TokenStream) {
    let (some, none) = (
        quote!(::core::option::Option::Some),
        quote!(::core::option::Option::None),
    );
    let at = room(plan).bytes as usize;
    let hardening = &plan.policy.hardening;
    (
        if hardening.quarantine > 0 {
            quote!(#some(#at))
        } else {
            none.clone()
        },
        if hardening.quarantine_large > 0 {
            quote!(#some(&WARD))
        } else {
            none
        },
    )
}

/// What runs when the program ends: a look at what a quarantine still keeps, where it can be told whether that was written to.
pub(super) fn at_exit(plan: &Plan, name: &Ident, core: &TokenStream) -> Option<TokenStream> {
    let hardening = &plan.policy.hardening;
    (hardening.quarantine > 0 && hardening.fill_freed != Fill::Off)
        .then(|| quote!(#core::event::wrap::quarantine::at_exit::<#name>();))
}
