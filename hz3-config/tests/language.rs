//! What configs mean: inheritance, defaults, the resolved text, hashes.

mod common;

use std::path::Path;

use common::{faults, plan, shipped};
use hz3_config::Plan;
use hz3_config::plan::{ConfigHash, Foreign, OnFull, Ownership, Prefetch, Thp};

/// Loads a text as a file of this name in a folder with some parents.
fn child(name: &str, text: &str) -> Plan {
    let path = format!("tests/bad/{name}.toml");
    hz3_config::load_str(Path::new(&path), text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A plan without what depends on where it was read from.
fn placeless(mut plan: Plan) -> Plan {
    plan.sources.clear();
    plan
}

#[test]
fn a_resolved_text_gives_the_same_plan() {
    for plan in shipped() {
        let file = format!("{}.toml", plan.name);
        let again = hz3_config::load_str(Path::new(&file), &plan.resolved)
            .unwrap_or_else(|faults| panic!("{}: {faults}", plan.name));
        assert_eq!(again.resolved, plan.resolved, "{}", plan.name);
        assert_eq!(placeless(again), placeless(plan));
    }
}

#[test]
fn a_resolved_text_says_everything_once_and_sorted() {
    for plan in shipped() {
        let table: toml::Table = toml::from_str(&plan.resolved).expect("TOML");
        assert!(!table.contains_key("extends"), "{}", plan.name);
        let groups: Vec<&str> = plan.resolved.lines().filter(|line| line.starts_with('[')).collect();
        assert!(groups.is_sorted(), "{}: {groups:?}", plan.name);
        for group in plan.resolved.split("\n[") {
            let keys: Vec<&str> = group
                .lines()
                .filter_map(|line| line.split_once(" = "))
                .map(|(key, _)| key)
                .collect();
            assert!(keys.is_sorted(), "{}: {keys:?}", plan.name);
        }
    }
}

#[test]
fn defaults_are_what_the_design_says() {
    let plan = plan("");
    assert_eq!(plan.ownership.mode, Ownership::Adopt);
    assert_eq!((plan.ownership.shards, plan.policy.ownership.ring), (1, 0));
    assert_eq!((plan.tag.width, plan.tag.dst_bits, plan.tag.bin_bits), (16, 0, 11));
    let policy = &plan.policy;
    assert_eq!((policy.arena.size, policy.arena.base), (64 << 30, 0));
    assert_eq!((policy.arena.on_full, policy.arena.thp), (OnFull::System, Thp::System));
    assert_eq!((policy.large.cache, policy.purge.dirty), (192 << 20, 64 << 20));
    assert_eq!((policy.cache.magazines, policy.depot.empty_runs), (1, 1));
    assert_eq!(policy.hardening.foreign, Foreign::Libc);
    assert_eq!(plan.hot.prefetch, Prefetch::Off);
    assert_eq!(plan.largest(), 32768);
}

/// Who says nothing gets the allocator that the README recommends.
#[test]
fn a_config_of_a_name_and_a_description_is_default() {
    let default = hz3_config::load(Path::new("../configs/default.toml")).unwrap_or_else(|faults| panic!("{faults}"));
    let empty = "name = \"default\"\ndescription = \"d\"\n";
    let empty = hz3_config::load_str(Path::new("default.toml"), empty).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((empty.hash, empty.code_hash), (default.hash, default.code_hash));
    let prose = Plan {
        description: default.description.clone(),
        hypothesis: default.hypothesis.clone(),
        resolved: default.resolved.clone(),
        ..empty
    };
    assert_eq!(placeless(prose), placeless(default));
}

/// What only repeats a default says nothing, and misleads when the default changes.
#[test]
fn the_file_of_default_holds_no_key() {
    let text = std::fs::read_to_string("../configs/default.toml").expect("it is shipped");
    let table: toml::Table = toml::from_str(&text).expect("TOML");
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(keys, ["description", "hypothesis", "name"]);
}

#[test]
fn everything_that_works_can_be_said() {
    let plan = plan(
        r#"
        hypothesis = "Says all"
        refuted = "It does not"
        [arena]
        base = 0x2000_0000_0000
        size = "16MiB"
        commit = "whole"
        on_full = "fail"
        thp = "large"
        [hardening]
        foreign = "abort"
        [hot]
        prefetch = "next"
        [large]
        cache = 0
        [purge]
        dirty = 0
        [tag]
        width = 32
        bin_bits = 24
        [cache]
        magazines = 1
        [depot]
        bytes = 0
        empty_runs = 0
        batches_min = 0
        batches_max = 1
        "#,
    );
    assert_eq!(plan.policy.arena.base, 0x2000_0000_0000);
    assert_eq!((plan.tag.width, plan.tag.bin_bits), (32, 24));
    assert_eq!((plan.depot.slots, plan.depot.bytes_bound), (1, 0));
    assert_eq!(plan.refuted.as_deref(), Some("It does not"));
    let again = hz3_config::load_str(Path::new("x.toml"), &plan.resolved).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(placeless(again), placeless(plan));
}

#[test]
fn a_child_holds_only_what_differs() {
    let text = "name = \"c\"\ndescription = \"d\"\nextends = \"parents/sound.toml\"\n[cache]\nbatch_max = 32\n";
    let plan = child("c", text);
    let sizes: Vec<u32> = plan
        .classes
        .iter()
        .map(|class| class.size)
        .filter(|size| (2049..4096).contains(size))
        .collect();
    assert_eq!(sizes, [2304, 3072]);
    assert_eq!(
        (plan.classes[0].batch, plan.class_for(32768).expect("a class").batch),
        (32, 8)
    );
    assert_eq!(plan.description, "d");
    let names: Vec<_> = plan
        .sources
        .iter()
        .map(|path| path.file_name().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["c.toml", "sound.toml"]);
    assert!(plan.sources.iter().all(|path| path.is_absolute()));
}

/// A child cannot unset a key, so a parent's key may lose its effect.
#[test]
fn a_child_may_switch_off_what_its_parent_set_up() {
    let text = "name = \"c\"\ndescription = \"d\"\nextends = \"parents/sound.toml\"\n[sub4k]\nlayout = \"round\"\n";
    let plan = child("c", text);
    assert!(
        plan.classes
            .iter()
            .all(|class| class.size <= 2048 || class.size >= 4096)
    );
    assert!(!plan.resolved.contains("sizes = [2304"));
}

#[test]
fn who_a_variant_is_is_not_inherited() {
    let parents = shipped();
    let default = parents
        .iter()
        .find(|plan| plan.name == "default")
        .expect("it is shipped");
    assert!(default.hypothesis.is_some());
    let text = "name = \"c\"\ndescription = \"d\"\nextends = \"default\"\n";
    let plan = hz3_config::load_str(Path::new("../configs/c.toml"), text).expect("a child");
    assert_eq!((plan.hypothesis, plan.refuted), (None, None));
    assert_ne!(plan.hash, default.hash);
    assert_eq!(plan.code_hash, default.code_hash);
}

#[test]
fn hashes_follow_what_they_hash() {
    let base = plan("");
    assert_eq!(base.hash, plan("# a comment\n[cache]\nmagazines = 1\n").hash);
    // What is said to people makes no other variant, but stands in the text that a library carries.
    let prose = plan("hypothesis = \"h\"\nrefuted = \"3 % slower\"\n");
    assert_eq!((base.hash, base.code_hash), (prose.hash, prose.code_hash));
    assert!(prose.resolved.contains("refuted = \"3 % slower\""));
    let text = "name = \"y\"\ndescription = \"A config of a test\"\n";
    let other = hz3_config::load_str(Path::new("tests/y.toml"), text).expect("a config");
    assert_ne!(base.hash, other.hash);
    assert_eq!(base.code_hash, other.code_hash);
    // Other words for the same tables.
    let same = plan(
        "[classes]\nsteps = [{ to = 64, step = 16 }, { to = 128, step = 16 }, { to = 32768, per_doubling = 8 }]\n",
    );
    assert_ne!(base.hash, same.hash);
    assert_eq!(base.code_hash, same.code_hash);
    for change in [
        "[cache]\nmagazines = 2\n",
        "[cache]\nslow_start = false\n",
        "[depot]\nempty_runs = 2\n",
        "[lookup]\nfine_max = 4096\n",
        "[tag]\nwidth = 32\n",
        "[arena]\nsize = \"32GiB\"\n",
        "[arena]\nthp = \"never\"\n",
        "[large]\ncache = 0\n",
        "[purge]\ndirty = 0\n",
        "[hardening]\nforeign = \"abort\"\n",
        "[hot]\nprefetch = \"next\"\n",
        "[runs]\ncoloring = true\n",
    ] {
        assert_ne!(plan(change).code_hash, base.code_hash, "{change}");
    }
    assert_eq!(ConfigHash(0xab).to_string(), "00000000000000ab");
}

#[test]
fn shipped_configs_say_what_they_are_for_and_differ() {
    let plans = shipped();
    for (i, plan) in plans.iter().enumerate() {
        assert!(plan.hypothesis.is_some(), "{} has no hypothesis", plan.name);
        for other in &plans[..i] {
            assert_ne!(
                plan.code_hash, other.code_hash,
                "{} and {} are the same",
                plan.name, other.name
            );
        }
    }
}

#[test]
fn texts_survive_quoting() {
    let text = r#"hypothesis = 'a "quoted" \ back	slash, ünïcödé and \n'"#;
    let plan = plan(&format!("{text}\n"));
    let again = hz3_config::load_str(Path::new("x.toml"), &plan.resolved).expect("it parses");
    assert_eq!(again.hypothesis, plan.hypothesis);
}

#[test]
fn all_faults_come_at_once() {
    let found =
        faults("[cache]\nmagazines = 3\nbatch_min = -1\n[classes]\nsteps = [{ sizes = [17, 18, 2048] }]\n[nope]\n");
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn what_a_child_switched_off_leaves_nothing_behind() {
    let folder = std::env::temp_dir().join(format!("hz3-switched-off-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let parent = "name = \"parent\"\ndescription = \"d\"\n\
        [cache]\nfirst_bytes = 100\nthread_bytes = \"9MiB\"\nthread_floor = \"8MiB\"\nbatch_bytes = 5000\nbatch_min = 9\n\
        [depot]\nbytes = \"9KiB\"\nbatches_min = 2\nbatches_max = 9\n[large]\nmax_age_ms = 9\n\
        [ownership]\nmode = \"owner-ring\"\nshards = 9\nring = 99\n\
        [placement]\nquarantine = true\nquarantine_events = 9\nborrow_from = \"9KiB\"\n\
        [pressure]\nbudget = \"9MiB\"\nreclaim = \"36KiB\"\nrelief = \"segment\"\n\
        [sub4k]\nlayout = \"list\"\nsizes = [2304]\nrun_pages = 9\n";
    let child = "name = \"child\"\ndescription = \"d\"\nextends = \"parent\"\n\
        [cache]\nslow_start = false\nbatch_max = 9\n[depot]\nbatches_max = 2\n[large]\ncache = 0\n\
        [ownership]\nmode = \"adopt\"\n[placement]\nquarantine = false\nborrow_percent = 0\n\
        [pressure]\nenabled = false\n[sub4k]\nlayout = \"follow\"\n";
    std::fs::write(folder.join("parent.toml"), parent).expect("a file");
    let plan = hz3_config::load_str(&folder.join("child.toml"), child).unwrap_or_else(|faults| panic!("{faults}"));
    // The resolved text knows nothing of what has no effect.
    let again = hz3_config::load_str(Path::new("child.toml"), &plan.resolved).expect("it parses");
    assert_eq!((again.hash, again.code_hash), (plan.hash, plan.code_hash));
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}
