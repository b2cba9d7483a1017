//! The hash of what a library is made of, and what its linker is told.

use hz3_config::Plan;
use hz3_config::emit::library::{Library, sources};
use std::path::Path;

fn plan(rest: &str) -> Plan {
    let text = format!("name = \"x\"\ndescription = \"d\"\n{rest}");
    hz3_config::load_str(Path::new("x.toml"), &text).unwrap()
}

#[test]
fn any_change_of_a_file_or_of_the_code_changes_the_hash() {
    let of = |rest: &str, files: &[(&str, &str)]| {
        sources(&plan(rest), files.iter().map(|(name, text)| (*name, text.as_bytes()))).0
    };
    let first = of("", &[("a", "1")]);
    assert_eq!(of("", &[("a", "1")]), first);
    assert_eq!(of("hypothesis = \"h\"\n# prose\n", &[("a", "1")]), first);
    let others = [
        of("", &[("a", "2")]),
        of("", &[("b", "1")]),
        of("", &[("a", "1"), ("b", "")]),
        of("", &[("a", ""), ("1", "")]),
        of("[cache]\nmagazines = 2\n", &[("a", "1")]),
        of("[build]\ntls = \"dynamic\"\n", &[("a", "1")]),
    ];
    for (n, other) in others.iter().enumerate() {
        assert_ne!(*other, first, "{n}");
        assert!(!others[..n].contains(other), "{n}");
    }
}

#[test]
fn only_what_is_never_unloaded_says_so() {
    let says = |rest: &str| {
        Library::of(&plan(rest))
            .linker
            .iter()
            .any(|argument| argument == "-z,nodelete")
    };
    assert!(says(""));
    assert!(!says("[build]\ntls = \"dynamic\"\n"));
}

#[test]
fn a_distance_in_the_code_is_for_programs_alone() {
    for model in ["initial-exec", "dynamic"] {
        assert_eq!(plan(&format!("[build]\ntls = \"{model}\"\n")).no_shared, None);
    }
    let local = plan("[build]\ntls = \"local-exec\"\n");
    let reason = local.no_shared.as_deref().expect("no shared library can have it");
    assert!(
        reason.contains("x.toml:4:7") && reason.contains("tls = \"local-exec\""),
        "{reason}"
    );
    assert!(reason.contains("--static") && local.no_library.is_none(), "{reason}");
    let code = Library::of(&local).text(&local, "0", hz3_config::hash::ConfigHash(0));
    assert!(
        code.contains("__tls_address_local") && !code.contains("__tls_address !"),
        "{code}"
    );
    // What a linker of a shared library says names the symbol.
    assert!(code.contains("tls_is_local_exec_which_no_shared_library_can_have"));
}
