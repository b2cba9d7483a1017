//! What an expansion has for sampling: the tables, a second symbol of each thread, and how `malloc` counts.

use super::c_string;
use super::local::{Local, accessor};
use crate::plan::{Plan, Record};
use proc_macro2::{Ident, TokenStream};
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
        let Local { symbol, item, pointer } = Local::new(plan, core, unique, "sampler", "Sampler");
        let (items, tables, sampler) = if samples {
            (
                quote! {
                    static SAMPLES: #core::heap::sample::Samples = #core::heap::sample::Samples::new();
                    #item
                },
                quote!(::core::option::Option::Some(&SAMPLES)),
                pointer,
            )
        } else {
            (
                TokenStream::new(),
                quote!(::core::option::Option::None),
                quote!(::core::ptr::null_mut()),
            )
        };
        let take = accessor(plan, "take");
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
