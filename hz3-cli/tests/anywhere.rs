//! The command line as somebody has it who installed it: no checkout, a home of their own, one config.
//!
//! It is installed with the profile that a checkout's `cargo hz3` has, so that both share what is compiled.
#![cfg(target_os = "linux")]

mod common;

use common::{Ended, root};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user without a checkout, and with nothing but what was installed.
struct User {
    home: tempfile::TempDir,
    path: OsString,
}

impl User {
    /// Installs the command line for a new user; or why that cannot be done here.
    fn new() -> Result<User, String> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let installed = home.path().join("installed");
        let mut cargo = cargo();
        cargo
            .args(["install", "--quiet", "--locked", "--offline", "--path"])
            .arg(root().join("hz3-cli"))
            .args(["--profile", "cli", "--root"])
            .arg(&installed)
            .arg("--target-dir")
            .arg(hz3_tests::place::target());
        let output = cargo.output().expect("cargo starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // What is not in cargo's cache cannot be had without a network.
        if said.contains("--offline was specified") || said.contains("offline mode") {
            return Err(said);
        }
        assert!(output.status.success(), "{said}");
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(installed.join("bin")).chain(std::env::split_paths(&others));
        std::fs::create_dir(home.path().join("project")).expect("an empty folder");
        Ok(User {
            path: std::env::join_paths(path).expect("a search path"),
            home,
        })
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    /// `cargo hz3 arguments…` in the project.
    fn hz3(&self, arguments: &[&str]) -> Ended {
        let output = cargo()
            .arg("hz3")
            .args(arguments)
            .current_dir(self.project())
            .env("HOME", self.home.path())
            .env("PATH", &self.path)
            .output()
            .expect("cargo starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.project().join(file), text).expect("a file of the project");
    }
}

/// Cargo, with the caches of who runs the test and nothing that says where hz3 is.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    for (name, below) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if std::env::var_os(name).is_none() {
            cargo.env(name, home.join(below));
        }
    }
    for name in [
        "CARGO_TARGET_DIR",
        "HZ3_ROOT",
        "LD_PRELOAD",
        "XDG_CACHE_HOME",
        "XDG_DATA_HOME",
    ] {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_NET_OFFLINE", "true");
    cargo
}

/// Every file below a folder, by its name there.
fn files(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            found.push(
                path.strip_prefix(root)
                    .expect("it was found there")
                    .display()
                    .to_string(),
            );
        }
    }
    found.sort();
    found
}

#[test]
fn a_config_of_ones_own_is_built_proven_and_measured() {
    let user = match User::new() {
        Ok(user) => user,
        Err(why) => {
            eprintln!("ignored: cargo's cache lacks a crate, and there is no network:\n{why}");
            return;
        }
    };
    let home = user.home.path();
    let cache = home.join(".cache/hz3");

    let ended = user.hz3(&["new", "mine"]).with(0);
    assert_eq!(ended.out, "configs/mine.toml\n");
    let text = std::fs::read_to_string(user.project().join("configs/mine.toml")).expect("the config");
    assert!(text.contains("extends = \"hz3:default\"\n"), "{text}");
    user.hz3(&["check"]).with(0);
    let refused = user.hz3(&["run", "mine", "--", "true"]).with(1);
    refused.tells("cargo hz3 build mine");

    // The only words before it is there are on stderr.
    let built = user.hz3(&["build", "mine"]).with(0);
    assert!(
        built.out.starts_with("mine  ") && built.out.lines().count() == 1,
        "{}",
        built.out
    );
    assert_eq!(built.err, "building mine\n");
    let ran = user.hz3(&["run", "mine", "--", "sh", "-c", "echo $LD_PRELOAD"]).with(0);
    let library = PathBuf::from(ran.out.trim_end());
    assert!(library.starts_with(&cache) && library.is_file(), "{}", ran.out);
    assert!(library.ends_with("libhz3_mine.so"), "{}", ran.out);
    let proven = user.hz3(&["doctor", "mine", "--", "ls"]).with(0);
    proven.shows("proven");
    let counted = user.hz3(&["count", "mine", "--sizes", "64", "--ops", "malloc,free"]);
    assert!(
        counted.code == 0 || (counted.code == 3 && counted.err.contains("ptrace")),
        "{}",
        counted.err
    );
    let compare = [
        "compare",
        "glibc",
        "mine",
        "--rows",
        "small:steps=20000",
        "--time-budget",
        "120s",
    ];
    let compared = user.hz3(&compare).with(0);
    assert!(
        compared.out.contains("mine against glibc"),
        "{}\n{}",
        compared.out,
        compared.err
    );

    // One config more, in a file elsewhere, whose library is nobody's but this project's.
    user.write(
        "single.toml",
        "name = \"single\"\ndescription = \"One file\"\nextends = \"hz3:compact\"\n",
    );
    user.hz3(&["run", "--build", "./single.toml", "--", "true"]).with(0);
    // A name without a config of its own is a preset; without a name, it is `default`.
    let default = user.hz3(&["build"]).with(0);
    assert!(default.out.starts_with("default  "), "{}", default.out);

    // What the config says is what has to be built.
    user.write("configs/mine.toml", &format!("{text}[runs]\nmax_pages = 32\n"));
    let old = user.hz3(&["run", "mine", "--", "true"]).with(1);
    old.tells("configs/mine.toml was changed since");
    user.hz3(&["run", "--build", "mine", "--", "true"]).with(0);

    // Nothing was written to the project but what was asked for, and nothing outside of the user's own folders.
    assert_eq!(
        files(&user.project(), &user.project()),
        ["configs/mine.toml", "single.toml"]
    );
    let data = home.join(".local/share/hz3");
    assert!(
        files(&data, &data).iter().any(|file| file.contains("/ledger/")),
        "{:?}",
        files(&data, &data)
    );
    let folders: Vec<String> = std::fs::read_dir(&cache)
        .expect("the cache")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let sources = format!("sources-{}-", env!("CARGO_PKG_VERSION"));
    for start in [sources.as_str(), "build", "project-"] {
        assert_eq!(
            folders.iter().filter(|name| name.starts_with(start)).count(),
            1,
            "{folders:?}"
        );
    }
    assert_eq!(folders.len(), 3, "{folders:?}");
}
