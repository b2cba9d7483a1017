//! The static archive of a variant, out of the one that rustc makes.
//!
//! rustc's archive holds the variant beside hundreds of objects of the language's own, whose names would meet those of another
//! Rust library in the same program. Here all that the variant needs becomes one object, in which only the library's exports
//! are visible. One object also means that a program takes the whole malloc or nothing of it.
//!
//! C++ operators are weak in it: a program may replace them, and two strong definitions are an error. `malloc` and its kin are
//! strong: a second definition of them in a program is a mistake, and the linker says so.
//!
//! The archive serves programs of glibc and of musl. The second names of malloc (`__libc_malloc`, …) are in an object of their
//! own, which is taken where the program itself asks for one of them. musl's own code does so, too, under locks that `fork`
//! takes after it has called fork handlers: there these names have to be musl's. (Its objects come after this archive, so that
//! they find their own.)

use crate::library::{Library, abi};
use crate::{Error, OnPath, Result};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sources ask for every function that a program can replace under a second name, this and its own, which tells whether
/// the program did. The linker defines them.
const OWN: &str = "__hz3_own";

/// What an object may ask for and a library does not: the linker's own table, functions that every C library has and that the
/// compiler may prefer to others, and what a compiler's start files define for each object that is linked.
const ELSEWHERE: [&str; 3] = ["_GLOBAL_OFFSET_TABLE_", "memmove", "__dso_handle"];

/// What a program of musl must have. The library looks for it by weak reference, which takes nothing out of an archive: so the
/// object asks for it once more, and refers to it by a relocation that changes nothing.
const ASKED: &str = "pthread_atfork";

/// What a relocatable object asks for and gives.
struct Symbols {
    /// Names that somebody else must define.
    wanted: BTreeSet<String>,
    /// Names that others see.
    given: BTreeSet<String>,
}

/// Makes the archive in `folder`, and gives its path. `rust` is the archive that rustc made, `library` the shared library of the
/// same variant.
///
/// # Errors
///
/// If GNU binutils are missing, or say something; or if the result is not what the library is.
pub fn make(rust: &Path, library: &Library, name: &str, folder: &Path) -> Result<PathBuf> {
    let at = |file: &str| folder.join(file);
    let (whole, named, object) = (at("whole.o"), at("named.o"), at(&format!("hz3_{name}.o")));

    let mut ld = Command::new("ld");
    ld.arg("-r").arg("-o").arg(&whole);
    for export in &library.exports {
        ld.args(["-u", export]);
    }
    let asked = assembled("asked", &format!(".reloc ., BFD_RELOC_NONE, {ASKED}\n"), folder)?;
    run(ld.arg(asked).arg(rust))?;

    let mut ld = Command::new("ld");
    ld.arg("-r").arg("-o").arg(&named);
    for wanted in Symbols::of(&whole)?.wanted {
        if let Some(function) = wanted.strip_prefix(OWN) {
            ld.arg(format!("--defsym={wanted}={function}"));
        }
    }
    run(ld.arg(&whole))?;

    let (visible, weak) = (at("visible"), at("weak"));
    let (again, first): (Vec<&String>, _) = library.exports.iter().partition(|name| abi::is_second(name));
    let operators = library.exports.iter().filter(|export| export.starts_with("_Z"));
    write_names(&visible, first.iter().copied())?;
    write_names(&weak, operators)?;
    run(Command::new("objcopy")
        .arg(option("--keep-global-symbols=", &visible))
        .arg(option("--weaken-symbols=", &weak))
        .args([&named, &object]))?;
    check(&Symbols::of(&object)?, &first, library)?;
    let names = second_names(&again, name, folder)?;

    let archive = at("archive.a");
    match std::fs::remove_file(&archive) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).on("remove", &archive),
        _ => {}
    }
    // D: without times and owners, so that the same variant is the same bytes.
    run(Command::new("ar").arg("rcsD").args([&archive, &object, &names]))?;
    Ok(archive)
}

/// An object that has the second names, each a jump to the function of the first name.
fn second_names(names: &[&String], variant: &str, folder: &Path) -> Result<PathBuf> {
    let jump = if cfg!(target_arch = "aarch64") { "b" } else { "jmp" };
    let mut text = String::new();
    for name in names {
        let Some(first) = abi::first(name) else { continue };
        let called = if cfg!(target_arch = "aarch64") {
            first.to_owned()
        } else {
            format!("{first}@PLT")
        };
        text += &format!(".globl {name}\n.type {name}, %function\n{name}: {jump} {called}\n.size {name}, . - {name}\n");
    }
    assembled(&format!("hz3_{variant}_again"), &text, folder)
}

/// An object of code in the assembler's language.
fn assembled(name: &str, text: &str, folder: &Path) -> Result<PathBuf> {
    let (source, object) = (folder.join(format!("{name}.s")), folder.join(format!("{name}.o")));
    let text = format!(".section .note.GNU-stack,\"\",%progbits\n.text\n{text}");
    std::fs::write(&source, text).on("write", &source)?;
    run(Command::new("as").arg("-o").args([&object, &source]))?;
    Ok(object)
}

fn option(name: &str, value: &Path) -> std::ffi::OsString {
    let mut option = OsStr::new(name).to_owned();
    option.push(value);
    option
}

fn write_names<'a>(file: &Path, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    std::fs::write(file, names.join("\n") + "\n").on("write", file)
}

/// Runs a program of the linker's family.
fn run(command: &mut Command) -> Result<()> {
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
    fn of(path: &Path) -> Result<Symbols> {
        let bytes = crate::file::read(path, crate::file::DATA)?;
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
fn check(object: &Symbols, exports: &[&String], library: &Library) -> Result<()> {
    let list = |names: Vec<&str>| names.join(", ");
    let exports: BTreeSet<String> = exports.iter().map(|name| (*name).clone()).collect();
    if object.given != exports {
        let differ = object.given.symmetric_difference(&exports);
        let names = list(differ.map(String::as_str).collect());
        return Err(Error::failed(format!(
            "the static archive does not show the names that the library exports: {names}"
        )));
    }
    let known = |name: &str| library.imports.contains(name) || ELSEWHERE.contains(&name) || name == ASKED;
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
