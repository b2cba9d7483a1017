//! What `hz3::variant!` expands to: from a TOML to an allocator, at build time. The generator is `hz3_config::emit`; this is
//! its shell.
//!
//! This crate is a part of `hz3`, which hands it the path to itself. Use it through `hz3`.
#![forbid(unsafe_code)]

use hz3_config::emit::{self, Holder};
use hz3_config::preset;
use proc_macro2::{Literal, TokenStream, TokenTree};
use quote::quote;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Token, Visibility};

mod word {
    syn::custom_keyword!(env);
    syn::custom_keyword!(or);
    syn::custom_keyword!(perhaps);
}

/// `$crate; pub Name = "configs/x.toml"`, with attributes in front, or `$crate; pub Name = env "VARIABLE" or "configs/x.toml"`.
struct Input {
    /// `hz3`, whatever the user's crate calls it.
    hz3: TokenTree,
    /// `perhaps;` behind it: the variant of `hz3` itself, which its users use or not.
    perhaps: bool,
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    variable: Option<LitStr>,
    path: LitStr,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let hz3 = input.parse()?;
        input.parse::<Token![;]>()?;
        let perhaps = input.peek(word::perhaps) && input.peek2(Token![;]);
        if perhaps {
            input.parse::<word::perhaps>()?;
            input.parse::<Token![;]>()?;
        }
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        let variable = if input.peek(word::env) {
            input.parse::<word::env>()?;
            let variable = input.parse()?;
            input.parse::<word::or>()?;
            Some(variable)
        } else {
            None
        };
        let path = input.parse()?;
        let _: Option<Token![;]> = input.parse()?;
        Ok(Input {
            hz3,
            perhaps,
            attributes,
            visibility,
            name,
            variable,
            path,
        })
    }
}

impl Input {
    /// The config: what the variable says, if there is one and it says something, else the text. A path is relative to the
    /// folder of the crate; `hz3:NAME` is a preset.
    fn config(&self) -> PathBuf {
        let said = self.variable.as_ref().and_then(|v| std::env::var_os(v.value()));
        let named = said
            .filter(|path| !path.is_empty())
            .map_or_else(|| self.path.value().into(), PathBuf::from);
        if preset::named(&named).is_some() {
            return named;
        }
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
        Path::new(&folder).join(named)
    }

    /// A number that no other variant of the program has: where it stands, and in which crate of which version.
    fn unique(&self) -> u64 {
        let mut place = DefaultHasher::new();
        for variable in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_CRATE_NAME"] {
            std::env::var_os(variable).hash(&mut place);
        }
        let here = self.name.span().unwrap();
        (here.file(), here.line(), here.column(), self.name.to_string()).hash(&mut place);
        place.finish()
    }

    /// What makes the compiler note that the expansion depends on the variable: a look at it from inside of a macro is
    /// nothing that cargo would hear of.
    fn tracked(&self) -> Option<TokenStream> {
        let variable = self.variable.as_ref()?;
        Some(quote!(
            const _: ::core::option::Option<&str> = ::core::option_env!(#variable);
        ))
    }
}

/// See `hz3::variant!`.
#[doc(hidden)]
#[proc_macro]
pub fn variant(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as Input);
    match hz3_config::load(&input.config()) {
        Ok(plan) => {
            let (attributes, visibility, facade) = (&input.attributes, &input.visibility, &input.hz3);
            let site = emit::Site {
                attributes: quote!(#(#attributes)*),
                visibility: quote!(#visibility),
                name: input.name.clone(),
                core: quote!(#facade::core),
                unique: input.unique(),
                holder: if input.perhaps { Holder::Crate } else { Holder::User },
            };
            let (code, tracked) = (emit::variant(&plan, &site), input.tracked());
            // Nobody can tell whether a program uses the variant of `hz3` itself: where it does not, there must be no note.
            let note = (!input.perhaps).then(|| emit::note::item(&plan, env!("CARGO_PKG_VERSION"), None));
            quote!(#code #note #tracked).into()
        }
        Err(diagnostics) => compile_errors(&diagnostics, &input).into(),
    }
}

/// One `compile_error!` for each diagnostic, in the words of the command line.
fn compile_errors(diagnostics: &hz3_config::Diagnostics, input: &Input) -> TokenStream {
    let errors = diagnostics.items().iter().map(|d| {
        let text = d.render(false);
        // The compiler begins with that word itself.
        let text = Literal::string(text.strip_prefix("error: ").unwrap_or(&text));
        quote::quote_spanned!(input.path.span()=> ::core::compile_error!(#text);)
    });
    quote!(#(#errors)*)
}
