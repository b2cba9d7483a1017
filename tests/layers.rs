//! Layers look only down: what the modules of each crate name, held to the order that is written here once and that
//! `docs/hacking.md` draws.

#[path = "layers/scan.rs"]
mod scan;

use scan::Crate;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A crate and the modules of its root, from above to below. Those of one layer do not know each other. The root
/// itself knows all of them, and none knows the root but for what it passes on.
struct Order {
    krate: &'static str,
    root: &'static str,
    layers: &'static str,
}

const ORDERS: &[Order] = &[
    Order {
        krate: "hz3-core",
        root: "src/lib.rs",
        layers: "abi > hot > event > variant > statics > heap, record > list, sequence, tls, pprof > policy > sync > os, text",
    },
    Order {
        krate: "hz3-config",
        root: "src/lib.rs",
        layers: "load > schema, emit, remarks > check > chain, support, resolve, recognise > parse, cost > plan, former > knob > diagnostic, preset > source, agreed, file, suggest, soname, value, hash",
    },
    Order {
        krate: "hz3-project",
        root: "src/lib.rs",
        layers: "revision > name > build, current > sources, peers > archive, bindings, clients, code > library > place > file, hash, program > error",
    },
    Order {
        krate: "hz3-lab",
        root: "src/lib.rs",
        layers: "tune > report, export, expression > misuse > compare, ledger, table > figures > record, prove, callgrind, identity > child > commit, disasm, machine, rows > clients, fit, ending, tails, workload, counters > profile > trace > stats",
    },
    Order {
        krate: "hz3-tests",
        root: "src/lib.rs",
        layers: "run, plugin > variant, client > place",
    },
    Order {
        krate: "hz3-cli",
        root: "src/main.rs",
        layers: "commands > fresh, neighbours > derived > variants, install > configs > profile > heap, tables > bar, keep, proof, step > style > out",
    },
];

/// The crates themselves, likewise.
const CRATES: &str =
    "hz3-fuzz > hz3-cli, hz3-preload, hz3-tests > hz3, hz3-lab > hz3-macros, hz3-project > hz3-config, hz3-core";

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The number of a name's layer, from above. None if it has no place.
fn layer(layers: &str, name: &str) -> Option<usize> {
    layers
        .split('>')
        .position(|layer| layer.split(',').any(|other| other.trim() == name))
}

/// Everything that looks up or aside in a crate, as `file:line: …`.
fn faults(krate: &Crate, layers: &str) -> Vec<String> {
    let mut out = BTreeSet::new();
    for module in &krate.modules {
        if layer(layers, module).is_none() {
            out.insert(format!("`{module}` has no place in the order `{layers}`"));
        }
    }
    for seen in &krate.uses {
        if seen.krate != "crate" || seen.from.is_empty() {
            continue;
        }
        let place = format!("{}:{}", seen.file.display(), seen.line);
        let Some(to) = krate.module(&seen.name) else {
            out.insert(format!(
                "{place}: `{}` is nothing that the crate's root names",
                seen.name
            ));
            continue;
        };
        if to == seen.from || layer(layers, to) > layer(layers, &seen.from) {
            continue;
        }
        let from = &seen.from;
        out.insert(format!(
            "{place}: `{from}` uses `{to}`, which is not below it: {layers}"
        ));
    }
    out.into_iter().collect()
}

#[test]
fn modules_look_only_down() {
    let mut all = Vec::new();
    for order in ORDERS {
        let krate = Crate::read(&home().join(order.krate).join(order.root));
        all.extend(faults(&krate, order.layers));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// The crates of ours that a crate needs to be built, as its `Cargo.toml` names them; not those of its tests.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut needed = false;
    manifest.lines().enumerate().filter_map(move |(line, text)| {
        if text.starts_with('[') {
            needed = text.ends_with("dependencies]") && !text.contains("dev-") && !text.starts_with("[workspace");
        }
        let name = text.split(['.', '=', ' ']).next()?;
        (needed && name.starts_with("hz3")).then_some((line + 1, name))
    })
}

#[test]
fn crates_look_only_down() {
    let mut all = Vec::new();
    for name in CRATES.split(['>', ',']).map(str::trim) {
        let file = home().join(if name == "hz3" { "." } else { name }).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for (line, needed) in dependencies(&manifest) {
            if layer(CRATES, needed) <= layer(CRATES, name) {
                let place = format!("{}:{line}", file.display());
                all.push(format!(
                    "{place}: `{name}` uses `{needed}`, which is not below it: {CRATES}"
                ));
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// What the documentation draws is what is checked.
#[test]
fn the_documentation_draws_the_order() {
    let text = std::fs::read_to_string(home().join("docs/hacking.md")).expect("docs/hacking.md");
    for order in ORDERS {
        let row = format!("| `{}` | `{}` |", order.krate, order.layers);
        assert!(text.contains(&row), "docs/hacking.md, \"Layers\": no row\n{row}");
    }
    assert!(text.contains(CRATES), "docs/hacking.md, \"Layers\": no line\n{CRATES}");
}

/// The crate that says what each of its layers is says it of those that are checked.
#[test]
fn the_table_of_hz3_config_draws_the_order() {
    let text = std::fs::read_to_string(home().join("hz3-config/src/lib.rs")).expect("hz3-config");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.split(" | ").nth(1));
    let bare = |modules: &str| modules.replace(['[', ']', '`'], "").replace("mod@", "");
    let drawn: Vec<String> = rows.filter(|modules| modules.contains('`')).map(bare).collect();
    let order = ORDERS
        .iter()
        .find(|order| order.krate == "hz3-config")
        .expect("it is checked");
    assert_eq!(drawn.join(" > "), order.layers);
}

const LAYERS: &str = "top > middle, beside > bottom";
const MODULES: &[&str] = &["top", "middle", "beside", "bottom"];

fn found(module: &str, source: &str) -> Vec<String> {
    faults(&Crate::planted(module, MODULES, source), LAYERS)
}

#[test]
fn a_look_up_is_found_in_every_form() {
    for (line, source) in [
        (1, "use crate::top;"),
        (2, "// first\nuse crate::top::Thing;"),
        (1, "use crate::{bottom::a, top::{self, b}};"),
        (1, "pub(crate) use super::top::Thing;"),
        (1, "fn f() { crate::top::g::<u8>() }"),
        (2, "mod inner {\n    use super::super::top::Thing;\n}"),
        (
            3,
            "/* crate::bottom\n \"*/\nstatic A: [super::top::T; 2] = [b\"\\\"\", r#\"\"\"#];",
        ),
        (1, "macro_rules! m { () => { $crate::top::f() } }"),
        (1, "type A = &'static crate::top::T;"),
        (1, "const C: char = '\"'; use crate::beside::f; const D: char = '\\'';"),
    ] {
        let faults = found("middle", source);
        assert!(
            faults.len() == 1 && faults[0].starts_with(&format!("planted.rs:{line}: `middle` uses ")),
            "{source}\n{faults:?}"
        );
    }
}

#[test]
fn what_looks_down_is_no_fault() {
    for source in [
        "use crate::bottom::{a, b}; use super::bottom; use self::top::a; mod inner { use super::top::x; }",
        "// use crate::top;\n/// [`crate::top`]\n/* use crate::top; /* */ use crate::top; */",
        "const A: &str = \"use crate::top;\"; const B: &str = r#\"crate::top::x \" crate::top::y\"#;",
        "use other::top::x; use std::fmt; use crate::middle::x;",
    ] {
        assert_eq!(found("middle", source), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn what_a_crate_needs_is_what_its_manifest_says() {
    let manifest = "[package]\nname = \"hz3-a\"\n[dependencies]\nhz3-b.workspace = true\nlibc = \"1\"\n\
                    [dev-dependencies]\nhz3-c = { path = \"c\" }\n[build-dependencies]\nhz3-d = \"1\"\n";
    assert_eq!(dependencies(manifest).collect::<Vec<_>>(), [(4, "hz3-b"), (9, "hz3-d")]);
}

#[test]
fn a_name_that_leads_nowhere_is_told() {
    assert_eq!(
        found("middle", "use crate::Thing;"),
        ["planted.rs:1: `Thing` is nothing that the crate's root names"]
    );
}
