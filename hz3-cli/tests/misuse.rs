//! `misuse`: what is shown, written and refused; and verdicts that must hold of the C library, of a malloc that looks at
//! nothing, and of `default`.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, compile, hz3, root};
use hz3_tests::variant::Allocator;
use serde_json::Value;

fn misuse(arguments: &[&str]) -> Ended {
    let mut all = vec!["misuse"];
    all.extend(arguments);
    hz3(&root(), &all)
}

/// The verdict of a contender on a kind.
#[track_caller]
fn verdict<'a>(survey: &'a Value, contender: usize, kind: &str) -> &'a str {
    let families = survey["families"].as_array().expect("families");
    let mut names = families
        .iter()
        .flat_map(|f| f["kinds"].as_array().expect("kinds"))
        .map(|k| k["name"].as_str().expect("a name"));
    let at = names.position(|name| name == kind).expect("the kind");
    let found = &survey["contenders"][contender]["found"][at];
    found["verdict"].as_str().expect("a verdict")
}

#[test]
fn every_kind_has_a_verdict_under_the_c_library() {
    let survey = misuse(&["glibc", "--rounds", "1", "--format", "json"]).with(0).json();
    let families = survey["families"].as_array().expect("families");
    let kinds = |f: &Value| f["kinds"].as_array().expect("kinds").len();
    let all: usize = families.iter().map(kinds).sum();
    let misused: usize = families.iter().filter(|f| f["property"] == false).map(kinds).sum();
    assert!(all >= 150 && misused >= 130, "{misused} of {all}");
    assert_eq!(survey["contenders"][0]["found"].as_array().expect("found").len(), all);
    // What the C library has found for many years.
    assert_eq!(verdict(&survey, 0, "double-now"), "detected");
    assert_eq!(verdict(&survey, 0, "free-stack"), "detected");
    assert_eq!(verdict(&survey, 0, "ask-calloc-zero"), "detected");
    // Nobody who serves memory again can know of this one.
    assert_eq!(verdict(&survey, 0, "stale-given"), "harm");
    assert_eq!(verdict(&survey, 0, "told-calloc"), "nothing");
    let counted = &survey["contenders"][0]["instructions"]["malloc"];
    if cfg!(target_arch = "x86_64") {
        assert!(counted.as_u64().is_some_and(|n| n > 5), "{counted}");
    }
}

/// A malloc that gives the same object again after a free, and that does not even look.
const CARELESS: &str = r#"
#include <stddef.h>
#include <string.h>
static char heap[64 << 20] __attribute__((aligned(4096)));
static size_t used;
static void *last[1 << 13];
static struct { size_t n; char pad[8]; } *head(void *p) { return (void *)((char *)p - 16); }
void *malloc(size_t n) {
	size_t whole = (n + 15) / 16 * 16;
	if (whole < n || whole > sizeof heap / 2) return NULL;
	void **list = whole / 16 < sizeof last / sizeof *last ? &last[whole / 16] : NULL;
	if (list && *list) { void *p = *list; *list = *(void **)p; return p; }
	if (used + whole + 16 > sizeof heap) return NULL;
	char *p = heap + used + 16;
	used += whole + 16;
	head(p)->n = whole;
	return p;
}
void free(void *p) {
	if (!p || head(p)->n / 16 >= sizeof last / sizeof *last) return;
	*(void **)p = last[head(p)->n / 16];
	last[head(p)->n / 16] = p;
}
void *calloc(size_t a, size_t b) { void *p = malloc(a * b); if (p) memset(p, 0, a * b); return p; }
void *realloc(void *p, size_t n) {
	void *q = malloc(n);
	if (p && q) { memcpy(q, p, head(p)->n < n ? head(p)->n : n); free(p); }
	return q;
}
void *aligned_alloc(size_t a, size_t n) { return a <= 16 ? malloc(n) : NULL; }
void *memalign(size_t a, size_t n) { return aligned_alloc(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { *p = aligned_alloc(a, n); return *p ? 0 : 12; }
size_t malloc_usable_size(void *p) { return p ? head(p)->n : 0; }
"#;

#[test]
fn harm_is_proven_shown_and_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = compile(
        folder.path(),
        "libcareless.so",
        CARELESS,
        &["-shared", "-fPIC", "-fno-builtin"],
    )
    .expect("cc");
    let word = format!("careless={}", library.display());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let only = ["--only", "double-now,stale-link,ask-calloc-zero,told", "--rounds", "2"];
    let with = |more: &[&str]| misuse(&[&["glibc", &word][..], &only, more].concat());
    let survey = with(&["--format", "json", "-o", &file("page.html")]).with(0).json();
    for kind in ["double-now", "stale-link", "ask-calloc-zero"] {
        assert_eq!((verdict(&survey, 1, kind), kind), ("harm", kind));
        // glibc hides the link and looks whether what it then leads to is aligned: a written one is, once in sixteen times, and
        // leads nowhere.
        let found = verdict(&survey, 0, kind);
        assert!(
            found == "detected" || found == "crash" && kind == "stale-link",
            "{kind}: {found}"
        );
    }
    assert_eq!(verdict(&survey, 1, "told-malloc"), "harm");
    let page = std::fs::read_to_string(file("page.html")).expect("the page");
    assert!(
        page.contains("two live objects overlap") && page.ends_with("</html>\n"),
        "{page}"
    );
    let text = with(&["--why"]).with(0);
    text.shows("harm      0      3\n")
        .shows("malloc returned an address of the writer's choice");
    let table = with(&["--format", "md"]).with(0);
    table
        .shows("| double-now | detected | HARM |\n")
        .shows("| *Old data* |  |  |\n");
    with(&["-o", &file("survey.json")]).with(0);
    let report = |survey: &str| {
        let page = file("report.html");
        hz3(&root(), &["report", "--misuse", survey, "-o", &page])
    };
    report(&file("survey.json")).with(0);
    let page = std::fs::read_to_string(file("report.html")).expect("the page");
    assert!(
        page.contains("<section id=\"misuse\">") && page.contains("two live objects overlap"),
        "{page}"
    );
    std::fs::write(file("none.json"), "{\n}").expect("a file");
    report(&file("none.json")).with(2).tells("is no survey of misuse");
    report(&file("missing.json")).with(2);
    let csv = with(&["--format", "csv"]).with(0);
    csv.shows("double,double-now,0,An object is freed twice in turn.,careless,");
}

/// What `default` finds with what it has anyway, and what no allocator can find that serves memory again.
#[test]
fn default_finds_what_it_can_without_an_instruction() {
    let Ok(Allocator::Variant(default)) = Allocator::variant("default") else {
        panic!("default is built");
    };
    let kinds = [
        ("double-large", "detected"),
        ("double-huge", "detected"),
        ("free-static", "detected"),
        ("free-stack", "detected"),
        ("ask-calloc-zero", "detected"),
        ("ask-pvalloc", "detected"),
        ("told-calloc", "nothing"),
        ("told-calloc-huge", "nothing"),
        ("stale-given", "harm"),
        ("stale-read-given", "harm"),
        ("place-reuse", "harm"),
    ];
    let only: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    let word = format!("default={}", default.path.display());
    let survey = misuse(&[&word, "--only", &only.join(","), "--format", "json"])
        .with(0)
        .json();
    for (kind, expected) in kinds {
        assert_eq!((kind, verdict(&survey, 0, kind)), (kind, expected));
    }
}

#[test]
fn kinds_can_be_listed_and_wrong_words_are_refused() {
    misuse(&["--list"])
        .with(0)
        .shows("double-now")
        .shows("An object is freed twice in turn.");
    let families = misuse(&["--list", "--format", "json"]).with(0).json();
    assert_eq!(families[0]["name"], "double");
    let near = misuse(&["glibc", "--only", "double-nov"]).with(2);
    near.tells("error: `double-nov` is no kind of misuse and no family of kinds\nhelp: did you mean `double-now`?");
    misuse(&["glibc", "-o", "page.pdf"])
        .with(2)
        .tells("the ending says it: .html, .json, .csv or .md");
    misuse(&["glibc", "--only", "ask-malloc", "--time", "nonsense"]).with(2);
    misuse(&[]).with(2);
}
