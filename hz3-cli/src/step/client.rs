//! The small C program that is stepped: compiled once, kept under `target/hz3/clients/`.

use hz3_project::Place;
use hz3_project::{Error, OnPath};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

const SOURCE: &str = include_str!("../../clients/probe.c");

/// The compiled client; compiles it if this source was not yet.
pub fn build(place: &Place) -> Result<PathBuf, Error> {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let folder = place.libraries().join("clients");
    let program = folder.join(format!("probe-{:016x}", hasher.finish()));
    if program.is_file() {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder).on("create", &folder)?;
    let unique = format!("{}.{}", program.display(), std::process::id());
    let (source, object) = (
        PathBuf::from(format!("{unique}.c")),
        PathBuf::from(format!("{unique}.tmp")),
    );
    hz3_project::file::write(&source, SOURCE.as_bytes())?;
    let result = compile(&source, &object);
    let _ = std::fs::remove_file(&source);
    result?;
    // Renaming is atomic: two commands at once may both compile, and either result is whole.
    std::fs::rename(&object, &program).on("write", &program)?;
    Ok(program)
}

fn compile(source: &std::path::Path, program: &std::path::Path) -> Result<(), Error> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let compiler = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(2)
        .out_dir(program.parent().expect("a file in a folder"))
        .cargo_metadata(false)
        .cargo_warnings(false)
        .try_get_compiler()
        .map_err(|e| no_compiler(&e.to_string()))?;
    // A position-independent executable takes `&malloc` from a dynamic relocation, so that it is the address of the
    // real function. Builtins are off, or the compiler would know what malloc returns.
    let output = compiler
        .to_command()
        .args([
            "-std=gnu11",
            "-fno-builtin",
            "-fPIE",
            "-pie",
            "-pthread",
            "-Wl,-z,now",
            "-o",
        ])
        .arg(program)
        .arg(source)
        .output()
        .map_err(|e| no_compiler(&e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::unfit(format!(
        "the C compiler refused the client:\n{}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn no_compiler(reason: &str) -> Error {
    Error::unfit(format!("no C compiler: {reason}")).help("apt install gcc libc6-dev, or set CC")
}
