//! Where things are: the checkout that is tested, and what its tests make.

use hz3_project::{Place, place, program};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The checkout.
pub static PLACE: LazyLock<Place> = LazyLock::new(Place::checkout);

/// Where cargo builds.
pub fn target() -> PathBuf {
    place::target(&PLACE.root)
}

/// The source of a client or program, by its path within this crate.
pub fn source(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The config of a variant by its name: one of the project's, or one that is for tests alone.
pub fn config(name: &str) -> PathBuf {
    let shipped = PLACE.config_file(name);
    if shipped.is_file() {
        shipped
    } else {
        source(&format!("variants/{name}.toml"))
    }
}

/// A program's path: `/usr/bin` first, as a wrapper earlier in the search path may be a script that runs something else.
pub fn program(name: &str) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name));
    usual
        .into_iter()
        .find(|file| file.is_file())
        .or_else(|| program::find(name))
}

/// A fresh folder below the clients' for one test; whatever an earlier run left is removed.
///
/// # Panics
///
/// If it cannot be made.
pub fn scratch(name: &str) -> PathBuf {
    let dir = target().join("hz3-scratch").join(name.replace("::", "-"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    dir
}
