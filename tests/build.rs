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
        let folder = hz3_tests::place::scratch(name);
        let root = common::root();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\nhz3 = {{ path = {:?} }}\n\n[workspace]\n",
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
            .arg(hz3_tests::place::TARGET.join("hz3-scratch-build"))
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

#[test]
fn a_change_of_config_parent_or_environment_builds_again() {
    let source = r#"
hz3::variant!(pub Alloc = env "HZ3_CONFIG" or "configs/child.toml");

#[global_allocator]
static GLOBAL: Alloc = Alloc;

fn main() {
    use hz3::core::Variant;
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
