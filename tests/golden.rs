//! What the generator writes for small configs, compared with what is checked in; and that it works: the same configs
//! allocate and free here, and `tests/objects.rs` and `tests/runs.rs` put them to the proof.
//!
//! `HZ3_BLESS=1 cargo test --test golden` writes the files anew.

mod common;

#[path = "common/fixtures.rs"]
mod fixtures;

use common::blessed;
use hz3::core::Variant;
use hz3::core::hot;
use hz3_config::emit;
use proc_macro2::{Ident, Span};
use quote::quote;

/// The expansion of a fixture as Rust that people can read, a class a line.
fn expansion(name: &str) -> String {
    let plan = common::plan(&format!("tests/fixtures/{name}.toml"));
    let site = emit::Site {
        attributes: quote!(#[doc = "A fixture."]),
        visibility: quote!(pub),
        name: Ident::new("Fixture", Span::call_site()),
        core: quote!(::hz3::core),
        unique: 0x5eed,
        holder: emit::Holder::User,
    };
    // Paths of this checkout would break lines elsewhere than those of another one.
    let root = format!("{}/", common::root().display());
    let code = emit::variant(&plan, &site).to_string().replace(&root, "$ROOT/");
    let file = syn::parse_file(&code).expect("the expansion is Rust");
    let mut text = String::from("// Written by `HZ3_BLESS=1 cargo test --test golden`.\n\n");
    let mut row = false;
    for line in prettyplease::unparse(&file).lines() {
        row |= line.ends_with("core::Class {");
        text.push_str(if row && !line.ends_with("core::Class {") {
            line.trim_start()
        } else {
            line
        });
        row &= line.trim() != "},";
        text.push(if row { ' ' } else { '\n' });
    }
    text
}

#[test]
fn expansions_are_what_they_were() {
    let faults: Vec<String> = ["narrow", "wide", "coloured", "bank"]
        .into_iter()
        .filter_map(|name| blessed::compare(&format!("tests/golden/{name}.txt"), &expansion(name), "golden").err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn an_expansion_is_the_same_each_time() {
    assert_eq!(expansion("bank"), expansion("bank"));
}

fn works<V: Variant>() {
    // SAFETY: each object is freed once; every byte written lies in it.
    unsafe {
        let objects: Vec<(*mut u8, usize)> = (0..V::LARGEST * 2)
            .step_by(97)
            .map(|size| (hot::malloc::<V>(size), size))
            .collect();
        for (i, &(p, size)) in objects.iter().enumerate() {
            assert!(!p.is_null());
            p.write_bytes(i as u8, size);
        }
        for (i, &(p, size)) in objects.iter().enumerate() {
            assert!(
                (0..size).step_by(61).all(|at| *p.add(at) == i as u8),
                "{}: {size}",
                V::NAME
            );
            hot::free::<V>(p);
        }
    }
}

#[test]
fn expansions_allocate_and_free() {
    works::<fixtures::Narrow>();
    works::<fixtures::Wide>();
    works::<fixtures::Child>();
    works::<fixtures::Bank>();
}

#[test]
fn an_arena_that_must_not_grow_ends() {
    use fixtures::Coloured;
    // SAFETY: each object is freed once.
    unsafe {
        let mut objects = Vec::new();
        loop {
            let p = hot::malloc::<Coloured>(60_000);
            if p.is_null() {
                break;
            }
            objects.push(p);
            assert!(
                objects.len() < 1000,
                "32 MiB hold no {} objects of 60,000 bytes",
                objects.len()
            );
        }
        assert_eq!(hz3::core::os::errno(), hz3::core::os::ENOMEM);
        assert!(objects.len() > 300, "only {} objects in 32 MiB", objects.len());
        for p in objects {
            hot::free::<Coloured>(p);
        }
        let again = hot::malloc::<Coloured>(60_000);
        assert!(!again.is_null(), "what was freed is there again");
        hot::free::<Coloured>(again);
    }
}
