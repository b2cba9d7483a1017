//! `variant!`: from a TOML to an allocator, at build time. The generator is `hz3_config::emit`; this is its shell.
#![forbid(unsafe_code)]

use hz3_config::emit;
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Token, Visibility};

/// `pub Name = "configs/x.toml"`, with attributes in front.
struct Input {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    path: LitStr,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        let path = input.parse()?;
        let _: Option<Token![;]> = input.parse()?;
        Ok(Input {
            attributes,
            visibility,
            name,
            path,
        })
    }
}

/// Defines an allocator: `variant!(pub Name = "configs/x.toml");`
///
/// The path is relative to the folder of the crate's `Cargo.toml`. `Name` becomes a unit struct that implements
/// `GlobalAlloc` (and `hz3::core::Variant`); every error of the config is a compile error with file, line, column and
/// help. A change of the TOML or of any of its parents builds the crate again.
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
    match hz3_config::load(&folder.join(input.path.value())) {
        Ok(plan) => {
            let (attributes, visibility) = (&input.attributes, &input.visibility);
            let site = emit::Site {
                attributes: quote!(#(#attributes)*),
                visibility: quote!(#visibility),
                name: input.name.clone(),
                core: quote!(::hz3::core),
                unique: place.finish(),
            };
            emit::variant(&plan, &site).into()
        }
        Err(diagnostics) => compile_errors(&diagnostics, &input).into(),
    }
}

/// One `compile_error!` for each diagnostic, in the words of the command line.
fn compile_errors(diagnostics: &hz3_config::Diagnostics, input: &Input) -> TokenStream {
    let errors = diagnostics.items().iter().map(|d| {
        let text = Literal::string(&d.render(false));
        quote::quote_spanned!(input.path.span()=> ::core::compile_error!(#text);)
    });
    quote!(#(#errors)*)
}
