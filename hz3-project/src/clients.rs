//! C and C++ clients, each compiled once for its source, its flags and the compiler.

use crate::{Error, Result, file, hash};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a source becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A program.
    Program,
    /// A small program without shared libraries, if the machine has the static C library.
    Static,
    /// A library to preload or to load.
    Library,
}

/// One source, and how it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client<'a> {
    /// The file that is made.
    pub name: &'a str,
    /// The source's text.
    pub text: &'a str,
    /// Headers that it includes: names and texts.
    pub headers: &'a [(&'a str, &'a str)],
    /// Whether it is C++.
    pub cpp: bool,
    /// What it becomes.
    pub shape: Shape,
    /// Flags beside those that follow from the shape; no others are added. To leave the malloc family alone is up to them:
    /// a compiler that knows malloc may drop a pair of calls.
    pub flags: &'a [&'a str],
}

/// Numbers what this process compiles.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Client<'_> {
    /// The compiled client in a folder; compiles it, and says so to `note` before, if it is not there yet.
    ///
    /// # Errors
    ///
    /// If there is no compiler, or it refuses the source, or the folder cannot be written.
    pub fn build(&self, folder: &Path, note: impl FnOnce(&str)) -> Result<PathBuf> {
        let compiler = compiler(self.cpp)?;
        let what = format!("{:?} {:?}", compiler.path(), compiler.args());
        self.build_by(|| compiler.to_command(), &what, folder, note)
    }

    /// As [`build`](Self::build), with another compiler than this machine's own: one for another C library.
    ///
    /// # Errors
    ///
    /// If the compiler cannot be started, or refuses the source, or the folder cannot be written.
    pub fn build_with(&self, compiler: &Path, folder: &Path, note: impl FnOnce(&str)) -> Result<PathBuf> {
        self.build_by(|| Command::new(compiler), &format!("{compiler:?}"), folder, note)
    }

    /// `compiler` is its command, which `what` tells from others.
    fn build_by(
        &self,
        compiler: impl Fn() -> Command,
        what: &str,
        folder: &Path,
        note: impl FnOnce(&str),
    ) -> Result<PathBuf> {
        let out = folder.join(self.name);
        let stamp = self.stamp(what);
        let stamp_file = folder.join(format!("{}.stamp", self.name));
        if out.is_file() && std::fs::read_to_string(&stamp_file).is_ok_and(|s| s == stamp) {
            return Ok(out);
        }
        note(self.name);
        let sources = folder.join("src");
        let fail = |path: &Path, e: &dyn std::fmt::Display| Error::unfit(format!("{}: {e}", path.display()));
        std::fs::create_dir_all(&sources).map_err(|e| fail(&sources, &e))?;
        for (name, text) in self.headers {
            provide(&sources.join(name), text.as_bytes())?;
        }
        let source = sources.join(format!("{}.{}", self.name, if self.cpp { "cc" } else { "c" }));
        provide(&source, self.text.as_bytes())?;
        // Built beside and moved into place, so that a build that was cut short, or a second one at the same time, leaves
        // no half file.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let fresh = folder.join(format!(".{}.{}.{number}", self.name, std::process::id()));
        let attempt = |shape: Shape| -> Result<Output> {
            let mut command = compiler();
            command.args(self.flags).args(shape.flags());
            command.arg("-o").arg(&fresh).arg(&source).arg("-ldl");
            let program = PathBuf::from(command.get_program());
            command.output().map_err(|e| fail(&program, &e))
        };
        let mut result = attempt(self.shape)?;
        if self.shape == Shape::Static && !result.status.success() {
            result = attempt(Shape::Program)?;
        }
        if !result.status.success() {
            let said = String::from_utf8_lossy(&result.stderr);
            return Err(fail(&source, &format!("it does not compile:\n{said}")));
        }
        std::fs::rename(&fresh, &out).map_err(|e| fail(&out, &e))?;
        std::fs::write(&stamp_file, stamp).map_err(|e| fail(&stamp_file, &e))?;
        Ok(out)
    }

    /// A hash of all that a client is made from.
    fn stamp(&self, compiler: &str) -> String {
        let mut all = format!("{compiler} {:?} {:?}\n", self.shape, self.flags);
        for (name, text) in self.headers.iter().chain([&(self.name, self.text)]) {
            all += &format!("{name} {}\n{text}", text.len());
        }
        format!("{:016x}\n", hash::of(all.as_bytes()))
    }
}

impl Shape {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Program => &[],
            Self::Static => &["-static"],
            Self::Library => &["-shared", "-fPIC"],
        }
    }
}

/// Writes a file whose text is another; one that is right is left alone, as another process may be reading it.
///
/// # Errors
///
/// If it cannot be written.
pub fn provide(path: &Path, text: &[u8]) -> Result<()> {
    match std::fs::read(path) {
        Ok(old) if old == text => Ok(()),
        _ => file::write(path, text),
    }
}

/// The compiler that the `cc` crate finds, without flags of its own; looked for once.
fn compiler(cpp: bool) -> Result<&'static cc::Tool> {
    static FOUND: [OnceLock<Result<cc::Tool>>; 2] = [const { OnceLock::new() }; 2];
    let find = || {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut build = cc::Build::new();
        build.cpp(cpp).target(&triple).host(&triple).opt_level(2);
        build.cargo_metadata(false).cargo_warnings(false).no_default_flags(true);
        build.try_get_compiler().map_err(|e| {
            let (language, variable) = if cpp { ("C++", "CXX") } else { ("C", "CC") };
            Error::unfit(format!("no {language} compiler: {e}")).help(format!(
                "apt install {} libc6-dev, or set {variable}",
                if cpp { "g++" } else { "gcc" }
            ))
        })
    };
    FOUND[usize::from(cpp)].get_or_init(find).as_ref().map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_compiled_when_anything_of_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let built = |headers: &[(&str, &str)], text: &str, flags: &[&str]| {
            let client = Client {
                name: "one",
                text,
                headers,
                cpp: false,
                shape: Shape::Program,
                flags,
            };
            let mut noted = false;
            let program = client.build(folder.path(), |_| noted = true).unwrap();
            (noted, std::process::Command::new(program).status().unwrap().code())
        };
        let text = "#include \"own.h\"\nint main(void) { return CODE + MORE; }\n";
        let flags = ["-DMORE=1"];
        assert_eq!(built(&[("own.h", "#define CODE 3\n")], text, &flags), (true, Some(4)));
        assert_eq!(built(&[("own.h", "#define CODE 3\n")], text, &flags), (false, Some(4)));
        assert_eq!(built(&[("own.h", "#define CODE 5\n")], text, &flags), (true, Some(6)));
        assert_eq!(
            built(&[("own.h", "#define CODE 5\n")], text, &["-DMORE=2"]),
            (true, Some(7))
        );
        let client = Client {
            name: "two",
            text: "nonsense",
            headers: &[],
            cpp: false,
            shape: Shape::Program,
            flags: &[],
        };
        let error = client.build(folder.path(), |_| ()).unwrap_err();
        assert!(error.message.contains("two.c: it does not compile:\n"), "{error}");
    }
}
