//! Where things are: the project's root, its configs, and what is built and measured there.
//!
//! One rule for the root: `$HZ3_ROOT`; or the nearest folder, from the current one upwards, that is a checkout of hz3 or whose
//! `configs/` holds a config of it; or there is no project, and the current folder only stands in for one. What is made again
//! at will never lands in a user's folder: a checkout has its `target/`, every other root a folder of its own below the user's
//! caches.

use crate::{Error, Result};
use hz3_config::file;
use std::path::{Path, PathBuf};

/// The folders of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder that holds `configs/`.
    pub root: PathBuf,
    project: bool,
    folders: Folders,
}

/// Where what is made is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folders {
    libraries: PathBuf,
    clients: PathBuf,
    private_ledger: PathBuf,
}

impl Place {
    /// That of the current folder.
    ///
    /// # Errors
    ///
    /// If there is no current folder, `$HZ3_ROOT` is none, or the user has no home.
    pub fn find() -> Result<Self> {
        if let Some(root) = variable("HZ3_ROOT") {
            let said = root.display();
            return match root.canonicalize() {
                Ok(real) if real.is_dir() => Self::at(real),
                Ok(_) => Err(Error::bad_input(format!("HZ3_ROOT is {said}, which is no folder"))),
                Err(e) => Err(Error::bad_input(format!("HZ3_ROOT is {said}: {}", file::reason(&e)))),
            };
        }
        let here = std::env::current_dir().map_err(|e| Error::unfit(format!("the current folder: {e}")))?;
        match here
            .ancestors()
            .find(|folder| is_checkout(folder) || has_configs(folder))
        {
            Some(root) => Self::at(root.to_owned()),
            None => Ok(Self {
                project: false,
                ..Self::at(here)?
            }),
        }
    }

    /// The project whose root is known.
    ///
    /// # Errors
    ///
    /// If the user has no home, and so no folder for what is built.
    pub fn at(root: PathBuf) -> Result<Self> {
        let folders = if is_checkout(&root) {
            let target = target(&root);
            Folders {
                libraries: target.join("hz3"),
                clients: target.join("hz3-clients"),
                private_ledger: target.join("hz3-ledger"),
            }
        } else {
            let own = own_name(&root);
            let cache = user_folder("XDG_CACHE_HOME", ".cache")?.join(&own);
            Folders {
                clients: cache.join("clients"),
                libraries: cache,
                private_ledger: user_folder("XDG_DATA_HOME", ".local/share")?.join(&own).join("ledger"),
            }
        };
        Ok(Self {
            root,
            project: true,
            folders,
        })
    }

    /// The checkout that this program was made from: for tests, which live there.
    ///
    /// # Panics
    ///
    /// If it is gone.
    pub fn checkout() -> Self {
        Self::at(own_sources().to_owned()).expect("a program that is tested has its checkout")
    }

    /// Whether the root is a checkout of hz3, which has the sources that variants are built from.
    pub fn is_checkout(&self) -> bool {
        is_checkout(&self.root)
    }

    /// Whether there is a project: otherwise the current folder stands in for one, and no config has a name.
    pub fn is_project(&self) -> bool {
        self.project
    }

    /// Where libraries of variants are put.
    pub fn libraries(&self) -> &Path {
        &self.folders.libraries
    }

    /// The library of the variant `name`, built or not.
    pub fn library(&self, name: &str) -> PathBuf {
        self.libraries().join(format!("libhz3_{name}.so"))
    }

    /// Where the static archive of a variant lies, if it was built.
    pub fn archive(&self, name: &str) -> PathBuf {
        self.libraries().join(format!("libhz3_{name}.a"))
    }

    /// Where `build` remembers which config the library of the variant `name` was made from.
    pub fn origin(&self, name: &str) -> PathBuf {
        self.libraries().join(format!("libhz3_{name}.from"))
    }

    /// Compiled clients.
    pub fn clients(&self) -> &Path {
        &self.folders.clients
    }

    /// Comparisons that only this project on this machine has.
    pub fn private_ledger(&self) -> &Path {
        &self.folders.private_ledger
    }

    /// Comparisons that are part of the project.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Configs that were made for a measurement.
    pub fn derived(&self) -> PathBuf {
        self.libraries().join("derived")
    }

    /// What was built of older commits.
    pub fn commits(&self) -> PathBuf {
        self.folders.libraries.with_file_name("hz3-commits")
    }

    /// The folder of the project's configs, which exists if there is a project.
    pub fn configs(&self) -> PathBuf {
        self.root.join("configs")
    }

    /// The file of the config `name`, whether or not it is there.
    pub fn config_file(&self, name: &str) -> PathBuf {
        self.configs().join(format!("{name}.toml"))
    }

    /// Names of all configs of the project, sorted.
    pub fn config_names(&self) -> Vec<String> {
        match self.project {
            true => stems(&self.configs(), "toml"),
            false => Vec::new(),
        }
    }

    /// A path as seen from the root, where it lies below it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The checkout that this program was made from, whether or not it is still there.
pub fn own_sources() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where cargo builds in a checkout: `$CARGO_TARGET_DIR`, or `target/`.
pub fn target(checkout: &Path) -> PathBuf {
    checkout.join(variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Names without extension of the files in a folder that have this one, sorted.
pub fn stems(folder: &Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// A folder of hz3 below one that the user may choose: state that belongs to nobody's project.
///
/// # Errors
///
/// If neither the variable nor the user's home is set.
pub fn user_folder(variable_name: &str, below_home: &str) -> Result<PathBuf> {
    // A relative path is to be ignored, as the specification of these variables says.
    variable(variable_name)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(below_home)))
        .map(|folder| folder.join("hz3"))
        .ok_or_else(|| {
            Error::unfit(format!(
                "neither {variable_name} nor HOME is set: there is no folder for what is built"
            ))
        })
}

/// A variable of the environment that names a path; one that is empty counts as none.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn is_checkout(root: &Path) -> bool {
    ["hz3-core", "hz3-config"].iter().all(|part| root.join(part).is_dir())
}

/// Whether a folder's `configs/` holds a config of hz3.
fn has_configs(folder: &Path) -> bool {
    let configs = folder.join("configs");
    stems(&configs, "toml").iter().any(|name| {
        file::read_text(&configs.join(format!("{name}.toml")), file::CONFIG)
            .is_ok_and(|text| hz3_config::is_config(&text))
    })
}

/// A folder name for a root: its own, for people, and a hash of where it lies, as many projects may have one name.
fn own_name(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}-{:016x}", crate::hash::of(root.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_with_configs_of_hz3_is_a_project() {
        let folder = tempfile::tempdir().unwrap();
        let configs = folder.path().join("configs");
        std::fs::create_dir(&configs).unwrap();
        assert!(!has_configs(folder.path()));
        std::fs::write(configs.join("app.toml"), "name = \"app\"\n[log]\nlevel = 3\n").unwrap();
        assert!(!has_configs(folder.path()));
        std::fs::write(configs.join("mine.toml"), "name = \"mine\"\ndescription = \"d\"\n").unwrap();
        assert!(has_configs(folder.path()));
        assert_eq!(stems(&configs, "toml"), ["app", "mine"]);
    }

    #[test]
    fn what_is_built_stays_out_of_a_users_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        std::fs::create_dir(&root).unwrap();
        let place = Place::at(root.clone()).unwrap();
        for path in [place.libraries(), place.clients(), place.private_ledger()] {
            assert!(!path.starts_with(&root), "{}", path.display());
            assert!(path.to_str().unwrap().contains("/hz3/app-"), "{}", path.display());
        }
        let other = Place::at(folder.path().join("else/app")).unwrap();
        assert_ne!(place.libraries(), other.libraries());
        for part in ["hz3-core", "hz3-config"] {
            std::fs::create_dir(root.join(part)).unwrap();
        }
        let place = Place::at(root.clone()).unwrap();
        assert!(place.is_checkout());
        assert_eq!(place.library("x"), target(&root).join("hz3/libhz3_x.so"));
    }
}
