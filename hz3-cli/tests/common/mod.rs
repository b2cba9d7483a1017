//! Running `hz3` and looking at what it says.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// How a command ended.
pub struct Ended {
    /// Exit code; -1 for a signal.
    pub code: i32,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl Ended {
    /// The same, if the exit code is `code`.
    #[track_caller]
    pub fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The same, if stderr has `part`.
    #[track_caller]
    pub fn tells(&self, part: &str) -> &Ended {
        assert!(self.err.contains(part), "{part} is not in:\n{}", self.err);
        self
    }

    /// The same, if stdout has `part`.
    #[track_caller]
    pub fn shows(&self, part: &str) -> &Ended {
        assert!(self.out.contains(part), "{part} is not in:\n{}", self.out);
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in:\n{}", self.out))
    }
}

/// `hz3 arguments…` in `folder`.
pub fn hz3(folder: &Path, arguments: &[&str]) -> Ended {
    hz3_with(folder, arguments, &[])
}

/// The same with variables of the environment. Those that say where a project lies are for this checkout alone.
pub fn hz3_with(folder: &Path, arguments: &[&str], environment: &[(&str, &Path)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hz3"));
    command.args(arguments).current_dir(folder).env_remove("LD_PRELOAD");
    if !folder.starts_with(root()) {
        command.env_remove("HZ3_ROOT").env_remove("CARGO_TARGET_DIR");
    }
    let output = command.envs(environment.iter().copied()).output().expect("hz3 starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// The root of this checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace")
        .to_owned()
}

/// A project of its own, with the configs that a test writes.
pub struct Sandbox(tempfile::TempDir);

impl Sandbox {
    /// Holds `default`, and `wide`, which extends it.
    pub fn new() -> Sandbox {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["configs", "docs", "hz3-config", "hz3-core"] {
            std::fs::create_dir(folder.path().join(name)).expect("an empty folder");
        }
        let sandbox = Sandbox(folder);
        sandbox.write("Cargo.toml", "");
        sandbox.write(
            "configs/default.toml",
            "name = \"default\"\ndescription = \"The start of tests\"\n\
             [cache]\nthread_floor = \"auto\"\n[runs]\nmax_waste_percent = 6.25\n",
        );
        sandbox.write(
            "configs/wide.toml",
            "name = \"wide\"\ndescription = \"Fewer classes\"\nextends = \"default\"\n\
             [classes]\nsteps = [{ to = 128, step = 16 }, { to = 32768, per_doubling = 4 }]\n",
        );
        sandbox
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("a file in the sandbox");
    }

    /// Reads a file.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).expect("a file in the sandbox")
    }

    /// `hz3 arguments…` in it.
    pub fn hz3(&self, arguments: &[&str]) -> Ended {
        hz3(self.path(), arguments)
    }
}

/// Compiles a C program; `None` if the compiler or a library for it is missing.
pub fn compile(folder: &Path, name: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
    let (file, program) = (folder.join(format!("{name}.c")), folder.join(name));
    std::fs::write(&file, source).expect("a source file");
    let output = Command::new("cc")
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(&file)
        .output()
        .ok()?;
    output.status.success().then_some(program)
}

/// Libraries that a test leaves in `target/hz3/` are removed, whatever happens.
pub struct Cleanup(pub Vec<PathBuf>);

impl Drop for Cleanup {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_file(path.with_extension("from"));
        }
    }
}

/// Copies a file, or a folder but for what is built and what git keeps, with the times.
pub fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).expect("a copy");
        let time = from.metadata().and_then(|m| m.modified()).expect("a time");
        let file = std::fs::File::options().write(true).open(to).expect("a copy");
        return file.set_modified(time).expect("the same time");
    }
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let made = name == ".git" || name == "target" || path.join("CACHEDIR.TAG").exists();
        if !made && (path.is_dir() || path.is_file()) {
            copy(&path, &to.join(name));
        }
    }
}
