//! What a program's file says about interposition, before it is started.

use hz3_project::library::{Library, NotLibrary};
use hz3_project::program;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file on the way from a command to the ELF program that runs.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Why a preloaded malloc may not reach it. Empty if nothing stands in the way.
    pub obstacles: Vec<Obstacle>,
}

/// Why a preloaded malloc does not reach a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// No dynamic linker takes part.
    Static,
    /// The dynamic linker ignores LD_PRELOAD for it; the text says which mark of the file is the cause.
    Privileged(&'static str),
    /// It defines these functions and exports them: its own definition comes before any preloaded one.
    OwnExported(Vec<&'static str>),
    /// It defines these functions for itself alone.
    OwnHidden(Vec<&'static str>),
    /// It asks nobody for malloc.
    NoImport,
    /// A sanitizer's run-time library is the malloc; the text names it.
    Sanitizer(String),
    /// It is for another machine; the text names it.
    Foreign(String),
    /// Its dynamic linker is not that of glibc; the text names it.
    OtherLoader(String),
    /// It is damaged, or no program.
    Unreadable(String),
}

impl Obstacle {
    /// Whether running the program could not show anything.
    pub fn is_final(&self) -> bool {
        matches!(self, Obstacle::Static | Obstacle::Foreign(_))
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::Static => {
                f.write_str("is linked statically: no dynamic linker, no LD_PRELOAD; link it against a shared libc")
            }
            Obstacle::Privileged(mark) => {
                write!(
                    f,
                    "is {mark}: the dynamic linker ignores LD_PRELOAD; run a copy without that mark"
                )
            }
            Obstacle::OwnExported(names) => write!(
                f,
                "exports its own {}: a program's symbols come before preloaded ones; build it without its allocator",
                names.join(", ")
            ),
            Obstacle::OwnHidden(names) => {
                write!(
                    f,
                    "holds its own {}: its calls never leave it; build it without its allocator",
                    names.join(", ")
                )
            }
            Obstacle::NoImport => f.write_str("imports no malloc: it has an allocator of its own, or needs none"),
            Obstacle::Sanitizer(name) => write!(
                f,
                "is built with {name}, which is its malloc; build it without the sanitizer"
            ),
            Obstacle::Foreign(machine) => write!(
                f,
                "is for another machine ({machine}); the library is for {}",
                std::env::consts::ARCH
            ),
            Obstacle::OtherLoader(loader) => write!(f, "is loaded by {loader}; the library is for glibc's loader"),
            Obstacle::Unreadable(why) => write!(f, "{why}"),
        }
    }
}

/// The program at `path`, after its interpreter and the interpreter's if it is a script.
pub fn chain(path: &Path) -> Vec<Program> {
    let mut programs = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next.take() {
        if programs.len() == 5 {
            break;
        }
        let bytes = match hz3_config::file::read(&path, hz3_config::file::DATA) {
            Ok(bytes) => bytes,
            Err(e) => {
                programs.push(Program {
                    path,
                    obstacles: vec![Obstacle::Unreadable(format!("cannot be read: {e}"))],
                });
                break;
            }
        };
        let obstacles = if let Some(line) = bytes.strip_prefix(b"#!") {
            next = interpreter(line);
            Vec::new()
        } else {
            obstacles(&path, &bytes)
        };
        programs.push(Program { path, obstacles });
    }
    programs
}

/// The program that a `#!` line names: behind `env`, the one that env will look for.
fn interpreter(rest_of_file: &[u8]) -> Option<PathBuf> {
    let line = rest_of_file.split(|b| *b == b'\n').next()?;
    let mut words = line.split(|b| *b == b' ' || *b == b'\t').filter(|w| !w.is_empty());
    let first = PathBuf::from(OsStr::from_bytes(words.next()?));
    if first.file_name() != Some(OsStr::new("env")) {
        return Some(first);
    }
    let program = words.find(|w| !w.starts_with(b"-") && !w.contains(&b'='))?;
    program::find(OsStr::from_bytes(program))
}

fn obstacles(path: &Path, bytes: &[u8]) -> Vec<Obstacle> {
    let elf = match Library::parse(path, bytes) {
        Ok(elf) => elf,
        Err(NotLibrary::Foreign(machine)) => return vec![Obstacle::Foreign(machine)],
        Err(other) => return vec![Obstacle::Unreadable(other.to_string())],
    };
    let mut found = Vec::new();
    if let Some(mark) = privilege(path) {
        found.push(Obstacle::Privileged(mark));
    }
    match &elf.interpreter {
        None => {
            found.push(Obstacle::Static);
            return found;
        }
        Some(loader) if !loader.contains("/ld-linux") && !loader.contains("/ld64.so") => {
            found.push(Obstacle::OtherLoader(loader.clone()));
        }
        Some(_) => {}
    }
    found.extend(sanitizer(&elf).map(Obstacle::Sanitizer));
    let own = |names: &dyn Fn(&str) -> bool| -> Vec<&'static str> {
        hz3_project::library::abi::CORE
            .iter()
            .filter(|name| names(name))
            .copied()
            .collect()
    };
    let exported = own(&|name| elf.exports.contains(name));
    let hidden = own(&|name| elf.hidden.contains(name));
    if !exported.is_empty() {
        found.push(Obstacle::OwnExported(exported));
    } else if !hidden.is_empty() {
        found.push(Obstacle::OwnHidden(hidden));
    } else if own(&|name| elf.imports.contains(name)).is_empty() && elf.needed.iter().all(|n| n.starts_with("libc.so"))
    {
        found.push(Obstacle::NoImport);
    }
    found
}

/// What makes the kernel start the program in secure mode.
fn privilege(path: &Path) -> Option<&'static str> {
    let metadata = path.metadata().ok()?;
    let mode = metadata.permissions().mode();
    // Both marks do nothing for whom they name already.
    if mode & 0o4000 != 0 && metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Some("setuid");
    }
    if mode & 0o2000 != 0 && metadata.gid() != nix::unistd::getegid().as_raw() {
        return Some("setgid");
    }
    let capabilities = xattr::get(path, OsString::from("security.capability")).ok().flatten();
    (capabilities.is_some() && !nix::unistd::geteuid().is_root()).then_some("given file capabilities")
}

fn sanitizer(elf: &Library) -> Option<String> {
    const RUNTIMES: [(&str, &str, &str); 5] = [
        ("libasan", "__asan_init", "AddressSanitizer"),
        ("libhwasan", "__hwasan_init", "HWAddressSanitizer"),
        ("libtsan", "__tsan_init", "ThreadSanitizer"),
        ("libmsan", "__msan_init", "MemorySanitizer"),
        ("liblsan", "__lsan_init", "LeakSanitizer"),
    ];
    RUNTIMES
        .iter()
        .find(|(library, symbol, _)| {
            elf.needed.iter().any(|n| n.starts_with(library))
                || elf.exports.contains(*symbol)
                || elf.imports.contains(*symbol)
        })
        .map(|(_, _, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters() {
        assert_eq!(interpreter(b"/bin/sh -e\nmore"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(interpreter(b" /bin/sh\n"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(interpreter(b"/usr/bin/env -S A=1 sh -x\n"), program::find("sh"));
        assert_eq!(interpreter(b"\n"), None);
    }

    #[test]
    fn nothing_hinders_the_test_program() {
        let programs = chain(&std::env::current_exe().unwrap());
        assert_eq!(programs.len(), 1);
        assert_eq!(programs[0].obstacles, []);
    }
}
