//! What the loader calls: when the program or library of an expansion is loaded.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The functions, in the sections where the loader looks for them. Numbers sort them: before Rust's own, and before those
/// of the program.
pub(super) fn life(name: &Ident, core: &TokenStream) -> TokenStream {
    quote! {
        #[used]
        #[unsafe(link_section = ".init_array.00001")]
        static LOAD: extern "C" fn() = {
            extern "C" fn load() {
                #core::event::process::load::<#name>();
            }
            load
        };
    }
}
