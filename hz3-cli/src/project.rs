//! Where things are: the project's root, its configs, its libraries.

use crate::failure::Failure;
use hz3_config::suggest;
use hz3_lab::place::Place;
use std::path::{Path, PathBuf};

/// The project that the command works in.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `Cargo.toml`, `configs/` and `hz3-config/`.
    pub root: PathBuf,
}

impl Project {
    /// Looks upwards from the current directory, then where this program was compiled.
    pub fn find() -> Result<Project, Failure> {
        let here = std::env::current_dir().unwrap_or_default();
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors()
            .chain(compiled.ancestors())
            .find(|dir| dir.join("Cargo.toml").is_file() && dir.join("hz3-config").is_dir())
            .map(|root| Project { root: root.to_owned() })
            .ok_or_else(|| {
                Failure::unfit("not inside an hz3 checkout")
                    .help("change to the folder that holds hz3's Cargo.toml and configs/")
            })
    }

    /// The same for the lab.
    pub fn place(&self) -> hz3_lab::place::Place {
        hz3_lab::place::Place {
            root: self.root.clone(),
        }
    }

    /// `configs/`.
    pub fn configs(&self) -> PathBuf {
        self.root.join("configs")
    }

    /// `target/hz3/`, where libraries and compiled clients are kept.
    pub fn output(&self) -> PathBuf {
        self.root.join("target").join("hz3")
    }

    /// Where `build` puts the library of the variant `name`.
    pub fn library(&self, name: &str) -> PathBuf {
        self.output().join(format!("libhz3_{name}.so"))
    }

    /// Where `build` remembers which config the library of the variant `name` was made from.
    pub fn origin(&self, name: &str) -> PathBuf {
        self.output().join(format!("libhz3_{name}.from"))
    }

    /// Names of all configs, sorted.
    pub fn config_names(&self) -> Vec<String> {
        Place {
            root: self.root.clone(),
        }
        .config_names()
    }

    /// The config file that `given` means: a path (with a slash or `.toml`), or the name of a file in `configs/`.
    pub fn config(&self, given: &str) -> Result<PathBuf, Failure> {
        if given.contains('/') || given.ends_with(".toml") {
            return crate::failure::real(given).map_err(|failure| match self.meant(given) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure,
            });
        }
        let path = self.configs().join(format!("{given}.toml"));
        // If it is no file, whoever reads it says what it is.
        if path.exists() {
            return Ok(path);
        }
        let names = self.config_names();
        let failure = Failure::bad_input(format!(
            "no config named `{given}` in {}",
            self.relative(&self.configs())
        ));
        Err(match suggest::nearest(given, names.iter().map(String::as_str)) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => failure,
            None => failure.help(format!("there are: {}", names.join(", "))),
        })
    }

    /// The config that a path means which leads nowhere: one of its folder, or one of `configs/` by its name.
    fn meant(&self, given: &str) -> Option<String> {
        let path = Path::new(given);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let files = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok();
        let mut names: Vec<String> = files
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        names.sort();
        let sibling = suggest::nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str));
        if let Some(name) = sibling {
            return Some(path.with_file_name(name).display().to_string());
        }
        let stem = path.file_stem()?.to_str()?;
        suggest::nearest(stem, self.config_names().iter().map(String::as_str)).map(str::to_owned)
    }

    /// `path` as seen from the root, where it lies below it.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
