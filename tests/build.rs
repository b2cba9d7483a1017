//! The macro as another crate sees it: faults of a config are compile errors in the words of the command line, and
//! nothing goes stale when a config, its parent or the environment changes.
//!
//! A crate of its own in the build folder, without network: it shares this project's lock file and build results.

mod common;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A crate that depends on this one.
struct Crate {
    folder: PathBuf,
    name: &'static str,
}

impl Crate {
    fn new(name: &'static str, source: &str) -> Crate {
        Self::with(name, "hz3", source)
    }

    /// One in which this crate has another name.
    fn with(name: &'static str, hz3: &str, source: &str) -> Crate {
        let folder = hz3_tests::place::scratch(name);
        let root = common::root();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{hz3} = {{ package = \"hz3\", path = {:?} }}\n\n[workspace]\n",
            root.display().to_string()
        );
        let this = Crate { folder, name };
        this.write("Cargo.toml", &manifest);
        this.write("src/main.rs", source);
        std::fs::copy(root.join("Cargo.lock"), this.folder.join("Cargo.lock")).expect("the project has a lock file");
        this
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    fn cargo(&self, arguments: &[&str], config: Option<&str>) -> Output {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(arguments)
            .args(["--offline", "--target-dir"])
            .arg(hz3_tests::place::target().join("hz3-scratch-build"))
            .current_dir(&self.folder)
            .env_remove("HZ3_CONFIG")
            .env_remove("LD_PRELOAD");
        if let Some(config) = config {
            cargo.env("HZ3_CONFIG", config);
        }
        cargo.output().unwrap_or_else(|e| panic!("cannot run cargo: {e}"))
    }

    /// What the program prints.
    fn run(&self, config: Option<&str>) -> String {
        let output = self.cargo(&["run", "--quiet"], config);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{}: {err}", self.name);
        out.trim_end().to_owned()
    }

    /// Builds a library that C programs load, and returns its file.
    fn cdylib(&self) -> PathBuf {
        let output = self.cargo(&["rustc", "--lib", "--quiet", "--crate-type", "cdylib"], None);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {err}", self.name);
        let file = format!("debug/lib{}.so", self.name.replace('-', "_"));
        hz3_tests::place::target().join("hz3-scratch-build").join(file)
    }

    /// The compiler's errors, whole.
    fn errors(&self, config: Option<&str>) -> Vec<String> {
        let output = self.cargo(&["check", "--quiet", "--message-format=json"], config);
        assert!(!output.status.success(), "{}: it compiles", self.name);
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|entry| entry["reason"] == "compiler-message" && entry["message"]["level"] == "error")
            .filter_map(|entry| entry["message"]["message"].as_str().map(str::to_owned))
            .collect()
    }
}

/// Every config with a fault that hz3-config has a test for, through the macro: each fault is one error with the text
/// that the command line prints, and nothing else is said.
#[test]
fn faults_are_compile_errors_with_the_same_text() {
    let folder = common::root().join("hz3-config/tests/bad");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the configs with faults")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(files.len() > 50, "only {} configs in {}", files.len(), folder.display());
    let mut source = String::new();
    let mut expected = Vec::new();
    for (n, file) in files.iter().enumerate() {
        source.push_str(&format!(
            "hz3::variant!(pub Variant{n} = {:?});\n",
            file.display().to_string()
        ));
        let faults = hz3_config::load(file).expect_err("it has a fault");
        expected.extend(faults.items().iter().map(|fault| {
            let text = fault.render(false);
            // What is left out is the compiler's to say.
            text.strip_prefix("error: ").expect("a fault is an error").to_owned()
        }));
    }
    source.push_str("fn main() {}\n");
    let mut errors = Crate::new("hz3-bad-configs", &source).errors(None);
    // Rustc counts them in a last line.
    errors.retain(|text| !text.starts_with("aborting due to") && !text.starts_with("could not compile"));
    for (got, want) in errors.iter().zip(&expected) {
        assert_eq!(got, want);
    }
    assert_eq!(errors.len(), expected.len());
}

#[test]
fn the_macros_own_faults_are_told() {
    let source = r#"
hz3::variant!(pub A = 5);
hz3::variant!(pub B = env "HZ3_CONFIG");
hz3::variant!(pub C = "no/such/file.toml");
fn main() {}
"#;
    let errors = Crate::new("hz3-bad-calls", source).errors(None);
    let starts = |text: &str| errors.iter().filter(|e| e.starts_with(text)).count();
    assert_eq!(starts("expected string literal"), 1, "{errors:#?}");
    assert_eq!(starts("unexpected end of input, expected `or`"), 1, "{errors:#?}");
    assert_eq!(
        errors.iter().filter(|e| e.contains("no/such/file.toml")).count(),
        1,
        "{errors:#?}"
    );
}

/// Under another name, without a TOML, and with presets: what a crate that depends on this one may do.
#[test]
fn the_crate_may_have_another_name() {
    let source = r#"
malloc::variant!(pub Small = "hz3:compact");
malloc::variant!(pub Chosen = env "HZ3_CONFIG" or "hz3:flat");
malloc::variant!(Own = "own.toml");

#[global_allocator]
static GLOBAL: malloc::Hz3 = malloc::Hz3;

fn name<A: malloc::Allocator>() -> String {
    let mut buffer = [0; 16 << 10];
    let text = malloc::stats_json::<A>(&mut buffer);
    text.split('"').nth(3).unwrap().to_owned()
}

fn main() {
    let names = [name::<malloc::Hz3>(), name::<Small>(), name::<Chosen>(), name::<Own>()];
    let live = malloc::stats::<malloc::Hz3>().live();
    println!("{} {}", names.join(" "), live > 0);
}
"#;
    let krate = Crate::with("hz3-renamed", "malloc", source);
    let own = "name = \"own\"\ndescription = \"A config of a test\"\nextends = \"hz3:compact\"\n";
    krate.write("own.toml", own);
    assert_eq!(krate.run(None), "default compact flat own true");
    assert_eq!(krate.run(Some("hz3:late")), "default compact late own true");
    krate.write("own.toml", &own.replace("hz3:compact", "hz3:compcat"));
    let errors = krate.errors(None);
    let told = |text: &str| {
        errors
            .iter()
            .any(|e| e.contains("there is no preset `compcat`") && e.contains(text))
    };
    assert!(
        told("own.toml:3:11") && told("did you mean \"hz3:compact\"?"),
        "{errors:#?}"
    );
}

#[test]
fn a_change_of_config_parent_or_environment_builds_again() {
    let source = r#"
hz3::variant!(pub Alloc = env "HZ3_CONFIG" or "configs/child.toml");

#[global_allocator]
static GLOBAL: Alloc = Alloc;

fn main() {
    use hz3::core::{Shape, Variant};
    println!("{} {}", Alloc::NAME, Alloc::LARGEST);
}
"#;
    let krate = Crate::new("hz3-rebuilds", source);
    let config = |name: &str, largest: usize| {
        format!(
            "name = \"{name}\"\ndescription = \"A config of a test\"\n[classes]\nsteps = [{{ to = {largest}, per_doubling = 2 }}]\n"
        )
    };
    let child = "name = \"child\"\ndescription = \"A config with a parent\"\nextends = \"parents/base.toml\"\n";
    krate.write("configs/parents/base.toml", &config("base", 8192));
    krate.write("configs/child.toml", child);
    krate.write("other.toml", &config("other", 4096));
    assert_eq!(krate.run(None), "child 8192");
    // The parent changes, then the config itself.
    krate.write("configs/parents/base.toml", &config("base", 16384));
    assert_eq!(krate.run(None), "child 16384");
    krate.write(
        "configs/child.toml",
        &format!("{child}[classes]\nsteps = [{{ to = 2048, step = 16 }}]\n"),
    );
    assert_eq!(krate.run(None), "child 2048");
    // The environment names another config, relative to the crate; what it names changes; it is empty, and gone.
    assert_eq!(krate.run(Some("other.toml")), "other 4096");
    krate.write("other.toml", &config("other", 32768));
    assert_eq!(krate.run(Some("other.toml")), "other 32768");
    assert_eq!(krate.run(Some("")), "child 2048");
    let elsewhere = common::root().join("configs/compact.toml");
    assert_eq!(krate.run(elsewhere.to_str()), "compact 32768");
    assert_eq!(krate.run(None), "child 2048");
    // A fault shows, and goes when it is mended.
    krate.write("configs/parents/base.toml", "nonsense = 1\n");
    let errors = krate.errors(None);
    assert!(
        errors
            .iter()
            .any(|e| e.contains("nonsense") && e.contains("parents/base.toml:1:1")),
        "{errors:#?}"
    );
    krate.write("configs/parents/base.toml", &config("base", 8192));
    assert_eq!(krate.run(None), "child 2048");
}

/// A config that reports at the end, with a thread block that is small enough to be loaded late.
fn reporting(name: &str) -> String {
    format!(
        "name = \"{name}\"\ndescription = \"A config of a test\"\n\
         [classes]\nsteps = [{{ to = 4096, per_doubling = 2 }}]\n[stats]\nexit_report = true\n"
    )
}

/// The reports on standard error: the names of their variants.
fn reports(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|report| {
            assert!(report["live_bytes"].is_u64(), "{report}");
            report["name"].as_str().expect("a name").to_owned()
        })
        .collect()
}

#[test]
fn a_rust_program_reports_at_its_end() {
    // One variant in the program, another in a library that it is linked with and that nothing refers to by name.
    let source = r#"
hz3::variant!(pub Alloc = "configs/alloc.toml");

#[global_allocator]
static GLOBAL: Alloc = Alloc;

fn main() {
    hz3_reports::touch();
    if std::env::args().nth(1).is_some() {
        std::process::exit(7);
    }
}
"#;
    let library = "hz3::variant!(pub Other = \"configs/other.toml\");\npub fn touch() {}\n";
    let krate = Crate::new("hz3-reports", source);
    krate.write("src/lib.rs", library);
    krate.write("configs/alloc.toml", &reporting("alloc"));
    krate.write("configs/other.toml", &reporting("other"));
    for (arguments, code) in [(&["run", "--quiet"][..], 0), (&["run", "--quiet", "--", "x"][..], 7)] {
        let output = krate.cargo(arguments, None);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut names = reports(&output);
        names.sort();
        assert_eq!(names, ["alloc", "other"]);
    }
    // Without the key there is none.
    krate.write("configs/alloc.toml", &reporting("alloc").replace("true", "false"));
    assert_eq!(reports(&krate.cargo(&["run", "--quiet"], None)), ["other"]);
}

#[test]
fn a_rust_library_reports_at_its_end() {
    let krate = Crate::new("hz3-reporting-library", "fn main() {}\n");
    let source = r#"
hz3::variant!(Alloc = "configs/alloc.toml");

#[global_allocator]
static GLOBAL: Alloc = Alloc;

#[unsafe(no_mangle)]
pub extern "C" fn work() -> usize {
    (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().len()
}
"#;
    krate.write("src/lib.rs", source);
    krate.write("configs/alloc.toml", &reporting("alloc"));
    let host = r#"
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
int main(int argc, char **argv) {
	(void)argc;
	void *library = dlopen(argv[1], RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	size_t (*work)(void) = (size_t (*)(void))dlsym(library, "work");
	return work && work() == 1000 ? 0 : 2;
}
"#;
    let (file, program) = (krate.folder.join("host.c"), krate.folder.join("host"));
    krate.write("host.c", host);
    let compiled = Command::new("cc")
        .arg("-o")
        .args([&program, &file])
        .arg("-ldl")
        .status();
    assert!(compiled.expect("cc starts").success());
    let library = krate.cdylib();
    let output = Command::new(&program).arg(&library).output().expect("the host starts");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(reports(&output), ["alloc"]);
    // Of the variant that the crate `hz3` itself has no thread pays for a block where nobody uses it.
    let bytes = std::fs::read(&library).expect("it was built");
    let prefix = b"__hz3_tls_";
    let names = bytes.windows(prefix.len() + 16).filter(|text| text.starts_with(prefix));
    let blocks: std::collections::BTreeSet<&[u8]> = names.collect();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
}
