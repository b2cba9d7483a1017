//! Every fault that a config can have, with the exact text that the user sees.
//!
//! `bad/NAME.toml` is loaded and its faults are compared with `bad/NAME.txt`. `HZ3_UPDATE=1` writes the texts anew:
//! read the difference before you commit it.

mod common;

use std::path::Path;

use common::{compare, configs_in};

#[test]
fn faults_read_as_they_should() {
    let files = configs_in(Path::new("tests/bad"));
    assert!(files.len() > 80, "the folder of bad configs is nearly empty");
    let mut wrong = Vec::new();
    for file in files {
        let text = match hz3_config::load(&file) {
            Ok(_) => "no fault\n".to_owned(),
            Err(faults) => format!("{faults}\n"),
        };
        if text == "no fault\n" {
            wrong.push(format!("{}: no fault was found", file.display()));
        }
        wrong.extend(compare(&file.with_extension("txt"), &text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_text_without_its_config() {
    for entry in std::fs::read_dir("tests/bad").expect("the folder of bad configs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            assert!(path.with_extension("toml").exists(), "{} has no config", path.display());
        }
    }
}

#[test]
fn a_missing_file_is_one_fault_without_a_line() {
    let faults = hz3_config::load(Path::new("tests/bad/nowhere.toml")).expect_err("no such file");
    assert_eq!(
        faults.to_string(),
        "error: `tests/bad/nowhere.toml`: no such file\n--> tests/bad/nowhere.toml"
    );
    assert_eq!(faults.items().len(), 1);
}

#[test]
fn a_file_that_is_no_text_is_one_fault() {
    let faults = hz3_config::load(Path::new("tests/bad/parents/latin1.toml")).expect_err("not UTF-8");
    assert!(faults.to_string().contains("is not UTF-8"), "{faults}");
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let text = "name = \"x\"\ndescription = \"grün\" \n[cache]\nmagazines = 3 # größer\nslow_start = 4\n";
    let faults = hz3_config::load_str(Path::new("x.toml"), text).expect_err("two faults");
    let places: Vec<(usize, usize)> = faults.items().iter().map(|item| (item.line, item.column)).collect();
    assert_eq!(places, [(4, 13), (5, 14)]);
    assert!(faults.items().iter().all(|item| item.file == Path::new("x.toml")));
}

#[test]
fn colour_only_where_asked_for() {
    let faults = hz3_config::load_str(Path::new("x.toml"), "").expect_err("nothing is said");
    assert!(!faults.render(false).contains('\u{1b}'));
    assert!(faults.render(true).contains('\u{1b}'));
    assert_eq!(faults.to_string(), faults.render(false));
}

#[test]
fn windows_line_ends_are_lines() {
    let text = "name = \"x\"\r\ndescription = \"d\"\r\n[cache]\r\nmagazines = 3\r\n";
    let faults = hz3_config::load_str(Path::new("x.toml"), text).expect_err("a fault");
    assert_eq!((faults.items()[0].line, faults.items()[0].column), (4, 13));
}
