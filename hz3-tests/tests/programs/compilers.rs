//! Compilers: the bytes that they write must not depend on the allocator.

use hz3_tests::{Allocator, Run, place};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// How often the unit of `programs/compiled.c.in` is repeated.
const UNITS: usize = 60;

/// Length and a hash of a file that was written.
fn print(dir: &Path, name: &str) -> Result<String, String> {
    let bytes = std::fs::read(dir.join(name)).map_err(|e| format!("{name}: {e}"))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!("{name}: {} bytes, {:016x}\n", bytes.len(), hasher.finish()))
}

fn compiler(name: &str, allocator: &Allocator, dir: &Path) -> Result<Run, String> {
    Ok(super::tool(name, allocator)?
        .dir(dir)
        .env("LC_ALL", "C")
        .arg("-frandom-seed=1"))
}

/// A large C unit: object at two levels, assembly, a link-time optimised program, and what that prints.
pub fn c(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let unit = std::fs::read_to_string(place::source("programs/compiled.c.in")).map_err(|e| e.to_string())?;
    let mut source = String::new();
    for n in 0..UNITS {
        source += &unit.replace("@N@", &n.to_string());
    }
    source += "int main(void)\n{\n    double total = 0;\n";
    for n in 0..UNITS {
        let _ = writeln!(source, "    total += unit_{n}({n});");
    }
    source += "    printf(\"%.6f\\n\", total);\n    return 0;\n}\n";
    std::fs::write(dir.join("units.c"), source).map_err(|e| e.to_string())?;
    let compile = |arguments: &[&str]| compiler("gcc", allocator, dir)?.args(arguments).success();
    compile(&["-O2", "-c", "units.c", "-o", "plain.o"])?;
    compile(&[
        "-O1",
        "-g",
        "-gno-record-gcc-switches",
        "-fdebug-prefix-map=/=",
        "-S",
        "-fcompare-debug",
        "units.c",
        "-o",
        "units.s",
    ])?;
    compile(&["-O2", "-flto", "units.c", "-o", "units", "-lm"])?;
    let run = Run::new(dir.join("units"), allocator).success()?;
    Ok(print(dir, "plain.o")? + &run.text())
}

/// Templates: an object, a program, and what it prints.
pub fn cxx(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    std::fs::copy(place::source("programs/compiled.cc"), dir.join("templates.cc")).map_err(|e| e.to_string())?;
    let compile = |arguments: &[&str]| compiler("g++", allocator, dir)?.args(arguments).success();
    compile(&["-std=c++17", "-O2", "-c", "templates.cc", "-o", "templates.o"])?;
    compile(&["templates.o", "-o", "templates"])?;
    let run = Run::new(dir.join("templates"), allocator).success()?;
    Ok(print(dir, "templates.o")? + &print(dir, "templates")? + &run.text())
}
