//! Presets: the shipped configs are in the software, and a config can be built on them from anywhere.

mod common;

use std::path::{Path, PathBuf};

use common::{compare, configs_in};
use hz3_config::preset;

fn load(text: &str) -> Result<hz3_config::Plan, String> {
    let text = format!("name = \"x\"\ndescription = \"d\"\n{text}");
    hz3_config::load_str(Path::new("x.toml"), &text).map_err(|faults| faults.to_string())
}

/// A folder of its own with some files, away from any config of hz3.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hz3-presets-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in files {
        std::fs::write(folder.join(file), text).expect("a file");
    }
    folder
}

#[test]
fn the_list_of_presets_is_current() {
    let mut text = String::from(
        "//! The shipped configs. Made from `configs/`: bless it with `HZ3_UPDATE=1 cargo test -p hz3-config --test presets`.\n\n\
         /// Names and texts, sorted by name.\n\
         pub(super) const PRESETS: &[(&str, &str)] = &[\n",
    );
    let stem = |file: PathBuf| file.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = configs_in(Path::new("../configs")).into_iter().map(stem).collect();
    names.sort();
    for name in names {
        text.push_str(&format!(
            "    (\"{name}\", include_str!(\"../../presets/{name}.toml\")),\n"
        ));
    }
    text.push_str("];\n");
    if let Some(difference) = compare(Path::new("src/preset/list.rs"), &text) {
        panic!("{difference}");
    }
}

#[test]
fn a_preset_is_its_file() {
    for name in preset::names() {
        let file = format!("../configs/{name}.toml");
        let by_path = hz3_config::load(Path::new(&file)).unwrap_or_else(|faults| panic!("{faults}"));
        let by_name = hz3_config::load(Path::new(&preset::path(name))).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(
            (by_name.hash, by_name.code_hash),
            (by_path.hash, by_path.code_hash),
            "{name}"
        );
        assert_eq!(by_name.resolved, by_path.resolved, "{name}");
        assert_eq!(by_name.files().count(), 0, "{name}");
        assert_eq!(by_name.sources.len(), by_path.sources.len(), "{name}");
        assert_eq!(by_name.sources[0], Path::new(&preset::path(name)));
    }
}

#[test]
fn a_config_anywhere_may_extend_a_preset() {
    let compact = hz3_config::load(Path::new("hz3:compact")).expect("a preset");
    assert_eq!(
        load("extends = \"hz3:compact\"\n").expect("sound").code_hash,
        compact.code_hash
    );
    // Where no file has the name, the preset is meant.
    let plan = load("extends = \"compact\"\n").expect("sound");
    assert_eq!(plan.code_hash, compact.code_hash);
    assert_eq!(plan.sources[1..], ["hz3:compact", "hz3:default"].map(PathBuf::from));
    assert_eq!(plan.files().count(), 1);
}

#[test]
fn a_file_beside_a_config_comes_before_a_preset() {
    let own = "name = \"default\"\ndescription = \"Our own\"\nextends = \"hz3:default\"\n[runs]\ncoloring = true\n";
    let child = "name = \"child\"\ndescription = \"d\"\nextends = \"default\"\n";
    let both = folder("beside", &[("default.toml", own), ("child.toml", child)]);
    let plan = hz3_config::load(&both.join("child.toml")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(
        plan.sources,
        [both.join("child.toml"), both.join("default.toml"), "hz3:default".into()]
    );
    assert!(plan.classes.iter().any(|class| class.colors > 1));
    // A preset's own parents are presets, whatever stands beside the config.
    let compact = child.replace("\"default\"", "\"hz3:compact\"");
    let plan = hz3_config::load_str(&both.join("child.toml"), &compact).expect("sound");
    assert!(plan.classes.iter().all(|class| class.colors == 1));
    // What is there and cannot be read is no reason to take another.
    std::fs::remove_file(both.join("default.toml")).expect("it was there");
    std::fs::create_dir(both.join("default.toml")).expect("a folder");
    let faults = hz3_config::load(&both.join("child.toml")).expect_err("a folder is no config");
    assert!(faults.to_string().contains("it is a folder"), "{faults}");
    std::fs::remove_dir_all(&both).expect("it can be removed");
}

#[test]
fn a_fault_inside_of_a_preset_names_it() {
    let faults =
        load("extends = \"hz3:s23-sub4k\"\n[classes]\nsteps = [{ to = 2048, step = 16 }]\n").expect_err("no 4096");
    assert!(faults.contains("\n --> hz3:s23-sub4k:8:10\n"), "{faults}");
    assert!(faults.contains("\n8 | layout = \"list\"\n"), "{faults}");
}

#[test]
fn an_unknown_preset_is_told_with_the_nearest() {
    for (named, help) in [
        ("hz3:compcat", "did you mean \"hz3:compact\"?"),
        ("compcat", "did you mean \"compact\"?"),
        ("hz3:nothing-like-it", "the presets are adopt-32, "),
    ] {
        let faults = load(&format!("extends = {named:?}\n")).expect_err("no such preset");
        assert!(faults.contains(help) && faults.contains("x.toml:3:11"), "{faults}");
    }
    let faults = hz3_config::load(Path::new("hz3:compcat"))
        .expect_err("no such preset")
        .to_string();
    assert!(faults.contains("there is no preset `compcat`"), "{faults}");
    assert!(faults.contains("did you mean \"hz3:compact\"?"), "{faults}");
}

#[test]
fn a_config_that_extends_its_own_name_hears_of_the_preset() {
    let own = "name = \"default\"\ndescription = \"d\"\nextends = \"default\"\n";
    let folder = folder("own", &[("default.toml", own)]);
    let faults = hz3_config::load(&folder.join("default.toml"))
        .expect_err("a circle")
        .to_string();
    assert!(
        faults.contains("is a circle") && faults.contains("hz3's own is \"hz3:default\""),
        "{faults}"
    );
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}
