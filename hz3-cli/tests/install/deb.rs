//! The Debian packages: made, installed into a root of their own beside what this system has, used, and removed.

use super::{SOURCES, run, text};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs without which there is nothing to test.
pub const PROGRAMS: [&str; 4] = ["dpkg", "dpkg-deb", "gcc", "objdump"];

fn make(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let script = super::root().join("packaging/deb");
    let output = Command::new(script)
        .args(["default", text(folder)])
        .current_dir(super::root())
        .env("HZ3", env!("CARGO_BIN_EXE_cargo-hz3"))
        .envs([("DEBFULLNAME", "Some Body"), ("DEBEMAIL", "somebody@example.org")])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("packaging/deb: {}\n{said}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(PathBuf::from)
        .collect())
}

fn field(package: &Path, name: &str) -> Result<String, Failed> {
    Ok(run(Command::new("dpkg-deb").arg("--field").arg(package).arg(name))?
        .trim()
        .to_owned())
}

/// dpkg on a root of its own, whose list of packages is this system's: dependencies are met, or not, as they are here.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Result<Root, Failed> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let state = folder.path().join("var/lib/dpkg");
        for part in ["info", "updates", "triggers"] {
            std::fs::create_dir_all(state.join(part)).map_err(|e| e.to_string())?;
        }
        std::fs::copy("/var/lib/dpkg/status", state.join("status")).map_err(|e| e.to_string())?;
        Ok(Root(folder))
    }

    fn dpkg(&self) -> Command {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", text(self.0.path())));
        command.args(["--force-not-root", "--force-script-chrootless"]);
        command
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }
}

pub fn packages() -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let made = make(folder.path())?;
    let [library, development] = made.as_slice() else {
        return Err(format!("made: {made:?}").into());
    };
    let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
    assert_eq!(field(library, "Package")?, "libhz3-default0");
    assert_eq!(field(library, "Version")?, version);
    assert!(
        field(library, "Depends")?.starts_with("libc6 (>= 2."),
        "{}",
        field(library, "Depends")?
    );
    assert_eq!(
        field(development, "Depends")?,
        format!("libhz3-default0 (= {version}), libc6-dev")
    );
    assert_eq!(field(development, "Maintainer")?, "Some Body <somebody@example.org>");

    let root = Root::new()?;
    run(root.dpkg().arg("--install").args(&made))?;
    let libraries = root
        .path("usr/lib")
        .join(run(Command::new("gcc").arg("-print-multiarch"))?.trim());
    let name = libraries.join("libhz3_default.so.0");
    let ended = super::hz3(&super::root(), &["doctor", text(&name), "--", "sh", "-c", "ls /"]);
    assert!(ended.with(0).out.starts_with("proven: "));
    // The description says where things are on a system that has the package: below /usr.
    let description = libraries.join("pkgconfig/hz3_default.pc");
    assert!(
        std::fs::read_to_string(description)
            .map_err(|e| e.to_string())?
            .starts_with("prefix=/usr\n")
    );
    let program = folder.path().join("prove");
    run(Command::new("gcc")
        .arg(Path::new(SOURCES).join("prove.c"))
        .arg(format!("-I{}", text(&root.path("usr/include"))))
        .arg(format!("-L{}", text(&libraries)))
        .args(["-lhz3_default", "-pthread", "-o", text(&program)]))?;
    // A program finds the library by its SONAME where the dynamic linker is told to look.
    let said = run(Command::new(&program).arg("default").env("LD_LIBRARY_PATH", &libraries))?;
    assert!(said.starts_with("proven: default "), "{said}");

    run(root.dpkg().args(["--purge", "libhz3-default-dev", "libhz3-default0"]))?;
    assert!(!root.path("usr").exists(), "nothing is left");
    Ok(())
}

/// The same sources give the same bytes.
pub fn reproducible() -> Result<(), Failed> {
    let folders = [tempfile::tempdir(), tempfile::tempdir()].map(|f| f.expect("a folder"));
    let made = [make(folders[0].path())?, make(folders[1].path())?];
    for (one, other) in made[0].iter().zip(&made[1]) {
        assert_eq!(std::fs::read(one).ok(), std::fs::read(other).ok(), "{}", one.display());
    }
    Ok(())
}
