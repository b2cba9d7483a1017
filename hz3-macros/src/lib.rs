//! `variant!`: from a TOML to an allocator, at build time. The generator is `hz3_config::emit`; this is its shell.
#![forbid(unsafe_code)]

use hz3_config::emit;
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Token, Visibility};

mod word {
    syn::custom_keyword!(env);
    syn::custom_keyword!(or);
}

/// `pub Name = "configs/x.toml"`, with attributes in front, or `pub Name = env "VARIABLE" or "configs/x.toml"`.
struct Input {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    variable: Option<LitStr>,
    path: LitStr,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
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
            attributes,
            visibility,
            name,
            variable,
            path,
        })
    }
}

impl Input {
    /// The config's path: what the variable says, if there is one and it says something, else the text.
    fn path(&self) -> PathBuf {
        let said = self.variable.as_ref().and_then(|v| std::env::var_os(v.value()));
        said.filter(|path| !path.is_empty())
            .map_or_else(|| self.path.value().into(), PathBuf::from)
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

/// Defines an allocator: `variant!(pub Name = "configs/x.toml");`
///
/// The path is relative to the folder of the crate's `Cargo.toml`. `Name` becomes a unit struct that implements
/// `GlobalAlloc` (and `hz3::core::Variant`); every error of the config is a compile error with file, line, column and
/// help. A change of the TOML or of any of its parents builds the crate again.
///
/// `variant!(pub Name = env "HZ3_CONFIG" or "configs/x.toml");` takes the path from that environment variable of the
/// build, if it is set and not empty. A change of the variable builds the crate again, too.
#[proc_macro]
pub fn variant(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as Input);
    let here = input.name.span().unwrap();
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut place = DefaultHasher::new();
    (
        std::env::var("CARGO_PKG_NAME").ok(),
        std::env::var("CARGO_CRATE_NAME").ok(),
    )
        .hash(&mut place);
    (here.file(), here.line(), here.column(), input.name.to_string()).hash(&mut place);
    match hz3_config::load(&folder.join(input.path())) {
        Ok(plan) => {
            let (attributes, visibility) = (&input.attributes, &input.visibility);
            let site = emit::Site {
                attributes: quote!(#(#attributes)*),
                visibility: quote!(#visibility),
                name: input.name.clone(),
                core: quote!(::hz3::core),
                unique: place.finish(),
                interposes: false,
            };
            let (code, tracked) = (emit::variant(&plan, &site), input.tracked());
            quote!(#code #tracked).into()
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
