//! The static archive of a variant, out of the one that rustc makes.
//!
//! rustc's archive holds the variant beside hundreds of objects of the language's own, whose names would meet those of another
//! Rust library in the same program. Here all that the variant needs becomes one object, in which only the library's exports
//! are visible. One object also means that a program takes the whole malloc or nothing of it.
//!
//! C++ operators are weak in it: a program may replace them, and two strong definitions are an error. `malloc` and its kin are
//! strong: a second definition of them in a program is a mistake, and the linker says so.

use hz3_project::Library;
use hz3_project::{Error, OnPath};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The sources ask for every function that a program can replace under a second name, this and its own, which tells whether
/// the program did. The linker defines them.
const OWN: &str = "__hz3_own";

/// What an object may ask for and a library does not: the linker's own table, a function that every C library has and that the
/// compiler may prefer to another, and one that is part of whoever is linked, as glibc has it in `libc_nonshared.a`.
const ELSEWHERE: [&str; 3] = ["_GLOBAL_OFFSET_TABLE_", "memmove", "pthread_atfork"];

/// What a relocatable object asks for and gives.
struct Symbols {
    /// Names that somebody else must define.
    wanted: BTreeSet<String>,
    /// Names that others see.
    given: BTreeSet<String>,
}

/// The archive's bytes. `rust` is the archive that rustc made, `library` the shared library of the same variant, and the work
/// is done in `folder`.
pub fn make(rust: &Path, library: &Library, name: &str, folder: &Path) -> Result<Vec<u8>, Error> {
    let at = |file: &str| folder.join(file);
    let (whole, named, object) = (at("whole.o"), at("named.o"), at(&format!("hz3_{name}.o")));

    let mut ld = Command::new("ld");
    ld.arg("-r").arg("-o").arg(&whole);
    for export in &library.exports {
        ld.args(["-u", export]);
    }
    run(ld.arg(rust))?;

    let mut ld = Command::new("ld");
    ld.arg("-r").arg("-o").arg(&named);
    for wanted in Symbols::of(&whole)?.wanted {
        if let Some(function) = wanted.strip_prefix(OWN) {
            ld.arg(format!("--defsym={wanted}={function}"));
        }
    }
    run(ld.arg(&whole))?;

    let (visible, weak) = (at("visible"), at("weak"));
    let operators = library.exports.iter().filter(|export| export.starts_with("_Z"));
    write_names(&visible, library.exports.iter())?;
    write_names(&weak, operators)?;
    run(Command::new("objcopy")
        .arg(option("--keep-global-symbols=", &visible))
        .arg(option("--weaken-symbols=", &weak))
        .args([&named, &object]))?;
    check(&Symbols::of(&object)?, library)?;

    let archive = at("archive.a");
    // D: without times and owners, so that the same variant is the same bytes.
    run(Command::new("ar").arg("rcsD").args([&archive, &object]))?;
    hz3_project::file::read(&archive, hz3_config::file::DATA)
}

fn option(name: &str, value: &Path) -> std::ffi::OsString {
    let mut option = OsStr::new(name).to_owned();
    option.push(value);
    option
}

fn write_names<'a>(file: &Path, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    std::fs::write(file, names.join("\n") + "\n").on("write", file)
}

/// Runs a program of the linker's family.
fn run(command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("LC_ALL", "C")
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|e| {
            Error::unfit(format!("cannot start {program}: {}", hz3_config::file::reason(&e)))
                .help("the static archive is made by GNU binutils: apt-get install binutils")
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::failed(format!(
        "cannot make the static archive: {program} says:\n{}",
        said.trim_end()
    )))
}

impl Symbols {
    fn of(path: &Path) -> Result<Symbols, Error> {
        let bytes = hz3_project::file::read(path, hz3_config::file::DATA)?;
        let file = ElfFile64::<Endianness>::parse(&*bytes)
            .map_err(|e| Error::failed(format!("{} is damaged: {e}", path.display())))?;
        let mut symbols = Symbols {
            wanted: BTreeSet::new(),
            given: BTreeSet::new(),
        };
        for symbol in file.symbols().filter(|symbol| symbol.is_global()) {
            let Ok(name) = symbol.name() else { continue };
            if symbol.is_undefined() {
                symbols.wanted.insert(name.to_owned());
            } else {
                symbols.given.insert(name.to_owned());
            }
        }
        Ok(symbols)
    }
}

/// An archive that is not what the shared library is, is worse than none.
fn check(object: &Symbols, library: &Library) -> Result<(), Error> {
    let list = |names: Vec<&str>| names.join(", ");
    if object.given != library.exports {
        let differ = object.given.symmetric_difference(&library.exports);
        let names = list(differ.map(String::as_str).collect());
        return Err(Error::failed(format!(
            "the static archive does not show the names that the library exports: {names}"
        )));
    }
    let known = |name: &str| library.imports.contains(name) || ELSEWHERE.contains(&name);
    let unknown: Vec<&str> = object
        .wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !known(name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the static archive needs what the library does not: {}",
        list(unknown)
    )))
}
