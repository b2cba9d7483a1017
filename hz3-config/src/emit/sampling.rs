//! What an expansion has for sampling: the tables, a second symbol of each thread, and how `malloc` counts.

use super::c_string;
use crate::plan::{Plan, Record, Tls};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// What an expansion holds for sampling.
pub(super) struct Sampling {
    /// Statics and the symbol, where it samples.
    pub items: TokenStream,
    /// The constants and functions of `Variant`.
    pub functions: TokenStream,
}

impl Sampling {
    pub(super) fn new(plan: &Plan, core: &TokenStream, unique: u64) -> Sampling {
        let samples = plan.policy.samples();
        let symbol = Literal::string(&format!("__hz3_sampler_{unique:016x}"));
        let ident = |name| Ident::new(name, Span::call_site());
        let (address, take) = match plan.build.tls {
            Tls::InitialExec => (ident("__tls_address"), ident("__tls_take")),
            Tls::Dynamic => (ident("__tls_address_dynamic"), ident("__tls_take_dynamic")),
        };
        let (items, tables, sampler) = if samples {
            (
                quote! {
                    static SAMPLES: #core::heap::sample::Samples = #core::heap::sample::Samples::new();
                    mod thread_sampler {
                        #core::__tls_symbol!(#symbol, ::core::mem::size_of::<#core::statics::Sampler>());
                    }
                },
                quote!(::core::option::Option::Some(&SAMPLES)),
                quote!(#core::#address!(#symbol, 0) as *mut #core::statics::Sampler),
            )
        } else {
            (
                TokenStream::new(),
                quote!(::core::option::Option::None),
                quote!(::core::ptr::null_mut()),
            )
        };
        let due = if plan.policy.stats.record == Record::SampleAll {
            quote! {
                #[inline(always)]
                fn is_due(n: usize) -> bool {
                    #core::#take!(#symbol, n)
                }
            }
        } else {
            quote! {
                #[inline(always)]
                fn is_due(_: usize) -> bool {
                    false
                }
            }
        };
        let hash = plan.hash.to_string();
        let path = c_string(plan.stats.profile_path.as_deref().unwrap_or_default());
        Sampling {
            items,
            functions: quote! {
                const CONFIG_HASH: &'static str = #hash;
                const PROFILE: &'static ::core::ffi::CStr = #path;

                #[inline(always)]
                fn samples() -> ::core::option::Option<&'static #core::heap::sample::Samples> {
                    #tables
                }

                #[inline(always)]
                fn sampler() -> *mut #core::statics::Sampler {
                    #sampler
                }

                #due
            },
        }
    }
}

/// What runs when the program ends: where the config wants a profile then.
pub(super) fn at_exit(plan: &Plan, name: &Ident, core: &TokenStream) -> Option<TokenStream> {
    plan.policy
        .stats
        .dump_at_exit
        .then(|| quote!(#core::event::profile::at_exit::<#name>();))
}
