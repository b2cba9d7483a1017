//! C and C++ clients, compiled when they are first asked for.

use crate::place::{self, PLACE};
use hz3_project::clients::{Client, Shape};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

/// Without built-in knowledge of malloc, or the compiler removes what is to be tested.
const FLAGS: [&str; 7] = ["-O1", "-g", "-Wall", "-Wextra", "-fno-builtin", "-fPIC", "-pthread"];

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
    with_source(name, &[], |client| client.build(PLACE.clients(), |_| ()))
}

/// The same, compiled by another compiler than the machine's own if there is one, into a folder of the clients' folder, with more
/// flags.
///
/// # Errors
///
/// What the compiler says.
pub fn build_with(name: &str, compiler: Option<&Path>, folder: &str, more: &[&str]) -> Result<PathBuf, String> {
    let folder = PLACE.clients().join(folder);
    with_source(name, more, |client| match compiler {
        Some(compiler) => client.build_with(compiler, &folder, |_| ()),
        None => client.build(&folder, |_| ()),
    })
}

fn with_source(
    name: &str,
    more: &[&str],
    build: impl FnOnce(Client<'_>) -> hz3_project::Result<PathBuf>,
) -> Result<PathBuf, String> {
    let read = |file: String| {
        let path = place::source("clients").join(file);
        std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))
    };
    let cpp = place::source(&format!("clients/{name}.cc")).is_file();
    let text = read(format!("{name}.{}", if cpp { "cc" } else { "c" }))?;
    let headers = ["client.h", "linked.h", "plugin.h"].map(|header| (header, read(header.to_owned())));
    let mut texts = Vec::new();
    for (header, text) in &headers {
        texts.push((*header, text.as_deref().map_err(Clone::clone)?));
    }
    let client = Client {
        name,
        text: &text,
        headers: &texts,
        cpp,
        shape: if name.ends_with("_plugin") {
            Shape::Library
        } else {
            Shape::Program
        },
        flags: &[&[if cpp { "-std=gnu++17" } else { "-std=gnu11" }], &FLAGS[..], more].concat(),
    };
    build(client).map_err(|e| e.message)
}
