//! What a word on a command line stands for.
//!
//! One order for every command: `glibc`; a path, which has a slash or ends in `.so` or `.toml`, or `label=path`; a config of
//! the project; a preset of hz3; a known peer.

use crate::library::Library;
use crate::peers::{self, PEERS, Peer};
use crate::place::stems;
use crate::{Error, Place, Result, current, file};
use hz3_config::preset;
use std::path::{Path, PathBuf};

/// What an allocator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A variant, by its config.
    Variant,
    /// A known other malloc.
    Peer,
    /// A library that the user named by its file.
    File,
    /// The C library's own malloc: nothing is preloaded.
    Glibc,
}

/// A malloc to put under a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocator {
    /// What it is called in tables; unique in a comparison.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// What to preload; nothing for the C library.
    pub path: Option<PathBuf>,
}

/// What a word names, whatever its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The C library's own malloc.
    Glibc,
    /// A library, and the label that the user gave it.
    File(String, PathBuf),
    /// A variant: its name, and its config, which is gone where only a library is left of it.
    Variant(String, Option<PathBuf>),
    /// A peer, installed or not.
    Peer(&'static Peer),
}

impl Named {
    /// Finds what a word names.
    ///
    /// # Errors
    ///
    /// If it names nothing, with the word that was probably meant.
    pub fn find(place: &Place, word: &str) -> Result<Self> {
        if word == "glibc" || word == "libc" {
            return Ok(Self::Glibc);
        }
        let labelled = word.split_once('=').filter(|(label, _)| !label.contains('/'));
        if let Some((label, path)) = labelled {
            if path.is_empty() {
                return Err(Error::bad_input(format!("`{word}` names no file: label=path")));
            }
            return Ok(Self::File(label.to_owned(), library(path)?));
        }
        if word.ends_with(".toml") {
            let path = config(place, word)?;
            file::check(&path).map_err(|why| Error::bad_input(format!("cannot read {word}: {why}")))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self::Variant(name, Some(path)));
        }
        if is_path(word) {
            let path = library(word)?;
            let label = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self::File(label, path));
        }
        if let Some((name, path)) = listed(place, word) {
            return Ok(Self::Variant(name, Some(path)));
        }
        if place.library(word).is_file() {
            return Ok(Self::Variant(word.to_owned(), None));
        }
        if let Some(peer) = peers::named(word) {
            return Ok(Self::Peer(peer));
        }
        no_preset(word)?;
        let names = place.config_names();
        let known = names
            .iter()
            .map(String::as_str)
            .chain(PEERS.iter().map(|peer| peer.name));
        let unknown = Error::bad_input(format!("`{word}` is no config, no known malloc and no path"));
        Err(unknown.guess(word, known.chain(["glibc"])))
    }
}

impl Allocator {
    /// The C library's own malloc.
    pub fn glibc() -> Self {
        Self {
            label: "glibc".into(),
            kind: Kind::Glibc,
            path: None,
        }
    }

    /// A library by its file.
    pub fn file(label: impl Into<String>, path: PathBuf) -> Self {
        Self {
            label: label.into(),
            kind: Kind::File,
            path: Some(path),
        }
    }

    /// A malloc by what the user wrote. A variant must be what its config and the sources say now; a path is taken as it
    /// is.
    ///
    /// # Errors
    ///
    /// If it is unknown, not there, not up to date, or lies where the dynamic linker cannot be told of it.
    pub fn find(place: &Place, word: &str) -> Result<Self> {
        let (label, kind, path) = match Named::find(place, word)? {
            Named::Glibc => return Ok(Self::glibc()),
            Named::File(label, path) => (label, Kind::File, path),
            Named::Variant(name, config) => {
                let path = current::demand(place, word, &name, config.as_deref())?;
                (name, Kind::Variant, path)
            }
            Named::Peer(peer) => (peer.name.to_owned(), Kind::Peer, peer.find()?),
        };
        if path.to_string_lossy().contains([' ', ':']) {
            return Err(Error::unfit(format!("{} cannot be preloaded", path.display()))
                .help("LD_PRELOAD takes blanks and colons for separators: move the library to a path without"));
        }
        Ok(Self {
            label,
            kind,
            path: Some(path),
        })
    }

    /// Those that words name, in their order.
    ///
    /// # Errors
    ///
    /// That of the first word that has one.
    pub fn find_all(place: &Place, words: &[String]) -> Result<Vec<Self>> {
        words.iter().map(|word| Self::find(place, word)).collect()
    }
}

/// Whether a word is a path, and not a name.
fn is_path(word: &str) -> bool {
    word.contains('/') || word.ends_with(".so") || word.contains(".so.") || word.ends_with(".toml")
}

/// A file that a user gives for a library. What is none is left out by the dynamic linker, and the program runs on the C
/// library's malloc.
fn library(given: &str) -> Result<PathBuf> {
    let path = file::real(given)?;
    Library::read(&path)?;
    Ok(path)
}

/// The config that a word means: a path, the name of a file in `configs/`, or a preset, which [`hz3_config::load`] takes as
/// `hz3:NAME`.
///
/// # Errors
///
/// If there is none, with the one that was probably meant.
pub fn config(place: &Place, given: &str) -> Result<PathBuf> {
    if given.contains('/') || given.ends_with(".toml") {
        return file::real(given).map_err(|failure| match meant(place, given) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure,
        });
    }
    // If it is no file, whoever reads it says what it is.
    if let Some((_, path)) = listed(place, given) {
        return Ok(path);
    }
    no_preset(given)?;
    let (unknown, names) = match place.is_project() {
        true => (
            format!("no config named `{given}` in {}", place.shown(&place.configs())),
            place.config_names(),
        ),
        false => (
            format!("no preset named `{given}`, and there is no project of hz3 here"),
            preset::names().map(str::to_owned).collect(),
        ),
    };
    Err(Error::bad_input(unknown).guess(given, names.iter().map(String::as_str)))
}

/// Refuses `hz3:NAME`, which [`listed`] did not find, with the preset that was probably meant.
fn no_preset(word: &str) -> Result<()> {
    match preset::named(Path::new(word)) {
        Some(name) => Err(Error::bad_input(format!("there is no preset `{name}`")).help(preset::help(name))),
        None => Ok(()),
    }
}

/// Name and path of a config that a word without a path names: one of the project, or a preset, `hz3:NAME`.
fn listed(place: &Place, word: &str) -> Option<(String, PathBuf)> {
    let own = place.config_file(word);
    if place.is_project() && own.exists() {
        return Some((word.to_owned(), own));
    }
    let name = preset::named(Path::new(word)).unwrap_or(word);
    preset::text(name).map(|_| (name.to_owned(), preset::path(name).into()))
}

/// The config that a path means which leads nowhere: one of its folder, or one of `configs/` by its name.
fn meant(place: &Place, given: &str) -> Option<String> {
    let nearest = |word: &str, names: &[String]| {
        hz3_config::suggest::nearest(word, names.iter().map(String::as_str)).map(str::to_owned)
    };
    let path = Path::new(given);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let siblings = stems(folder.unwrap_or(Path::new(".")), "toml");
    let stem = path.file_stem()?.to_str()?;
    let sibling = nearest(stem, &siblings).map(|name| path.with_file_name(name + ".toml").display().to_string());
    sibling.or_else(|| nearest(stem, &place.config_names()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn project() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("configs")).unwrap();
        for name in ["mine", "mimalloc"] {
            let text = format!("name = \"{name}\"\ndescription = \"d\"\n");
            std::fs::write(folder.path().join(format!("configs/{name}.toml")), text).unwrap();
        }
        let place = Place::at(folder.path().to_owned()).unwrap();
        (folder, place)
    }

    #[test]
    fn words_stand_for_one_thing_each() {
        let (folder, place) = project();
        let find = |word: &str| Named::find(&place, word);
        assert_eq!(find("glibc").unwrap(), Named::Glibc);
        let variant = |name: &str| Named::Variant(name.into(), Some(place.config_file(name)));
        assert_eq!(find("mine").unwrap(), variant("mine"));
        // A config of the project comes before a peer of its name.
        assert_eq!(find("mimalloc").unwrap(), variant("mimalloc"));
        assert!(matches!(find("tcmalloc").unwrap(), Named::Peer(peer) if peer.name == "tcmalloc"));
        let own = std::env::current_exe().unwrap().canonicalize().unwrap();
        let given = own.to_str().unwrap();
        assert_eq!(
            find(&format!("me={given}")).unwrap(),
            Named::File("me".into(), own.clone())
        );
        assert!(matches!(find(given).unwrap(), Named::File(_, path) if path == own));
        for word in ["compact", "hz3:compact"] {
            let preset = Named::Variant("compact".into(), Some("hz3:compact".into()));
            assert_eq!(find(word).unwrap(), preset);
        }
        let file = folder.path().join("other.toml");
        std::fs::write(&file, "name = \"other\"\n").unwrap();
        let file = file.canonicalize().unwrap();
        assert_eq!(
            find(file.to_str().unwrap()).unwrap(),
            Named::Variant("other".into(), Some(file))
        );
        for (word, message, help) in [
            (
                "minee",
                "`minee` is no config, no known malloc and no path",
                Some("did you mean `mine`?"),
            ),
            (
                "hz3:compcat",
                "there is no preset `compcat`",
                Some("did you mean \"hz3:compact\"?"),
            ),
            ("./missing.so", "cannot read ./missing.so: no such file", None),
            ("missing.toml", "cannot read missing.toml: no such file", None),
            ("label=", "`label=` names no file: label=path", None),
        ] {
            let error = find(word).unwrap_err();
            assert_eq!(error.code, Code::BadInput, "{word}");
            assert_eq!((error.message.as_str(), error.help.as_deref()), (message, help));
        }
    }
}
