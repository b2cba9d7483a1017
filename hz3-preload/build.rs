//! Generates the variant that `HZ3_CONFIG` names (the preset `default` if it is not set), and its ELF note.

use hz3_config::plan::Tls;
use hz3_config::{emit, sources};
use proc_macro2::{Ident, Literal, Span};
use quote::quote;
use std::path::{Path, PathBuf};

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

fn main() {
    println!("cargo::rerun-if-env-changed=HZ3_CONFIG");
    let here = PathBuf::from(var("CARGO_MANIFEST_DIR"));
    let config = std::env::var_os("HZ3_CONFIG").map_or_else(|| "hz3:default".into(), PathBuf::from);
    if hz3_config::preset::named(&config).is_none() {
        println!("cargo::rerun-if-changed={}", config.display());
    }
    let plan = match hz3_config::load(&config) {
        Ok(plan) => plan,
        Err(diagnostics) => {
            eprintln!("{}", diagnostics.render(false));
            std::process::exit(2);
        }
    };
    for source in plan.files() {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let root = here.parent().unwrap_or(&here);
    for source in sources::watched(root) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    // Before anything is compiled: if a source is changed meanwhile, the library counts as one of the older sources.
    let sources = match sources::hash(root) {
        Ok(hash) => hash,
        Err(e) => {
            eprintln!("cannot read the sources in {}: {e}", root.display());
            std::process::exit(3);
        }
    };
    let site = emit::Site {
        attributes: quote!(#[doc = "The variant of this library."]),
        visibility: quote!(pub),
        name: Ident::new("Preload", Span::call_site()),
        core: quote!(::hz3_core),
        unique: plan.hash.0,
        interposes: true,
    };
    let version = var("CARGO_PKG_VERSION");
    let note = emit::note::bytes(&plan, &version, sources);
    let length = note.len();
    let note = Literal::byte_string(&note);
    let code = emit::variant(&plan, &site);
    let code = quote! {
        #code

        #[used]
        #[unsafe(link_section = ".note.hz3")]
        static NOTE: Note<#length> = Note(*#note);
    };
    let out = PathBuf::from(var("OUT_DIR"));
    write(&out.join("variant.rs"), &code.to_string());
    // Forms of `operator new` that derive from these call them as the dynamic linker binds them, to the program's own if it
    // has some. All other calls within the library stay within it.
    let list = out.join("replaceable.list");
    write(&list, &format!("{{ {}; }};\n", REPLACEABLE.join("; ")));
    println!("cargo::rustc-cdylib-link-arg=-Wl,--dynamic-list={}", list.display());
    for name in REPLACEABLE {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym=__hz3_own{name}={name}");
    }
    let soname = format!("-soname,{}", hz3_config::soname::soname(&plan.name));
    // Its fork handlers are to be the first that anybody registers.
    let always = [&soname, "-z,defs", "-z,initfirst", "-Bsymbolic-functions"];
    let never_unloaded = (plan.build.tls == Tls::InitialExec).then_some("-z,nodelete");
    for argument in always.into_iter().chain(never_unloaded) {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
    }
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn write(path: &Path, text: &str) {
    if let Err(e) = std::fs::write(path, text) {
        eprintln!("cannot write {}: {e}", path.display());
        std::process::exit(3);
    }
}
