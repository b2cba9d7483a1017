//! A variant as a library of its own: the Rust that `hz3-preload` includes, and what its linker is told.

use super::{Holder, Site, note, token, variant};
use crate::hash::{self, ConfigHash};
use crate::plan::{Plan, Stacks, Tls};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// Functions of C++ that other forms are defined by: a program may replace them.
const REPLACEABLE: [&str; 8] = [
    "_Znwm",
    "_Znam",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
];

/// What was generated for the library of one variant.
pub struct Library {
    code: TokenStream,
    /// What the linker is told, one argument each, beside the file of [`dynamic_list`].
    pub linker: Vec<String>,
}

impl Library {
    /// Generates it.
    pub fn of(plan: &Plan) -> Self {
        Self {
            code: code(plan),
            linker: linker(plan),
        }
    }

    /// The Rust code, with the library's note: which `version` of hz3 made it, from `sources` of this hash.
    pub fn text(&self, plan: &Plan, version: &str, sources: ConfigHash) -> String {
        let (code, note) = (&self.code, note::item(plan, version, Some(sources)));
        quote!(#code #note).to_string()
    }
}

/// The names of the functions that take an allocation token, of a variant that tells tokens apart.
pub fn token_functions(plan: &Plan) -> Vec<String> {
    token::names(plan)
}

/// The text of the file that the linker is to get as `--dynamic-list`. Forms of `operator new` that derive from these call
/// them as the dynamic linker binds them, to the program's own if it has some. All other calls within the library stay
/// within it.
pub fn dynamic_list() -> String {
    format!("{{ {}; }};\n", REPLACEABLE.join("; "))
}

/// The hash of all that a variant's library is made of: `files` by their names and bytes, and what the generator writes.
/// What the config says to people is no part of it.
pub fn sources<'a>(plan: &Plan, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> ConfigHash {
    let mut hash = hash::START;
    // Each part says where it ends, so that no two sets of files read alike.
    let mut add = |name: &str, bytes: &[u8]| {
        let length = (bytes.len() as u64).to_le_bytes();
        hash = [name.as_bytes(), &[0], &length, bytes]
            .into_iter()
            .fold(hash, hash::add);
    };
    for (name, bytes) in files {
        add(name, bytes);
    }
    let sober = Plan {
        resolved: String::new(),
        ..plan.clone()
    };
    let generated = Library::of(&sober);
    add("code", generated.code.to_string().as_bytes());
    add("linker", generated.linker.join("\n").as_bytes());
    ConfigHash(hash)
}

fn code(plan: &Plan) -> TokenStream {
    // Who writes the code anew for each build needs nobody to watch the config's files.
    let plan = Plan {
        sources: Vec::new(),
        ..plan.clone()
    };
    let site = Site {
        attributes: quote!(#[doc = "The variant of this library."]),
        visibility: quote!(pub),
        name: Ident::new("Preload", Span::call_site()),
        core: quote!(::hz3_core),
        unique: plan.hash.0,
        holder: Holder::Malloc,
    };
    let (variant, tokens) = (variant(&plan, &site), token::items(&plan, &site.name, &site.core));
    quote!(#variant #tokens)
}

fn linker(plan: &Plan) -> Vec<String> {
    let own = REPLACEABLE
        .iter()
        .map(|name| format!("--defsym=__hz3_own{name}={name}"));
    let soname = format!("-soname,{}", crate::soname::soname(&plan.name));
    // Its fork handlers are to be the first that anybody registers.
    let always = [&soname, "-z,defs", "-z,initfirst", "-Bsymbolic-functions"].map(str::to_owned);
    let unwinder = (plan.policy.stats.stacks == Stacks::Unwinder)
        .then(|| "--push-state,--no-as-needed,-lgcc_s,--pop-state".to_owned());
    let never_unloaded = (plan.build.tls == Tls::InitialExec).then(|| "-z,nodelete".to_owned());
    own.chain(always).chain(never_unloaded).chain(unwinder).collect()
}
