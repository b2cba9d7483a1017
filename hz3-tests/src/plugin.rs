//! A plugin in Rust with an allocator of its own (`plugin/lib.rs`), for each of several configs.
//!
//! A crate in the build folder, without network: it shares this project's lock file, and its own build results.

use crate::place::{self, PLACE};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// The library whose allocator is that of a shipped config with some lines more. `name` is the config's and the file's.
///
/// # Errors
///
/// What cargo says.
pub fn build(name: &str, parent: &str, more: &str) -> Result<PathBuf, String> {
    static BUILT: LazyLock<Mutex<BTreeMap<String, Result<PathBuf, String>>>> = LazyLock::new(Mutex::default);
    // Held while cargo runs: there is one crate.
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    built
        .entry(name.to_owned())
        .or_insert_with(|| provide(name, parent, more))
        .clone()
}

fn provide(name: &str, parent: &str, more: &str) -> Result<PathBuf, String> {
    let folder = place::target().join("hz3-plugins");
    let (config, library) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.so")));
    let text = format!(
        "name = \"{name}\"\ndescription = \"Of a plugin\"\nextends = {:?}\n{more}\n",
        PLACE.config_file(parent).display().to_string()
    );
    write(&config, &text)?;
    write(&folder.join("Cargo.toml"), &manifest())?;
    let copy = |from: PathBuf, to: PathBuf| {
        std::fs::copy(&from, &to).map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
    };
    copy(PLACE.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let source = std::fs::read_to_string(place::source("plugin/lib.rs")).map_err(|e| format!("plugin/lib.rs: {e}"))?;
    write(&folder.join("src/lib.rs"), &source)?;
    // Named, so that the file lies where it is looked for, whatever the user's settings say.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--quiet",
            "--release",
            "--offline",
            "--target",
            &triple,
            "--target-dir",
        ])
        .arg(folder.join("target"))
        .current_dir(&folder)
        .env("HZ3_PLUGIN_CONFIG", &config)
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "the plugin of {}:\n{}",
            config.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    copy(
        folder.join("target").join(triple).join("release/libplugin.so"),
        library.clone(),
    )?;
    Ok(library)
}

fn manifest() -> String {
    format!(
        "[package]\nname = \"plugin\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nhz3 = {{ path = {:?} }}\n\n[workspace]\n",
        PLACE.root.display().to_string()
    )
}

/// Writes a file whose text has changed.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let fail = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(fail)?;
    std::fs::write(path, text).map_err(fail)
}
