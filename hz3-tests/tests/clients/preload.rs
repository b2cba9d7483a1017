//! What is hz3's own in a library: its functions, its note, its exports.

use hz3_config::plan::Stacks;
use hz3_project::library::abi;
use hz3_tests::{Allocator, Run, client, place};
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
    let plan = hz3_config::load(&place::config(allocator.name())).map_err(|e| e.to_string())?;
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
    let file = place::config(allocator.name());
    let again = hz3_config::load_str(&file, &text("config")?).map_err(|e| e.to_string())?;
    equal(
        "the resolved config's code hash",
        &again.code_hash.to_string(),
        &plan.code_hash.to_string(),
    )
}

fn elf(allocator: &Allocator) -> Result<(), Failed> {
    let Allocator::Variant(variant) = allocator else {
        return Err("not a variant".into());
    };
    let library = &variant.library;
    let note = library.note.as_ref().ok_or("it has no note")?;
    equal("its name", &note.name, &variant.name)?;
    equal(
        "its SONAME",
        library.soname.as_deref().unwrap_or("none"),
        &hz3_config::soname::soname(&variant.name),
    )?;
    let plan = hz3_config::load(&place::config(&variant.name)).map_err(|e| e.to_string())?;
    let tokens = hz3_config::emit::library::token_functions(&plan);
    let (missing, stray) = abi::faults(&library.exports, &tokens);
    if !missing.is_empty() {
        return Err(format!("not exported: {}", missing.join(", ")).into());
    }
    if !stray.is_empty() {
        return Err(format!("exported, but no part of the interface: {}", stray.join(", ")).into());
    }
    let unwinds = plan.policy.stats.stacks == Stacks::Unwinder;
    let foreign: Vec<&str> = library
        .needed
        .iter()
        .map(String::as_str)
        .filter(|n| !n.starts_with("libc.so") && !n.starts_with("ld-linux"))
        .filter(|n| !unwinds || !n.starts_with("libgcc_s.so"))
        .collect();
    if !foreign.is_empty() {
        return Err(format!("needs more than the C library: {}", foreign.join(", ")).into());
    }
    if library.imports.contains("__tls_get_addr") {
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
