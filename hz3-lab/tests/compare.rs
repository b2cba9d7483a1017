//! A whole comparison, with libraries whose difference is known: forwarders to the C library, one of which wastes time.

#[path = "common/forwarder.rs"]
mod forwarder;

use forwarder::forwarder;
use hz3_lab::clients::Clients;
use hz3_lab::compare::{self, Schedule, Watch};
use hz3_lab::record::{Aspect, Claim, Record};
use hz3_lab::rows::{Job, ROWS};
use hz3_lab::stats::Verdict;
use hz3_project::{Allocator, Place, Result};
use std::time::Duration;
use tempfile::TempDir;

struct Lab {
    clients: Clients,
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let place = Place::checkout();
        let clients = Clients::of(&place, |_| ()).unwrap();
        let folder = tempfile::tempdir_in(clients.folder()).unwrap();
        Self { clients, folder }
    }
    fn forwarder(&self, label: &str, spin: u32) -> Allocator {
        self.library(label, spin, "")
    }
    fn library(&self, label: &str, spin: u32, more: &str) -> Allocator {
        forwarder(self.folder.path(), label, spin, more)
    }
    fn compare(&self, base: &Allocator, others: &[&Allocator]) -> Result<Record> {
        let others = others.iter().copied().cloned().collect();
        let schedule = self.schedule(base.clone(), others);
        compare::run(&schedule, &self.clients, &mut Quiet::default())
    }
    fn schedule(&self, base: Allocator, others: Vec<Allocator>) -> Schedule {
        let mut job = Job::of(ROWS.iter().find(|r| r.name == "small").unwrap(), &self.clients, false).unwrap();
        job.command.extend(["--steps".into(), "300000".into()]);
        Schedule {
            base,
            others,
            jobs: vec![job],
            budget: Duration::from_secs(120),
            margin: 0.01,
            seed: 1,
            full: false,
            instructions: false,
            claims: Vec::new(),
            null: 0,
            commit: None,
            command: vec!["test".into()],
        }
    }
}

#[derive(Default)]
struct Quiet {
    said: Vec<String>,
    steps: usize,
    share: f64,
    stop_after: Option<usize>,
}

impl Watch for Quiet {
    fn say(&mut self, text: &str) {
        self.said.push(text.into());
    }
    fn progress(&mut self, share: f64, _: &str) {
        assert!((0.0..=1.0).contains(&share));
        // A machine that is busy for a moment makes the rest look no longer, as what a sample costs is not learnt anew.
        assert!(share >= self.share, "the bar goes back from {} to {share}", self.share);
        self.share = share;
        self.steps += 1;
    }
    fn stop(&self) -> bool {
        self.stop_after.is_some_and(|n| self.steps >= n)
    }
}

#[test]
fn a_slower_library_is_found_with_the_right_sign_both_ways() {
    let lab = Lab::new();
    let (fast, slow) = (lab.forwarder("fast", 0), lab.forwarder("slow", 120));
    for (base, other, want) in [(&fast, &slow, Verdict::NoGo), (&slow, &fast, Verdict::Go)] {
        let record = lab.compare(base, &[other]).unwrap();
        let row = &record.rows[0];
        let result = row.cells[1].result.unwrap();
        assert_eq!(result.verdict, want, "{result:?}");
        assert!(row.cells[0].values.len() >= 9 && row.null.len() >= 9);
        assert!(row.alone.len() == 5 && row.empty.is_some() && row.cells[1].live_peak.is_some());
        // Each contender says what was measured: the file, as sha256sum would have it.
        for (library, contender) in record.libraries.iter().zip([base, other]) {
            let bytes = std::fs::read(contender.path.as_ref().unwrap()).unwrap();
            assert_eq!(library.sha256, hz3_lab::identity::sha256(&bytes));
        }
        assert!(
            record
                .libraries
                .iter()
                .all(|l| l.hot.len() == 2 || !cfg!(target_arch = "x86_64"))
        );
        let text = hz3_lab::table::text(&record);
        // Time: a title and two contenders. Memory: an empty line, a title, two lines of two contenders, and what the memory
        // of so small a row does not show.
        assert_eq!(text.lines().count(), 10, "{text}");
        // Forwarders to one malloc take the same memory, whatever the time.
        for of in [Aspect::Peak, Aspect::Final] {
            assert!(row.floor_of(of).is_finite());
            let memory = row.cells[1].outcome(of).unwrap();
            assert!(
                (0.8..1.25).contains(&memory.ratio) && memory.judged().is_some(),
                "{memory:?}"
            );
        }
        assert!(
            text.lines()
                .last()
                .unwrap()
                .starts_with("Peak RSS of small: live objects are less than half of it."),
            "{text}"
        );
    }
}

#[test]
fn memory_is_a_verdict_and_a_goal_of_memory_keeps_its_row_open() {
    /// Touches four megabytes that nobody frees.
    const FAT: &str = r#"
static volatile char fat[4 << 20];
__attribute__((constructor)) static void eat(void) { for (unsigned i = 0; i < sizeof fat; i += 4096) fat[i] = 1; }
"#;
    let lab = Lab::new();
    let mut schedule = lab.schedule(lab.forwarder("lean", 0), vec![lab.library("fat", 120, FAT)]);
    let claim = Claim {
        hypothesis: Some("Fat is no burden.".into()),
        goal: "rss".into(),
    };
    schedule.claims = vec![("fat".into(), claim.clone())];
    let record = compare::run(&schedule, &lab.clients, &mut Quiet::default()).unwrap();
    let cell = &record.rows[0].cells[1];
    for of in Aspect::ALL {
        assert_eq!(cell.outcome(of).unwrap().verdict, Verdict::NoGo, "{of:?}");
    }
    assert_eq!(record.libraries[1].claim, Some(claim));
    let summary = hz3_lab::table::summary(&record);
    assert!(
        summary.contains("its goal, rss (0 GO, 1 NO-GO, 0 UNDECIDED; ") && summary.contains("): Fat is no burden."),
        "{summary}"
    );
}

#[test]
fn a_record_has_the_version_that_a_library_says_and_the_faults() {
    const MIMALLOC: &str = "int mi_version(void) { return NUMBER; }";
    const JEMALLOC: &str = r#"int mallctl(const char *n, void *old, size_t *size, void *new, size_t m) {
	if (n[0] != 'v' || *size != sizeof(char *)) return 2;
	*(const char **)old = "5.3.1-0-g81034ce1f1373e37dc865038e1bc8eeecf559ce8";
	return 0;
}"#;
    const GPERFTOOLS: &str = r#"const char *tc_version(int *a, int *b, const char **c) { return "gperftools 2.18"; }"#;
    let lab = Lab::new();
    let others = [
        lab.library("old", 1, &MIMALLOC.replace("NUMBER", "209")),
        lab.library("new", 2, &MIMALLOC.replace("NUMBER", "30403")),
        lab.library("je", 3, JEMALLOC),
        lab.library("tc", 4, GPERFTOOLS),
        lab.forwarder("silent", 5),
    ];
    let schedule = lab.schedule(Allocator::glibc(), others.to_vec());
    let record = compare::run(&schedule, &lab.clients, &mut Quiet::default()).unwrap();
    let titles: Vec<String> = record.libraries.iter().skip(1).map(|l| l.title()).collect();
    let want = ["old 2.0.9", "new 3.4.3", "je 5.3.1", "tc gperftools 2.18", "silent"];
    assert_eq!(titles, want);
    assert!(record.libraries[0].title().starts_with("glibc 2."));
    let base = &record.rows[0].cells[0];
    assert!(base.faults.len() == base.values.len() && base.faults() > Some(10.0));
}

#[test]
fn everything_that_is_measured_has_the_environment_that_was_asked_for() {
    /// Ends its process where the variable is not set.
    const WANTS: &str = r#"extern char *getenv(const char *);
extern void _exit(int);
__attribute__((constructor)) static void look(void) { if (!getenv("MALLOC_OF_THE_LAB")) _exit(7); }
"#;
    let lab = Lab::new();
    let mut schedule = lab.schedule(lab.forwarder("a", 0), vec![lab.library("b", 1, WANTS)]);
    let problem = |schedule: &Schedule| {
        let record = compare::run(schedule, &lab.clients, &mut Quiet::default()).unwrap();
        record.rows[0].cells[1].problem.clone()
    };
    assert!(problem(&schedule).is_some());
    schedule.jobs[0].environment = vec![("MALLOC_OF_THE_LAB".into(), "1".into())];
    assert_eq!(problem(&schedule), None);
}

#[test]
fn the_same_allocator_twice_is_refused() {
    let lab = Lab::new();
    let a = lab.forwarder("a", 3);
    let b = lab.forwarder("b", 3);
    let e = lab.compare(&a, &[&b]).unwrap_err();
    assert!(e.message.starts_with("a and b are the same allocator"), "{e}");
    let e = lab.compare(&a, &[&a]).unwrap_err();
    assert!(e.message.starts_with("'a' is named twice"), "{e}");
    let e = lab.compare(&a, &[]).unwrap_err();
    assert!(e.message.starts_with("nothing to compare"), "{e}");
}

#[test]
fn what_was_measured_before_a_stop_is_kept() {
    let lab = Lab::new();
    let mut watch = Quiet {
        stop_after: Some(15),
        ..Quiet::default()
    };
    let schedule = lab.schedule(lab.forwarder("a", 0), vec![lab.forwarder("b", 1)]);
    let record = compare::run(&schedule, &lab.clients, &mut watch).unwrap();
    assert!(record.interrupted);
    let row = &record.rows[0];
    let blocks = row.cells[0].values.len();
    assert!(
        (1..9).contains(&blocks) && row.cells[1].values.len() == blocks,
        "{blocks}"
    );
    assert_eq!(row.cells[1].result.unwrap().verdict, Verdict::Undecided);
    assert!(!record.says_something(), "not even a first look");
    let text = serde_json::to_string(&record).unwrap();
    let back: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(back.rows[0].cells[0], record.rows[0].cells[0]);
}

/// Ends badly in the process with seed 5004, which is the fourth block's.
const FOURTH: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) static void look(void) {
	static char words[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	long n = read(fd, words, sizeof words - 1);
	close(fd);
	for (long i = 0; i < n; i++)
		if (words[i] == 0) words[i] = ' ';
	if (!strstr(words, "--seed 5004 ")) return;
	if (write(2, "first line\nthis is the end\n", 27) != 27) _exit(1);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}
"#;

#[test]
fn a_failing_run_is_named_with_its_seed_its_ending_and_its_last_lines() {
    let lab = Lab::new();
    let mut watch = Quiet::default();
    let schedule = lab.schedule(lab.forwarder("a", 0), vec![lab.library("b", 1, FOURTH)]);
    let record = compare::run(&schedule, &lab.clients, &mut watch).unwrap();
    let problem = record.rows[0].cells[1].problem.clone().unwrap();
    assert!(
        problem.starts_with("block 4, seed 5004: ")
            && problem.ends_with("killed by signal 11 (SIGSEGV): first line / this is the end"),
        "{problem}"
    );
    let said = format!("small: no figures for b: {problem}");
    assert!(watch.said.contains(&said), "{:?}", watch.said);
    assert!(record.rows[0].cells[0].problem.is_none() && record.rows[0].cells[0].values.len() < 9);
}

#[test]
fn a_base_that_runs_nowhere_is_a_failure_with_its_reason() {
    let lab = Lab::new();
    let base = lab.library(
        "a",
        0,
        "__attribute__((constructor)) static void end(void) { __builtin_trap(); }\n",
    );
    let e = lab.compare(&base, &[&lab.forwarder("b", 1)]).unwrap_err();
    assert_eq!(e.code, hz3_project::Code::Failed);
    assert!(
        e.message.starts_with("a works on none of the rows: ") && e.message.contains("SIGILL"),
        "{e}"
    );
}

#[test]
fn a_stop_in_the_pilot_is_no_failure_of_the_machine() {
    let lab = Lab::new();
    let mut watch = Quiet {
        stop_after: Some(1),
        ..Quiet::default()
    };
    let schedule = lab.schedule(lab.forwarder("a", 0), vec![lab.forwarder("b", 1)]);
    let e = compare::run(&schedule, &lab.clients, &mut watch).unwrap_err();
    assert_eq!(e.code, hz3_project::Code::Stopped, "{e}");
}

#[test]
fn a_client_of_several_threads_has_no_share_of_its_own() {
    let lab = Lab::new();
    let of = |name: &str| Job::of(ROWS.iter().find(|r| r.name == name).unwrap(), &lab.clients, false).unwrap();
    for row in ROWS {
        let job = of(row.name);
        assert!(!(job.empty && job.several), "{}", row.name);
    }
    assert!(of("small").empty);
}

#[test]
fn a_budget_too_short_leaves_rows_out_by_name() {
    let lab = Lab::new();
    let mut schedule = lab.schedule(lab.forwarder("a", 0), vec![lab.forwarder("b", 1)]);
    let mut second = schedule.jobs[0].clone();
    second.name = "another".into();
    second.command.extend(["--steps".into(), "30000000".into()]);
    schedule.jobs.push(second);
    schedule.budget = Duration::from_secs(12);
    let mut watch = Quiet::default();
    let record = compare::run(&schedule, &lab.clients, &mut watch).unwrap();
    assert!(
        watch.said.iter().any(|s| s.contains("no time for another")),
        "{:?}",
        watch.said
    );
    assert!(record.rows[1].cells[0].problem.is_some());
    assert!(record.rows[0].cells[0].problem.is_none());
}
