//! C and C++ clients, compiled when they are first asked for.

use crate::place;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

/// The executable (or for a name that ends in `_plugin`, the library) of `clients/<name>.c` or `.cc`.
///
/// # Errors
///
/// What the compiler says.
pub fn build(name: &str) -> Result<PathBuf, String> {
    static BUILT: LazyLock<Mutex<BTreeMap<String, Result<PathBuf, String>>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    built.entry(name.to_owned()).or_insert_with(|| provide(name)).clone()
}

fn provide(name: &str) -> Result<PathBuf, String> {
    let cpp = place::source(&format!("clients/{name}.cc"));
    let (source, is_cpp) = if cpp.is_file() {
        (cpp, true)
    } else {
        (place::source(&format!("clients/{name}.c")), false)
    };
    let headers = ["client.h", "plugin.h"].map(|file| place::source(&format!("clients/{file}")));
    let folder = place::clients();
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let output = folder.join(name);
    let made = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let younger = |file: &PathBuf| made(&output) > made(file);
    if output.is_file() && younger(&source) && headers.iter().all(younger) {
        return Ok(output);
    }
    compile(&source, is_cpp, name.ends_with("_plugin"), &output)?;
    Ok(output)
}

/// Without built-in knowledge of malloc, or the compiler removes what is to be tested.
fn compile(source: &Path, is_cpp: bool, shared: bool, output: &Path) -> Result<(), String> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    build
        .cpp(is_cpp)
        .target(&triple)
        .host(&triple)
        .out_dir(place::clients())
        .opt_level(1)
        .debug(true)
        .cargo_metadata(false)
        .std(if is_cpp { "gnu++17" } else { "gnu11" })
        .flag("-fno-builtin")
        .flag("-pthread");
    if shared {
        build.flag("-shared");
    }
    let compiler = build
        .try_get_compiler()
        .map_err(|e| format!("no compiler for {}: {e}", source.display()))?;
    let draft = output.with_extension("new");
    let mut command = compiler.to_command();
    command.arg("-o").arg(&draft).arg(source).arg("-ldl");
    let result = command
        .output()
        .map_err(|e| format!("{}: {e}", compiler.path().display()))?;
    if !result.status.success() {
        return Err(format!(
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&result.stderr)
        ));
    }
    std::fs::rename(&draft, output).map_err(|e| format!("cannot make {}: {e}", output.display()))
}
