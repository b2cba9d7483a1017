//! The sources that variants are built from: a checkout's own, and everywhere else those that this program carries, of
//! exactly its version.

use crate::{OnPath, Outcome, Place, Result, file};
use hz3_config::Plan;
use hz3_config::emit::library;
use hz3_config::plan::ConfigHash;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// The version that libraries are said to be of.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this program carries of the crates.
const CARRIED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// The workspace around them: cargo compiles these two crates and libc.
const WORKSPACE: [(&str, &str); 4] = [
    ("Cargo.lock", include_str!("../sources/workspace.lock")),
    ("Cargo.toml", include_str!("../sources/workspace.toml")),
    ("hz3-core/Cargo.toml", include_str!("../sources/core.toml")),
    ("hz3-preload/Cargo.toml", include_str!("../sources/preload.toml")),
];

/// The file that the linker is told of.
pub const DYNAMIC_LIST: &str = "replaceable.list";

/// Names, with slashes, and contents of all files of the workspace in which a variant is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, Cow<'static, [u8]>>);

impl Sources {
    /// Those that a project builds its variants from.
    ///
    /// # Errors
    ///
    /// If those of a checkout cannot be read.
    pub fn of(place: &Place) -> Result<Self> {
        if !place.is_checkout() {
            return Ok(Self::carried());
        }
        let mut files = workspace();
        for part in ["hz3-core/src", "hz3-preload/src"] {
            read(&place.root, &place.root.join(part), &mut files)?;
        }
        Ok(Self(files))
    }

    /// Those that this program carries.
    pub fn carried() -> Self {
        let mut files = workspace();
        files.extend(
            CARRIED
                .iter()
                .map(|(name, bytes)| ((*name).to_owned(), Cow::Borrowed(*bytes))),
        );
        Self(files)
    }

    /// The hash of all that the library of a plan is made of: these files, and what is generated.
    pub fn hash(&self, plan: &Plan) -> ConfigHash {
        library::sources(plan, self.0.iter().map(|(name, bytes)| (name.as_str(), &**bytes)))
    }

    /// The hash of these files alone.
    pub fn own_hash(&self) -> u64 {
        let parts = self
            .0
            .iter()
            .flat_map(|(name, bytes)| [name.as_bytes(), b"\0", bytes, b"\0"]);
        parts.fold(crate::hash::START, crate::hash::add)
    }

    /// Makes a folder hold them and nothing else. Files that are right are left alone, so that cargo sees what was changed.
    /// The folder must be the caller's alone meanwhile.
    ///
    /// # Errors
    ///
    /// If something cannot be written or removed.
    pub fn unpack(&self, folder: &Path) -> Outcome {
        let mut there = BTreeMap::new();
        if folder.exists() {
            read(folder, folder, &mut there)?;
        }
        for name in there.keys().filter(|name| !self.0.contains_key(*name)) {
            let path = folder.join(name);
            std::fs::remove_file(&path).on("remove", &path)?;
        }
        for (name, bytes) in self.0.iter().filter(|(name, bytes)| there.get(*name) != Some(bytes)) {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).on("create", parent)?;
            file::write(&path, bytes)?;
        }
        Ok(())
    }
}

fn workspace() -> BTreeMap<String, Cow<'static, [u8]>> {
    let texts = WORKSPACE.map(|(name, text)| (name.to_owned(), text.replace("@version@", VERSION)));
    let list = (DYNAMIC_LIST.to_owned(), library::dynamic_list());
    let all = texts.into_iter().chain([list]);
    all.map(|(name, text)| (name, Cow::Owned(text.into_bytes()))).collect()
}

/// Adds every file below `folder`, by its name below `root`.
fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, Cow<'static, [u8]>>) -> Outcome {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(()); // What is not there is left out.
    };
    for entry in entries {
        let path = entry.on("read", folder)?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path);
            let bytes = std::fs::read(&path).on("read", &path)?;
            files.insert(name.to_string_lossy().into_owned(), Cow::Owned(bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// Of a checkout only: a package is not inside of one.
    fn checkout() -> Option<Place> {
        Place::at(root().to_owned()).ok().filter(Place::is_checkout)
    }

    #[test]
    fn what_is_carried_is_the_checkout() {
        if let Some(place) = checkout() {
            assert_eq!(Sources::of(&place).unwrap(), Sources::carried());
        }
    }

    /// The manifests say of a crate what its own does.
    #[test]
    fn manifests_agree() {
        let Some(place) = checkout() else { return };
        let own = |name: &str| {
            std::fs::read_to_string(place.root.join(name))
                .unwrap()
                .parse::<toml::Table>()
                .unwrap()
        };
        let (ours, theirs) = (own("Cargo.toml"), WORKSPACE[1].1.parse::<toml::Table>().unwrap());
        let (ours, theirs) = (&ours["workspace"], &theirs["workspace"]);
        for key in ["edition", "rust-version", "license"] {
            assert_eq!(ours["package"][key], theirs["package"][key], "{key}");
        }
        assert_eq!(ours["dependencies"]["libc"], theirs["dependencies"]["libc"]);
        assert_eq!(ours["lints"]["rust"], theirs["lints"]["rust"]);
        assert_eq!(ours["package"]["version"].as_str(), Some(VERSION));
        let libc = |lock: &toml::Table| {
            let packages = lock["package"].as_array().unwrap().iter();
            packages
                .filter(|package| package["name"].as_str() == Some("libc"))
                .cloned()
                .collect::<Vec<_>>()
        };
        let lock = WORKSPACE[0].1.parse::<toml::Table>().unwrap();
        assert_eq!(libc(&own("Cargo.lock")), libc(&lock));
    }

    #[test]
    fn unpacking_repairs_a_folder_and_touches_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("sources");
        let sources = Sources::carried();
        sources.unpack(&folder).unwrap();
        let (lib, list) = (folder.join("hz3-core/src/lib.rs"), folder.join(DYNAMIC_LIST));
        let made = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let before = made(&lib);
        std::fs::write(&list, "damaged").unwrap();
        std::fs::write(folder.join("hz3-core/src/stray.rs"), "").unwrap();
        sources.unpack(&folder).unwrap();
        assert_eq!(made(&lib), before);
        assert_eq!(std::fs::read_to_string(&list).unwrap(), library::dynamic_list());
        assert!(!folder.join("hz3-core/src/stray.rs").exists());
    }
}
