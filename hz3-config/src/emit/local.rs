//! Thread-local storage: what each thread of a variant has beside its block, and the macros of the core that find it.

use crate::plan::{Plan, Tls};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

/// The core's macro of this name, for the plan's model of thread-local storage.
pub(super) fn accessor(plan: &Plan, name: &str) -> Ident {
    let name = match plan.build.tls {
        Tls::InitialExec => format!("__tls_{name}"),
        Tls::Dynamic => format!("__tls_{name}_dynamic"),
        Tls::LocalExec => format!("__tls_{name}_local"),
    };
    Ident::new(&name, Span::call_site())
}

/// The name of a symbol of thread-local storage. Where it cannot be in a shared library, it says so: the linker that refuses names it.
pub(super) fn symbol(plan: &Plan, unique: u64, word: &str) -> Literal {
    let why = match plan.build.tls {
        Tls::InitialExec | Tls::Dynamic => "",
        Tls::LocalExec => "_whose_build_tls_is_local_exec_which_no_shared_library_can_have",
    };
    Literal::string(&format!("__hz3_{word}_{unique:016x}{why}"))
}

/// A value of `statics` that each thread has, all zero at first.
pub(super) struct Local {
    /// Its symbol's name.
    pub symbol: Literal,
    /// The symbol.
    pub item: TokenStream,
    /// An expression: a pointer to this thread's.
    pub pointer: TokenStream,
}

impl Local {
    /// Of the type `ty`; `word` is what the symbol and its module are named after.
    pub(super) fn new(plan: &Plan, core: &TokenStream, unique: u64, word: &str, ty: &str) -> Local {
        let symbol = symbol(plan, unique, word);
        let ident = |name: &str| Ident::new(name, Span::call_site());
        let (module, ty) = (ident(&format!("thread_{word}")), ident(ty));
        let address = accessor(plan, "address");
        Local {
            item: quote! {
                mod #module {
                    #core::__tls_symbol!(#symbol, ::core::mem::size_of::<#core::statics::#ty>());
                }
            },
            pointer: quote!(#core::#address!(#symbol, 0) as *mut #core::statics::#ty),
            symbol,
        }
    }
}
