//! A program of many small objects with an allocator that `cargo hz3 fit` made for it: `examples/outline.toml`.
//!
//! It parses the Rust files of some folders, keeps their syntax trees, and prints which names are declared most often, and where.
//! `cargo run --release --example outline -- src hz3-core/src` runs it. The variable `OUTLINE_MALLOC` names another allocator when
//! it is built, such as `hz3:default`, or a TOML.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use syn::{ImplItem, Item, TraitItem};

hz3::variant!(
    /// This program's allocator.
    pub Alloc = env "OUTLINE_MALLOC" or "examples/outline.toml"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

/// A file and its syntax tree.
struct Parsed {
    path: PathBuf,
    tree: syn::File,
}

/// The names that files declare: of each its kind, and the files that have it.
type Names = BTreeMap<String, Vec<(&'static str, usize)>>;

/// All Rust files below a folder, in the order of their names.
fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = folder
        .read_dir()?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Notes what an item declares, and what the items in it do.
fn declared(item: &Item, file: usize, names: &mut Names) {
    let mut note = |kind, name: String| names.entry(name).or_default().push((kind, file));
    match item {
        Item::Const(item) => note("const", item.ident.to_string()),
        Item::Enum(item) => {
            note("enum", item.ident.to_string());
            for variant in &item.variants {
                note("variant", format!("{}::{}", item.ident, variant.ident));
            }
        }
        Item::Fn(item) => note("fn", item.sig.ident.to_string()),
        Item::Impl(item) => {
            for part in &item.items {
                match part {
                    ImplItem::Const(part) => note("const", part.ident.to_string()),
                    ImplItem::Fn(part) => note("fn", part.sig.ident.to_string()),
                    _ => {}
                }
            }
        }
        Item::Mod(item) => {
            note("mod", item.ident.to_string());
            for item in item.content.iter().flat_map(|(_, items)| items) {
                declared(item, file, names);
            }
        }
        Item::Static(item) => note("static", item.ident.to_string()),
        Item::Struct(item) => {
            note("struct", item.ident.to_string());
            for field in item.fields.iter().filter_map(|field| field.ident.as_ref()) {
                note("field", format!("{}.{field}", item.ident));
            }
        }
        Item::Trait(item) => {
            note("trait", item.ident.to_string());
            for part in &item.items {
                if let TraitItem::Fn(part) = part {
                    note("fn", part.sig.ident.to_string());
                }
            }
        }
        Item::Type(item) => note("type", item.ident.to_string()),
        _ => {}
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = Vec::new();
    for folder in std::env::args().skip(1) {
        files(Path::new(&folder), &mut paths).map_err(|error| format!("{folder}: {error}"))?;
    }
    let mut parsed = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let tree = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        parsed.push(Parsed { path, tree });
    }
    let mut names = Names::new();
    for (file, Parsed { tree, .. }) in parsed.iter().enumerate() {
        tree.items.iter().for_each(|item| declared(item, file, &mut names));
    }
    let mut often: Vec<_> = names.iter().collect();
    often.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
    for (name, places) in often.iter().take(12) {
        let (kind, first) = places[0];
        println!("{:5} {kind:8} {name:24} {}", places.len(), parsed[first].path.display());
    }
    println!("{} files, {} names", parsed.len(), names.len());
    Ok(())
}
