//! The functions of a library that a compiler calls which names the kinds of what is allocated (`-fsanitize=alloc-token`):
//! `__alloc_token_NAME(…, token)`, and `__alloc_token_N_NAME(…)` where the token stands in the name (`-fsanitize-alloc-token-fast-abi`).
//! A name of C++ is the mangled one.

use crate::plan::Plan;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// A function: its name, the types of its arguments, of its result, and what does it, a path that takes the variant and the arguments.
struct Function {
    name: &'static str,
    takes: Vec<TokenStream>,
    gives: TokenStream,
    by: TokenStream,
}

fn functions(core: &TokenStream) -> Vec<Function> {
    let (size, pointer, int) = (quote!(usize), quote!(*mut u8), quote!(::core::ffi::c_int));
    let out = quote!(*mut *mut u8);
    let c = |name: &str| {
        let name = Ident::new(name, Span::call_site());
        quote!(#core::abi::c::#name)
    };
    let mut all = vec![Function {
        name: "malloc",
        takes: vec![size.clone()],
        gives: pointer.clone(),
        by: quote!(#core::abi::calls::malloc),
    }];
    for (name, takes) in [
        ("calloc", vec![&size, &size]),
        ("realloc", vec![&pointer, &size]),
        ("reallocarray", vec![&pointer, &size, &size]),
        ("memalign", vec![&size, &size]),
        ("aligned_alloc", vec![&size, &size]),
        ("valloc", vec![&size]),
        ("pvalloc", vec![&size]),
    ] {
        all.push(Function {
            name,
            takes: takes.into_iter().cloned().collect(),
            gives: pointer.clone(),
            by: c(name),
        });
    }
    all.push(Function {
        name: "posix_memalign",
        takes: vec![out, size.clone(), size.clone()],
        gives: int,
        by: c("posix_memalign"),
    });
    // The crate that this is emitted into has them.
    let preload = quote!(crate);
    // The last argument of the nothrow forms is a reference to a `std::nothrow_t`.
    for (name, takes, by) in [
        ("_Znwm", 1, quote!(new)),
        ("_Znam", 1, quote!(new)),
        ("_ZnwmRKSt9nothrow_t", 2, quote!(nothrow)),
        ("_ZnamRKSt9nothrow_t", 2, quote!(nothrow)),
        ("_ZnwmSt11align_val_t", 2, quote!(new_aligned)),
        ("_ZnamSt11align_val_t", 2, quote!(new_aligned)),
        ("_ZnwmSt11align_val_tRKSt9nothrow_t", 3, quote!(nothrow_aligned)),
        ("_ZnamSt11align_val_tRKSt9nothrow_t", 3, quote!(nothrow_aligned)),
    ] {
        all.push(Function {
            name,
            takes: vec![size.clone(); takes],
            gives: pointer.clone(),
            by: quote!(#preload::cxx::token::#by),
        });
    }
    all
}

/// The names of these functions; none where tokens are not told apart.
pub(super) fn names(plan: &Plan) -> Vec<String> {
    let tokens = plan.policy.tokens();
    if tokens < 2 {
        return Vec::new();
    }
    let of = |name: &'static str| {
        let fast = (0..tokens).map(move |n| format!("__alloc_token_{n}_{name}"));
        fast.chain([format!("__alloc_token_{name}")])
    };
    functions(&TokenStream::new())
        .iter()
        .flat_map(|function| of(function.name))
        .collect()
}

/// These functions; nothing where tokens are not told apart.
pub(super) fn items(plan: &Plan, variant: &Ident, core: &TokenStream) -> TokenStream {
    let tokens = plan.policy.tokens();
    if tokens < 2 {
        return TokenStream::new();
    }
    let items = functions(core).into_iter().map(|function| {
        let Function { name, takes, gives, by } = function;
        let ident = |name: String| Ident::new(&name, Span::call_site());
        let arguments: Vec<Ident> = (0..takes.len()).map(|n| ident(format!("a{n}"))).collect();
        let fast: Vec<Ident> = (0..tokens)
            .map(|n| ident(format!("__alloc_token_{n}_{name}")))
            .collect();
        let numbers = (0..tokens).map(Literal::usize_unsuffixed);
        let named = fast.iter().zip(numbers.clone()).map(|(fast, number)| {
            quote! {
                #[unsafe(no_mangle)]
                #[allow(non_snake_case, missing_docs, clippy::missing_safety_doc)]
                pub unsafe extern "C" fn #fast(#(#arguments: #takes),*) -> #gives {
                    // SAFETY: it asks for no more than the function of the name without a token, whose caller this one's is.
                    unsafe { #by::<#core::variant::Token<#variant, #number>>(#(#arguments),*) }
                }
            }
        });
        let call = quote!(#(#arguments),*);
        let named: Vec<TokenStream> = named.collect();
        let (any, last, count) = (ident(format!("__alloc_token_{name}")), tokens - 1, tokens);
        let (others, first) = (fast.iter().take(last), fast.last());
        let cases = numbers.take(last);
        quote! {
            #(#named)*

            #[unsafe(no_mangle)]
            #[allow(non_snake_case, missing_docs, clippy::missing_safety_doc)]
            pub unsafe extern "C" fn #any(#(#arguments: #takes,)* token: usize) -> #gives {
                // SAFETY: as above.
                unsafe {
                    match token % #count {
                        #(#cases => #others(#call),)*
                        _ => #first(#call),
                    }
                }
            }
        }
    });
    items.collect()
}
