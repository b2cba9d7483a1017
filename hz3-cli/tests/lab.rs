//! The lab in a project of its own: libraries that are not what the project says now, the ledger, Ctrl-C.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, copy, hz3, root};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A copy of this project without what was built, with its own `target/`: what a test changes in it harms nobody.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in [
            ".cargo",
            "Cargo.lock",
            "Cargo.toml",
            "configs",
            "examples",
            "hz3-cli",
            "hz3-config",
            "hz3-core",
            "hz3-lab",
            "hz3-macros",
            "hz3-preload",
            "hz3-project",
            "hz3-fuzz",
            "hz3-tests",
            "src",
        ] {
            copy(&root().join(name), &folder.path().join(name));
        }
        // One config is enough, and quick to check.
        let configs = folder.path().join("configs");
        std::fs::remove_dir_all(&configs).expect("a folder");
        std::fs::create_dir(&configs).expect("a folder");
        let project = Self(folder);
        project.write("configs/mine.toml", MINE);
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("a file of the project");
    }

    fn hz3(&self, arguments: &[&str]) -> Ended {
        hz3(self.path(), arguments)
    }

    fn kept(&self, shelf: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join(shelf))
            .into_iter()
            .flatten()
            .flatten();
        entries.map(|e| e.path()).collect()
    }

    /// All commands that take a variant by its name refuse it, in the same words and with the same exit code.
    #[track_caller]
    fn refuses(&self, why: &str) {
        let commands: [&[&str]; 7] = [
            &["run", "mine", "--", "true"],
            &["doctor", "mine", "--", "true"],
            &["count", "mine", "--sizes", "64"],
            &["bench", "small", "--under", "mine"],
            &["replay", "python", "--under", "mine"],
            &["tails", "mine"],
            &["compare", "glibc", "mine", "--rows", "small"],
        ];
        for command in commands {
            let ended = self.hz3(command).with(1);
            assert!(
                ended
                    .err
                    .contains(&format!("error: {why}\nhelp: cargo hz3 build mine, or --build here")),
                "{command:?}: {}",
                ended.err
            );
            assert_eq!(ended.out, "", "{command:?}");
        }
    }
}

/// Half of the objects are of 1040 bytes, and half of 4112: `default` has no class just above.
const FEW_SIZES: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    static void *kept[20000];
    size_t size[] = {1040, 4112};
    for (unsigned i = 0; i < 50000; i++) {
        free(kept[i % 20000]);
        kept[i % 20000] = malloc(size[i % 2]);
    }
    return puts("done") < 0;
}
"#;

const MINE: &str = "name = \"mine\"\ndescription = \"A test\"\n";

#[test]
fn what_is_measured_is_what_the_project_says() {
    let project = Copy::new();
    project.refuses("variant `mine` is not built");
    assert!(project.kept("target/hz3-ledger").is_empty());

    // Nothing but the program's own output on stdout, although a build comes before.
    let ended = project.hz3(&["run", "mine", "--build", "--", "echo", "here"]).with(0);
    assert_eq!(ended.out, "here\n");
    ended.tells("built mine ");
    let ended = project.hz3(&["run", "mine", "--build", "--", "echo", "here"]).with(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("here\n", ""));

    // Prose reaches no code.
    project.write("configs/mine.toml", &format!("{MINE}hypothesis = \"h\"\n"));
    project.hz3(&["run", "mine", "--", "true"]).with(0);
    project.write("configs/mine.toml", &format!("{MINE}[cache]\nmagazines = 2\n"));
    project.refuses("configs/mine.toml was changed since the library of `mine` was built");
    // A path is taken as it is, and `inspect` says what it finds.
    let path = project.path().join("target/hz3/libhz3_mine.so");
    let path = path.to_str().expect("UTF-8");
    project.hz3(&["run", path, "--", "true"]).with(0);
    let json = project.hz3(&["inspect", "mine", "--format", "json"]).with(0).json();
    assert!(json["config"]["changed"].is_string(), "{json}");

    project.write("configs/mine.toml", MINE);
    project.hz3(&["run", "mine", "--", "true"]).with(0);
    let source = project.path().join("hz3-core/src/lib.rs");
    let text = std::fs::read_to_string(&source).expect("a source");
    std::fs::write(&source, format!("{text}\n// changed\n")).expect("a source");
    project.refuses("the sources of hz3 were changed since the library of `mine` was built");
    let json = project.hz3(&["inspect", "mine", "--format", "json"]).with(0).json();
    assert!(json["config"]["sources-changed"].is_string(), "{json}");

    project
        .hz3(&["bench", "small", "--with", "steps=1000", "--under", "mine", "--build"])
        .with(0);
    project.refuses_nothing();
    project.ledger();
    project.sweep();
    project.tune();
    project.interrupted();
    project.tails();

    project.write("configs/mine.toml", &format!("{MINE}nonsense = 1\n"));
    let ended = project.hz3(&["run", "mine", "--", "true"]).with(2);
    ended.tells("configs/mine.toml has errors now");
}

impl Copy {
    #[track_caller]
    fn refuses_nothing(&self) {
        self.hz3(&["run", "mine", "--", "true"]).with(0);
        self.hz3(&["doctor", "mine", "--", "true"]).with(0);
    }

    /// Single calls of any allocator, and the events of a variant that times them.
    #[track_caller]
    fn tails(&self) {
        self.write("configs/mine.toml", &format!("{MINE}[stats]\nlevel = \"events\"\n"));
        let words = [
            "tails",
            "mine",
            "glibc",
            "--rows",
            "mt-r50,startup",
            "--with",
            "steps=20000",
            "--rounds",
            "2",
            "--build",
        ];
        let ended = self.hz3(&[&words[..], &["--format", "json"]].concat()).with(0);
        ended.tells("left out: row startup: it runs a program");
        let json = ended.json();
        for (run, label) in [(&json[0], "mine"), (&json[1], "glibc")] {
            assert_eq!(
                (&run["row"], &run["under"]),
                (&"mt-r50 steps=20000".into(), &label.into()),
                "{run}"
            );
            assert_eq!(run["executions"].as_array().map(Vec::len), Some(2), "{run}");
            for call in ["clock", "malloc", "free"] {
                assert!(run["calls"][call]["p99.9"].as_u64() > Some(0), "{call}: {run}");
            }
        }
        let refill = &json[0]["events"]["refill"];
        let order = ["p50", "p99", "p99.9", "max"].map(|key| refill[key].as_u64().expect("a number"));
        assert!(order[0] > 0 && order.is_sorted(), "{refill}");
        let counted = &json[0]["events"]["refill-from-runs"];
        assert!(
            counted["count"].as_u64() > Some(0) && counted["max"].is_null(),
            "{counted}"
        );
        assert!(json[1]["events"].is_null(), "{json}");
        self.hz3(&words).with(0).shows("refill-from-runs");
        self.hz3(&["tails", "glibc", "--rows", "startup"]).with(3);
        let judged = [
            "compare",
            "glibc",
            "--rows",
            "mt-r50,startup",
            "--with",
            "steps=2000",
            "--tail",
            "free",
            "--no-ledger",
        ];
        let ended = self.hz3(&judged).with(0);
        ended.tells("left out: row startup").shows("p99.9 free");
    }

    /// A comparison is kept privately, and shared or removed when that is asked for.
    #[track_caller]
    fn ledger(&self) {
        let quick = ["--rows", "small", "--with", "steps=20000", "--time-budget", "120s"];
        let compare = |more: &[&str]| self.hz3(&[&["compare", "glibc", "mine"], &quick[..], more].concat());
        compare(&["--no-ledger"]).with(0);
        assert!(self.kept("target/hz3-ledger").is_empty());

        // A shelf that cannot be had is told before anything runs.
        std::fs::create_dir_all(self.path().join("target")).expect("a folder");
        self.write("target/hz3-ledger", "in the way");
        let ended = compare(&[]).with(3);
        assert!(
            ended.err.contains("hz3-ledger") && ended.out.is_empty(),
            "{}",
            ended.err
        );
        std::fs::remove_file(self.path().join("target/hz3-ledger")).expect("a file");

        let ended = compare(&[]).with(0);
        ended.tells("in target/hz3-ledger/").tells("ledger share");
        assert!(self.kept("ledger").is_empty(), "measuring leaves the work tree alone");
        let record = self.hz3(&["ledger", "show", "last", "--format", "json"]).with(0).json();
        let mine = &record["libraries"][1];
        let library = std::fs::read(self.path().join("target/hz3/libhz3_mine.so")).expect("a library");
        assert_eq!(mine["sha256"], hz3_lab::identity::sha256(&library));
        for key in ["hash", "code_hash", "sources"] {
            assert_eq!(mine[key].as_str().map(str::len), Some(16), "{key}");
        }
        let csv = self.hz3(&["ledger", "show", "last", "--format", "csv"]).with(0).out;
        // A title, and two contenders in three aspects.
        assert_eq!(csv.lines().count(), 7, "{csv}");
        assert!(csv.lines().skip(1).all(|l| l.contains(",small steps=20000,")), "{csv}");
        self.hz3(&["ledger", "show", "last", "--format", "md"])
            .with(0)
            .shows("| small steps=20000 | peak RSS | mine |");

        // What is shown fails; what is not shown, and the opposite, do not.
        let file = self.path().join("record.json");
        let to = ["-o", file.to_str().expect("UTF-8"), "--no-ledger"];
        let ended = compare(&[&to[..], &["--fail-if", "rss > 0.01 and time < 100"]].concat()).with(1);
        ended.tells("shown: rss > 0.01 and time < 100: mine on small steps=20000");
        let text = std::fs::read_to_string(&file).expect("a record");
        assert!(text.ends_with("}\n") && hz3_lab::record::Record::read(text.trim()).is_ok());
        compare(&["--no-ledger", "--fail-if", "rss > 100", "--fail-if", "final < 0.01"]).with(0);
        let ended = compare(&["--no-ledger", "--fail-if", "instructions > 1"]).with(2);
        ended.tells("--fail-if 'instructions > 1': no row here has `instructions`");

        let ended = self.hz3(&["ledger", "share", "last"]).with(0);
        ended.shows("is shared now, in ledger/");
        assert_eq!(
            (self.kept("ledger").len(), self.kept("target/hz3-ledger").len()),
            (1, 0)
        );
        let ended = self.hz3(&["ledger", "rm", "last"]).with(0);
        ended.shows("is removed from ledger/");
        assert!(self.kept("ledger").is_empty());
        self.hz3(&["ledger", "rm", "last"]).with(2);
    }

    /// A grid in one comparison, and as jobs whose records are put together.
    #[track_caller]
    fn sweep(&self) {
        let grid = [
            "sweep",
            "mine",
            "--set",
            "cache.batch_max=64,96",
            "--rows",
            "small",
            "--with",
            "steps=2000",
        ];
        let ended = self.hz3(&[&grid[..], &["--no-ledger"]].concat()).with(0);
        ended.shows("2 configs against mine: ").shows("batch_max=96 ");

        self.hz3(&[&grid[..], &["--jobs", "jobs.txt"]].concat()).with(0);
        let jobs = std::fs::read_to_string(self.path().join("jobs.txt")).expect("jobs");
        for line in jobs.lines() {
            let words: Vec<&str> = line.split(' ').skip(2).collect();
            self.hz3(&words).with(0);
        }
        let ended = self.hz3(&["ledger", "merge", "jobs.records"]).with(0);
        // Title, line, two records.
        assert_eq!(ended.out.lines().count(), 3, "{}", ended.out);
        let ended = self.hz3(&["ledger", "merge", "jobs.records"]).with(0);
        assert_eq!(
            ended.err.matches("is in the ledger already").count(),
            2,
            "{}",
            ended.err
        );
        self.hz3(&["ledger", "rm", "last"]).with(0);
        self.hz3(&["ledger", "rm", "last"]).with(0);
        assert!(self.kept("target/hz3-ledger").is_empty());
    }

    /// A search that is much too short says what it tried, and that the base stays.
    #[track_caller]
    fn tune(&self) {
        let short = [
            "tune",
            "--base",
            "mine",
            "--rows",
            "small",
            "--with",
            "steps=2000",
            "--budget",
            "6s",
        ];
        let ended = self
            .hz3(&[&short[..], &["-o", "tuned.toml", "--json", "--no-ledger"]].concat())
            .with(0);
        assert!(self.kept("target/hz3-ledger").is_empty());
        let json = ended.json();
        assert_eq!(
            (&json["base"], &json["goal"]),
            (&"mine".into(), &"time".into()),
            "{json}"
        );
        assert!(
            json["finalists"].as_array().is_some_and(|all| !all.is_empty()),
            "{json}"
        );
        let written = self.path().join("tuned.toml");
        assert_eq!(written.is_file(), json["best"].is_object(), "{json}");
        if written.is_file() {
            self.hz3(&["check", "tuned.toml"]).with(0);
            std::fs::remove_file(&written).expect("a file");
        }

        // What `fit` makes of a program whose sizes waste the ends of their classes races, too, whatever the program writes.
        let flags = ["-O1", "-fno-builtin"];
        let program = common::compile(self.path(), "few-sizes", FEW_SIZES, &flags).expect("a compiler");
        let program = program.to_str().expect("UTF-8");
        let words = ["tune", "--base", "mine", "--goal", "rss", "--budget", "14s"];
        let ended = self
            .hz3(&[&words[..], &["-o", "tuned.toml", "--json", "--", program]].concat())
            .with(0);
        let json = ended.json();
        let finalists = json["finalists"].as_array().expect("finalists");
        let fitted = finalists.iter().find(|one| one["candidate"]["from"] == "fit");
        let fitted = fitted.unwrap_or_else(|| panic!("{json:#}\n{}", ended.err));
        // On a machine that is too slow for the blocks of one look, nothing is judged.
        if json["blocks"].as_u64() >= Some(12) {
            assert_eq!(fitted["goal"]["verdict"], "GO", "{json:#}");
            let text = std::fs::read_to_string(&written).expect("a config");
            assert!(text.contains("classes.steps = ") && text.contains("1040"), "{text}");
            self.hz3(&["check", "tuned.toml"]).with(0);
            self.searched(&json);
        }
    }

    /// The ledger has the search, each pair of its finalists, and what `fit` predicted beside what was measured.
    #[track_caller]
    fn searched(&self, found: &serde_json::Value) {
        let record = self.hz3(&["ledger", "show", "last", "--format", "json"]).with(0).json();
        assert_eq!((&record["search"], &record["command"][0]), (found, &"tune".into()));
        let row = &record["rows"][0];
        let length = |values: &serde_json::Value| values.as_array().expect("values").len() as u64;
        assert_eq!(Some(length(&row["cells"][0]["values"])), found["blocks"].as_u64());
        assert_eq!(length(&row["null"]), length(&row["null_rss_peak"]));
        let tested = self.hz3(&["ledger", "calibration", "--format", "json"]).with(0).json();
        assert_eq!(
            (&tested[0]["config"], &tested[0]["row"]),
            (&"fitted".into(), &"command".into()),
            "{tested}"
        );
        let page = self.path().join("page.html");
        self.hz3(&["report", "last", "-o", "page.html"]).with(0);
        let page = std::fs::read_to_string(page).expect("a page");
        assert!(page.contains("The search") && page.contains("Predicted and measured"));
        self.hz3(&["ledger", "rm", "last"]).with(0);
    }

    /// Ctrl-C before a row had its first look: exit code 130, and nothing is kept.
    #[track_caller]
    fn interrupted(&self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-hz3"))
            .args(["compare", "glibc", "mine", "--time-budget", "10m", "--", "sleep", "0.3"])
            .current_dir(self.path())
            // As `common::hz3` does: these say where another project lies.
            .env_remove("HZ3_ROOT")
            .env_remove("CARGO_TARGET_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("hz3 starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("the budget is") {
            assert_ne!(lines.read_line(&mut said).expect("a line"), 0, "{said}");
        }
        let group = format!("-{}", child.id());
        let sent = Command::new("kill")
            .args(["-INT", "--", &group])
            .status()
            .expect("kill starts");
        assert!(sent.success());
        lines.read_to_string(&mut said).expect("the rest");
        let status = child.wait().expect("an end");
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(
            said.contains("nothing is kept") && !said.contains("no figures for"),
            "{said}"
        );
        assert!(self.kept("target/hz3-ledger").is_empty());
    }
}
