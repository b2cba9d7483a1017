//! Commands that read and write configs: check, explain, diff, new, schema.

mod common;

use common::{Sandbox, hz3, root};

/// What is worth knowing about the sandbox's `default`.
const REMARK: &str = "remark: `default`: 4 of 72 classes save no memory: an object of the next larger class takes no more of its \
                    run. They have 480, 960, 1920, 3840 bytes\n";

#[test]
fn classes_that_save_nothing_and_flat_tables_are_told() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["explain", "default"]).with(0);
    let marked: Vec<&str> = ended
        .out
        .lines()
        .filter(|line| line.ends_with("  ="))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(marked, ["480", "960", "1920", "3840"]);
    ended.shows("Remarks\n4 of 72 classes save no memory");
    let json = sandbox.hz3(&["explain", "default", "--format", "json"]).with(0).json();
    let marked = json["classes"].as_array().expect("classes").iter();
    assert_eq!(marked.filter(|class| class["saves_nothing"] == true).count(), 4);
    assert_eq!(json["remarks"][0]["about"], "classes-save-nothing");
    assert!(!sandbox.hz3(&["explain", "wide"]).with(0).out.contains("Remarks"));

    sandbox.write(
        "configs/level.toml",
        "name = \"level\"\ndescription = \"d\"\nextends = \"wide\"\n[tag]\nspace = \"flat\"\n",
    );
    let flat = "`tag.space = \"flat\"` needs 64 GiB of address space for its table";
    let ended = sandbox.hz3(&["check", "level"]).with(0);
    assert!(
        ended.err.starts_with(&format!("remark: `level`: {flat}")),
        "{}",
        ended.err
    );
    assert!(
        sandbox
            .hz3(&["explain", "level"])
            .with(0)
            .out
            .contains(&format!("Remarks\n{flat}"))
    );
    let json = sandbox.hz3(&["check", "level", "--format", "json"]).with(0).json();
    assert_eq!(json["configs"][0]["remarks"][0]["about"], "flat-address-space");
    // It is told before anything is built, which this sandbox cannot do.
    let ended = sandbox.hz3(&["build", "level", "default"]);
    assert!(
        ended.err.starts_with(&format!("remark: `level`: {flat}")),
        "{}",
        ended.err
    );
    assert!(!ended.err.contains("save no memory"), "{}", ended.err);
}

#[test]
fn check_says_what_is_well() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["check"]).with(0);
    let names: Vec<&str> = ended
        .out
        .lines()
        .skip(1)
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert_eq!(names, ["default", "wide"]);
    assert_eq!(ended.err, REMARK);
    assert!(!ended.out.contains('\x1b'), "no colour outside of a terminal");
}

#[test]
fn check_says_every_error_of_every_file() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "configs/bad1.toml",
        "name = \"bad1\"\ndescription = \"x\"\nunheard = 1\n[cache]\nmagazines = 77\n",
    );
    sandbox.write("configs/bad2.toml", "name = \"bad2\"\ndescription = \n");
    let ended = sandbox.hz3(&["check"]).with(2);
    for part in [
        "configs/bad1.toml:3:1",
        "configs/bad1.toml:5:",
        "configs/bad2.toml:2:",
        "2 of 4 configs are bad",
    ] {
        assert!(ended.err.contains(part), "{part} is not in:\n{}", ended.err);
    }
    // Those that are well are shown beside them.
    let rows: Vec<Vec<&str>> = ended
        .out
        .lines()
        .skip(1)
        .map(|l| l.split_whitespace().collect())
        .collect();
    let last = |i: usize| rows[i][rows[i].len() - 1];
    assert_eq!(
        [rows[0][0], rows[1][0], rows[2][0], rows[3][0]],
        ["bad1", "bad2", "default", "wide"]
    );
    ended.shows("2 errors").shows("1 error\n");
    assert_eq!([last(2), last(3)], ["ok", "ok"]);
    let json = sandbox.hz3(&["check", "--format", "json"]).with(2).json();
    let errors = json["configs"][0]["errors"].as_array().expect("errors");
    assert_eq!(
        (errors[0]["line"].as_u64(), errors[0]["column"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(
        (&json["configs"][1]["ok"], &json["configs"][3]["ok"]),
        (&false.into(), &true.into())
    );
    // The others can still be checked by name.
    sandbox.hz3(&["check", "default"]).with(0);
}

#[test]
fn check_reports_identical_configs() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "configs/twin.toml",
        "name = \"twin\"\ndescription = \"Another word for wide\"\nextends = \"wide\"\n",
    );
    let ended = sandbox.hz3(&["check"]).with(1);
    let warning = "warning: `twin` and `wide` are one allocator: their tables and code are identical\n";
    assert_eq!(ended.err, format!("{REMARK}{warning}"));
    sandbox.hz3(&["check", "--allow-identical"]).with(0);
}

#[test]
fn check_repeats_what_was_refuted() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "configs/old.toml",
        "name = \"old\"\ndescription = \"x\"\nextends = \"wide\"\nhypothesis = \"h\"\nrefuted = \"slower by 3 %\"\n\
         [cache]\nmagazines = 1\n",
    );
    let ended = sandbox.hz3(&["check", "old"]).with(0);
    assert_eq!(ended.err, "warning: `old` is refuted: slower by 3 %\n");
}

#[test]
fn unknown_names_get_a_suggestion() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["explain", "defualt"]).with(2);
    assert_eq!(
        ended.err,
        "error: no config named `defualt` in configs\nhelp: did you mean `default`?\n"
    );
    let ended = sandbox.hz3(&["explain", "something-else"]).with(2);
    assert!(ended.err.ends_with("help: there are: default, wide\n"), "{}", ended.err);
    for (given, near) in [("configs/wdie.toml", "configs/wide.toml"), ("defualt.toml", "default")] {
        let ended = sandbox.hz3(&["explain", given]).with(2);
        let said = format!("error: cannot read {given}: no such file\nhelp: did you mean `{near}`?\n");
        assert_eq!(ended.err, said);
    }
    sandbox.hz3(&["explain", "./missing.toml"]).with(2);
    sandbox.hz3(&["explain"]).with(2);
    sandbox.hz3(&["no-such-command"]).with(2);
}

#[test]
fn explain_shows_the_tables() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["explain", "wide"]).with(0);
    for part in [
        "Fewer classes",
        "Classes\n",
        "From size to class\n",
        "Memory\n",
        "Policies\n",
        "size B",
        "32 KiB",
    ] {
        assert!(ended.out.contains(part), "{part} is not in:\n{}", ended.out);
    }
    assert!(
        ended.out.lines().all(|l| l.chars().count() <= 120),
        "lines fit a wide terminal"
    );
}

#[test]
fn explain_as_json_has_units_and_no_gap() {
    let sandbox = Sandbox::new();
    let json = sandbox
        .hz3(&["explain", "wide", "--format", "json", "--threads", "1"])
        .with(0)
        .json();
    let mut next = 1;
    for class in json["classes"].as_array().expect("classes") {
        assert_eq!(class["smallest_request_bytes"].as_u64(), Some(next));
        next = class["size_bytes"].as_u64().expect("a size") + 1;
    }
    assert_eq!(next, 32769);
    assert_eq!(json["name"], "wide");
    assert_eq!(json["config"]["extends"], serde_json::Value::Null, "parents are merged");
    let bounds = &json["bounds"];
    let number = |key: &str| bounds[key].as_u64().expect("a number");
    let expected = number("thread_cache_bytes") + number("depot_bytes") + number("empty_run_bytes");
    assert_eq!(number("total_bytes"), expected);
    assert_eq!(json["hash"].as_str().map(str::len), Some(16));
}

#[test]
fn diff_of_configs() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["diff", "default", "wide", "--no-count"]).with(1);
    for part in ["classes.steps", "Keys", "Classes", "Cost", "thread block"] {
        assert!(ended.out.contains(part), "{part} is not in:\n{}", ended.out);
    }
    assert!(!ended.out.contains("description"), "prose is no difference");
    let ended = sandbox.hz3(&["diff", "wide", "wide", "--no-count"]).with(0);
    assert!(
        ended.out.starts_with("wide and wide are the same allocator"),
        "{}",
        ended.out
    );
    let json = sandbox
        .hz3(&["diff", "default", "wide", "--format", "json"])
        .with(1)
        .json();
    assert_eq!((&json["a"], &json["identical"]), (&"default".into(), &false.into()));
    assert_eq!(json["keys"][0]["what"], "classes.steps");
    assert_eq!(
        json["instructions"].as_array().map(Vec::len),
        Some(0),
        "nothing is built"
    );
}

#[test]
fn new_writes_a_config_that_passes() {
    let sandbox = Sandbox::new();
    let ended = sandbox
        .hz3(&["new", "mine", "--from", "wide", "--hypothesis", "A \"quoted\" one"])
        .with(0);
    assert_eq!(ended.out, "configs/mine.toml\n");
    let text = sandbox.read("configs/mine.toml");
    assert!(text.contains("extends = \"wide\"\n"), "{text}");
    sandbox.hz3(&["check", "mine"]).with(0);
    let json = sandbox.hz3(&["explain", "mine", "--format", "json"]).with(0).json();
    assert_eq!(json["hypothesis"], "A \"quoted\" one");

    let again = sandbox.hz3(&["new", "mine"]).with(2);
    again.tells("configs/mine.toml exists");
    assert_eq!(sandbox.read("configs/mine.toml"), text);
}

#[test]
fn new_refuses_bad_names_and_parents() {
    let sandbox = Sandbox::new();
    for (arguments, part) in [
        (&["new", "Bad_Name"][..], "`name` holds 'B'"),
        (&["new", "a/b"][..], "is a path"),
        (&["new", "x", "--from", "nobody"][..], "no config named `nobody`"),
    ] {
        let ended = sandbox.hz3(arguments).with(2);
        assert!(ended.err.contains(part), "{part} is not in:\n{}", ended.err);
    }
    assert_eq!(
        std::fs::read_dir(sandbox.path().join("configs"))
            .expect("configs")
            .count(),
        2
    );
}

#[test]
fn new_takes_a_parent_from_elsewhere() {
    let sandbox = Sandbox::new();
    sandbox.write("parent.toml", "name = \"parent\"\ndescription = \"x\"\n");
    sandbox.hz3(&["new", "child", "--from", "./parent.toml"]).with(0);
    sandbox.hz3(&["check", "child"]).with(0);
}

#[test]
fn schema_is_written_and_checked() {
    let sandbox = Sandbox::new();
    let ended = sandbox.hz3(&["schema", "--check"]).with(1);
    ended.tells("docs/hz3.schema.json is not current");
    ended.tells("docs/config.md is not current");
    sandbox.hz3(&["schema", "--write"]).with(0);
    sandbox.hz3(&["schema", "--check"]).with(0);
    assert_eq!(
        sandbox.hz3(&["schema"]).with(0).out,
        sandbox.read("docs/hz3.schema.json")
    );
    assert_eq!(
        sandbox.hz3(&["schema", "--markdown"]).with(0).out,
        sandbox.read("docs/config.md")
    );
}

#[test]
fn the_projects_own_files_are_current() {
    hz3(&root(), &["schema", "--check"]).with(0);
    hz3(&root(), &["check"]).with(0);
}

#[test]
fn outside_of_a_project_the_one_that_made_the_program_is_used() {
    hz3(std::path::Path::new("/"), &["explain", "default"]).with(0);
}
