//! Machines and systems that hz3 is for, and how others are refused: by one sentence of the compiler. A compiler for other machines is
//! rarely at hand, but each knows what it would take for granted on them (`rustc --print cfg`), and the condition in `hz3-core` is held
//! against that.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Item, Lit, Meta, Token};

/// What the compiler takes for granted on a machine: names, and names with values.
fn granted(target: &str) -> BTreeSet<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "cfg", "--target", target])
        .output()
        .expect("a compiler");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success(),
        "{target}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines().map(str::to_owned).collect()
}

/// Whether a condition holds.
fn holds(condition: &Meta, granted: &BTreeSet<String>) -> bool {
    match condition {
        Meta::Path(name) => granted.contains(&name.require_ident().expect("a name").to_string()),
        Meta::NameValue(pair) => {
            let Expr::Lit(ExprLit {
                lit: Lit::Str(value), ..
            }) = &pair.value
            else {
                panic!("a value that is no text");
            };
            let name = pair.path.require_ident().expect("a name");
            granted.contains(&format!("{name}=\"{}\"", value.value()))
        }
        Meta::List(list) => {
            let parts = list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .expect("conditions");
            let mut parts = parts.iter().map(|part| holds(part, granted));
            match &*list.path.require_ident().expect("a name").to_string() {
                "all" => parts.all(|holds| holds),
                "any" => parts.any(|holds| holds),
                "not" => !parts.next().expect("a condition"),
                other => panic!("`{other}` is no condition"),
            }
        }
    }
}

/// When `hz3-core` refuses to be compiled, and what it says.
fn refusal() -> (Meta, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("hz3-core/src/lib.rs");
    let file = syn::parse_file(&std::fs::read_to_string(root).expect("the core's root")).expect("Rust");
    let refused = file.items.into_iter().find_map(|item| match item {
        Item::Macro(item) if item.mac.path.is_ident("compile_error") => Some(item),
        _ => None,
    });
    let item = refused.expect("a machine that is refused");
    let condition = item.attrs.iter().find(|attribute| attribute.path().is_ident("cfg"));
    let condition = condition.expect("a condition").parse_args().expect("a condition");
    (condition, item.mac.parse_body::<syn::LitStr>().expect("a text").value())
}

#[test]
fn other_machines_and_systems_are_refused_in_one_sentence() {
    let (condition, text) = refusal();
    for (target, refused) in [
        ("x86_64-unknown-linux-gnu", false),
        ("x86_64-unknown-linux-musl", false),
        ("aarch64-unknown-linux-gnu", false),
        ("aarch64-unknown-linux-musl", false),
        ("i686-unknown-linux-gnu", true),
        ("armv7-unknown-linux-gnueabihf", true),
        ("x86_64-unknown-linux-gnux32", true),
        ("aarch64_be-unknown-linux-gnu", true),
        ("riscv64gc-unknown-linux-gnu", true),
        ("x86_64-apple-darwin", true),
        ("aarch64-apple-darwin", true),
        ("x86_64-pc-windows-msvc", true),
        ("x86_64-unknown-freebsd", true),
        ("aarch64-linux-android", true),
    ] {
        assert_eq!(holds(&condition, &granted(target)), refused, "{target}");
    }
    assert!(
        !text.contains(['\n', ';']) && !text.contains(". ") && text.len() < 200,
        "{text}"
    );
    for word in ["Linux", "x86-64", "aarch64", "docs/platforms.md"] {
        assert!(text.contains(word), "{text}");
    }
}
