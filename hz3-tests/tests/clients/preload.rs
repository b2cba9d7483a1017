//! What is hz3's own in a library: its functions, its note, its exports.

use hz3_tests::{Allocator, Run, client, place::PLACE};
use libtest_mimic::{Failed, Trial};

pub fn trials(name: &str) -> Vec<Trial> {
    let (one, two) = (name.to_owned(), name.to_owned());
    vec![
        Trial::test(format!("{name}::preload_api"), move || api(&Allocator::variant(&one)?)),
        Trial::test(format!("{name}::preload_elf"), move || elf(&Allocator::variant(&two)?)),
    ]
}

fn api(allocator: &Allocator) -> Result<(), Failed> {
    let outcome = Run::new(client::build("preload_api")?, allocator).success()?;
    let value: serde_json::Value =
        serde_json::from_slice(&outcome.stdout).map_err(|e| format!("no JSON: {e}\n{}", outcome.describe()))?;
    let text = |key: &str| {
        value[key]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("no `{key}`"))
    };
    let plan = hz3_config::load(&PLACE.config_file(allocator.name())).map_err(|e| e.to_string())?;
    equal("hz3_name()", &text("name")?, allocator.name())?;
    equal("hz3_config()", text("config")?.trim(), plan.resolved.trim())?;
    if text("version")?.is_empty() {
        return Err("hz3_version() is empty".into());
    }
    let stats = value["stats"].as_object().ok_or("the statistics are no JSON object")?;
    if stats.is_empty() {
        return Err("the statistics are empty".into());
    }
    // The config that a library says it has makes the same library.
    let file = PLACE.config_file(allocator.name());
    let again = hz3_config::load_str(&file, &text("config")?).map_err(|e| e.to_string())?;
    equal(
        "the resolved config's code hash",
        &again.code_hash.to_string(),
        &plan.code_hash.to_string(),
    )
}

/// Symbols of the malloc interface that a library has to export, beside C++ and `hz3_*`.
const SURFACE: [&str; 29] = [
    "__libc_calloc",
    "__libc_free",
    "__libc_malloc",
    "__libc_mallopt",
    "__libc_memalign",
    "__libc_pvalloc",
    "__libc_realloc",
    "__libc_valloc",
    "__posix_memalign",
    "aligned_alloc",
    "calloc",
    "cfree",
    "free",
    "free_aligned_sized",
    "free_sized",
    "mallinfo",
    "mallinfo2",
    "malloc",
    "malloc_info",
    "malloc_stats",
    "malloc_trim",
    "malloc_usable_size",
    "mallopt",
    "memalign",
    "posix_memalign",
    "pvalloc",
    "realloc",
    "reallocarray",
    "valloc",
];

fn elf(allocator: &Allocator) -> Result<(), Failed> {
    let Allocator::Variant(variant) = allocator else {
        return Err("not a variant".into());
    };
    let library = &variant.library;
    equal("its name", &library.name, &variant.name)?;
    equal(
        "its SONAME",
        &library.soname,
        &hz3_config::soname::soname(&variant.name),
    )?;
    for name in SURFACE {
        if !library.exports.iter().any(|e| e == name) {
            return Err(format!("{name} is not exported").into());
        }
    }
    let operators = library
        .exports
        .iter()
        .filter(|e| e.starts_with("_Zn") || e.starts_with("_Zd"))
        .count();
    equal("the number of C++ operators", &operators.to_string(), "20")?;
    let stray: Vec<&str> = library
        .exports
        .iter()
        .map(String::as_str)
        .filter(|e| !SURFACE.contains(e) && !e.starts_with("hz3_"))
        .filter(|e| !e.starts_with("_Zn") && !e.starts_with("_Zd"))
        .collect();
    if !stray.is_empty() {
        return Err(format!("exported, but no part of the interface: {}", stray.join(", ")).into());
    }
    let foreign: Vec<&str> = library
        .needed
        .iter()
        .map(String::as_str)
        .filter(|n| !n.starts_with("libc.so") && !n.starts_with("ld-linux"))
        .collect();
    if !foreign.is_empty() {
        return Err(format!("needs more than the C library: {}", foreign.join(", ")).into());
    }
    if library.imports.iter().any(|i| i == "__tls_get_addr") {
        return Err("it calls __tls_get_addr: its thread-local block is not initial-exec".into());
    }
    Ok(())
}

fn equal(what: &str, got: &str, expected: &str) -> Result<(), Failed> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what} is\n{got}\nand not\n{expected}").into())
    }
}
