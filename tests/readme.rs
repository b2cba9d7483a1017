//! The tables and figures of the README say what the configs, the plans and the machine code say.

mod common;

use common::{plan, root};
use hz3::core::Variant;
use hz3_config::{cost, preset};
use std::collections::BTreeMap;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("the README")
}

/// The cells of a table's row, without blanks around them.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// The name of a config and its hypothesis, if the line is a row of the table of configs.
fn config_row(line: &str) -> Option<(&str, &str)> {
    let [name, hypothesis] = cells(line)?.try_into().ok()?;
    let (name, file) = name.strip_prefix("[`")?.strip_suffix(')')?.split_once("`](configs/")?;
    (file == format!("{name}.toml")).then_some((name, hypothesis))
}

/// Every shipped config has one row, with its hypothesis. Who adds a config chooses where its row stands; blessing brings the
/// texts of rows that are there up to date.
#[test]
fn the_table_of_configs_is_what_the_configs_say() {
    let text = readme();
    let says = |name: &str| plan(&format!("configs/{name}.toml")).hypothesis.unwrap_or_default();
    let mut rows = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        match config_row(line) {
            Some((name, _)) if preset::text(name).is_some() => {
                assert_eq!(rows.insert(name, ()), None, "`{name}` has two rows in the README");
                current.push_str(&format!("| [`{name}`](configs/{name}.toml) | {} |\n", says(name)));
            }
            Some((name, _)) => panic!("the README has a row for `{name}`, which is no config"),
            None => current.push_str(&format!("{line}\n")),
        }
    }
    for name in preset::names() {
        let row = format!("| [`{name}`](configs/{name}.toml) | {} |", says(name));
        assert!(rows.contains_key(name), "the README lacks a row:\n{row}");
    }
    if let Err(difference) = common::blessed::compare("README.md", &current, "readme") {
        panic!("{difference}");
    }
}

/// The column of `default` in the table of instruction counts is what its snapshot has, whose paths are straight.
#[test]
fn the_counts_of_default_are_those_of_its_machine_code() {
    let snapshot = std::fs::read_to_string(root().join("tests/snapshots/default.txt")).expect("a snapshot");
    let count = |function: &str| {
        let head = format!("{function}: ");
        let line = snapshot
            .lines()
            .find_map(|line| line.strip_prefix(&head))
            .expect("the function");
        line.strip_suffix(" instructions").expect("a count").to_owned()
    };
    let expected = format!("{} / {}", count("malloc"), count("free"));
    let text = readme();
    let mut rows = 0;
    for line in text
        .lines()
        .skip_while(|line| !line.starts_with("| bytes | hz3 `default` |"))
        .skip(2)
    {
        let Some(cells) = cells(line) else { break };
        assert_eq!(cells[1], expected, "{line}");
        rows += 1;
    }
    assert!(rows >= 4, "the README has no table of counts");
    let sentence = format!(
        "`default` takes {} and {} at every size up to its largest class",
        count("malloc"),
        count("free")
    );
    assert!(text.contains(&sentence), "the README does not say: {sentence}");
    let short = std::fs::read_to_string(root().join("src/README.md")).expect("the crate's README");
    let both = format!("`malloc` and `free` take {} instructions each", count("malloc"));
    assert!(
        count("malloc") != count("free") || short.contains(&both),
        "src/README.md does not say: {both}"
    );
    let block = format!(
        "A thread's block of `default` has {} bytes",
        cost::block_bytes(&plan("configs/default.toml"))
    );
    assert!(text.contains(&block), "the README does not say: {block}");
}

/// Who takes `default` from the shell, by the preset, or from Rust by the README's example gets the same allocator.
#[test]
fn every_way_to_default_leads_to_the_same_allocator() {
    let file = plan("configs/default.toml");
    let config = |config: &std::ffi::CStr| config.to_str().expect("text").to_owned();
    assert_eq!(config(hz3::Hz3::CONFIG), file.resolved);
    let of_the_crate = std::fs::read_to_string(root().join("src/README.md")).expect("the crate's README");
    for text in [readme(), of_the_crate] {
        assert!(text.contains("static GLOBAL: hz3::Hz3 = hz3::Hz3;"));
    }
    let preset = hz3_config::load(std::path::Path::new("hz3:default")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((preset.hash, preset.code_hash), (file.hash, file.code_hash));
}
