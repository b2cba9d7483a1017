//! What the loader calls: when the program or library of an expansion is loaded, and when it is unloaded.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The functions, in the sections where the loader looks for them. Numbers sort them: before Rust's own, and before those
/// of the program, and the other way round when it is unloaded. What `stays` is never unloaded.
pub(super) fn life(stays: bool, name: &Ident, core: &TokenStream) -> TokenStream {
    let unload = (!stays).then(|| {
        quote! {
            #[used]
            #[unsafe(link_section = ".fini_array.00001")]
            static UNLOAD: extern "C" fn() = {
                extern "C" fn unload() {
                    #core::event::presence::unload::<#name>();
                }
                unload
            };
        }
    });
    quote! {
        #[used]
        #[unsafe(link_section = ".init_array.00001")]
        static LOAD: extern "C" fn() = {
            extern "C" fn load() {
                #core::event::process::load::<#name>();
            }
            load
        };
        #unload
    }
}
