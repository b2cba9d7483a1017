//! What events read.

use crate::knob::EventType;
use crate::plan::Plan;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// The core's `Policy`: every field of the plan's, by the same name. What the core has and the plan has not, or the other way
/// round, does not compile.
pub(super) fn policy(plan: &Plan, core: &TokenStream) -> TokenStream {
    let ident = |name: &str| Ident::new(name, Span::call_site());
    let groups = plan.policy.groups();
    let groups = groups.iter().filter(|(_, _, fields)| !fields.is_empty());
    let fields = groups.map(|(group, title, fields)| {
        let (group, title) = (ident(group), ident(title));
        let fields = fields.iter().map(|field| {
            let key = ident(field.key);
            let value = match field.kind {
                EventType::Flag => {
                    let flag = ident(&field.value);
                    quote!(#flag)
                }
                EventType::Words { name, .. } => {
                    let (choice, variant) = (ident(name), ident(&field.value));
                    quote!(#core::policy::knobs::#choice::#variant)
                }
                EventType::Number(_) => {
                    // Unreachable for what `Event::rust` writes; such a field would not compile.
                    let number: Literal = field.value.parse().unwrap_or_else(|_| Literal::string(&field.value));
                    quote!(#number)
                }
            };
            quote!(#key: #value)
        });
        quote!(#group: #core::policy::knobs::#title { #(#fields),* })
    });
    quote!(#core::Policy { #(#fields),* })
}

/// Bytes that the magazines of a thread that is alone may hold, all together; and what they hold of that at their first lengths.
pub(super) fn budget(plan: &Plan) -> (u32, u32) {
    let first: u64 = plan
        .classes
        .iter()
        .map(|c| u64::from(c.batch_first.max(1)) * u64::from(c.size))
        .sum();
    let first = first * u64::from(plan.policy.cache.magazines) * plan.policy.tokens() as u64;
    // Lists that are a batch long from the beginning may be more than a word counts.
    let word = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    (word(plan.cache.thread_bytes.max(first)), word(first))
}
