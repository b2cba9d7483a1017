//! Whether the library of a variant is what its config and the sources say now. Every command that takes a variant by its
//! name asks here, so that all of them answer the same.

use crate::library::{Library, Note};
use crate::sources::Sources;
use crate::{Error, Place, Result};
use hz3_config::{Plan, preset, suggest};
use std::path::{Path, PathBuf};

/// How the library of a variant stands to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is what a build would give now.
    Current,
    /// There is none.
    Missing,
    /// Its config, or a parent of it, says something else since it was built.
    Config(PathBuf),
    /// Its config has errors now.
    Broken(PathBuf),
    /// hz3's own sources were changed since it was built, or it does not say from which it was.
    Sources,
    /// There is no config of its name any more: nothing can be said.
    Gone,
}

/// The hash of what the library of this plan would be made of now.
///
/// # Errors
///
/// If the sources of a checkout cannot be read.
pub fn sources(place: &Place, plan: &Plan) -> Result<String> {
    Ok(Sources::of(place)?.hash(plan).to_string())
}

/// The state of the variant `name`, whose config is this.
///
/// # Errors
///
/// If its library cannot be read, or is none of hz3.
pub fn state(place: &Place, name: &str, config: Option<&Path>) -> Result<State> {
    let path = place.library(name);
    if !path.is_file() {
        return Ok(State::Missing);
    }
    match Library::read(&path)?.note {
        Some(note) => of_note(place, &note, config),
        None => Err(Error::bad_input(format!("{} is no variant of hz3", place.shown(&path)))
            .help(suggest::command(["cargo", "hz3", "build", name]))),
    }
}

/// The state of a library whose note says this, and whose config is this.
///
/// # Errors
///
/// If the sources cannot be read.
pub fn of_note(place: &Place, note: &Note, config: Option<&Path>) -> Result<State> {
    let Some(config) = config.filter(|path| preset::named(path).is_some() || path.is_file()) else {
        return Ok(State::Gone);
    };
    match hz3_config::load(config) {
        Err(_) => Ok(State::Broken(config.to_owned())),
        Ok(plan) if plan.code_hash.to_string() != note.code_hash => Ok(State::Config(config.to_owned())),
        Ok(plan) if sources(place, &plan)? == note.sources => Ok(State::Current),
        Ok(_) => Ok(State::Sources),
    }
}

/// The library of a plan, if there is one and this plan and the sources of now gave it.
///
/// # Errors
///
/// If it or the sources cannot be read.
pub fn library(place: &Place, plan: &Plan) -> Result<Option<PathBuf>> {
    let path = place.library(&plan.name);
    if !path.is_file() {
        return Ok(None);
    }
    let current = match Library::read(&path)?.note {
        Some(note) => note.code_hash == plan.code_hash.to_string() && note.sources == sources(place, plan)?,
        None => false,
    };
    Ok(current.then_some(path))
}

/// The library of the variant `name`, if it is what the project says now. What cannot be told apart from that, because
/// its config is gone, counts. `given` is what the user wrote.
///
/// # Errors
///
/// Why it is not, with the command that helps.
pub fn demand(place: &Place, given: &str, name: &str, config: Option<&Path>) -> Result<PathBuf> {
    let command = |verb: &str| suggest::command(["cargo", "hz3", verb, given]);
    let why = match state(place, name, config)? {
        State::Current | State::Gone => return Ok(place.library(name)),
        State::Missing => format!("variant `{name}` is not built"),
        State::Config(path) => format!(
            "{} was changed since the library of `{name}` was built",
            place.shown(&path)
        ),
        State::Sources => format!("the sources of hz3 were changed since the library of `{name}` was built"),
        State::Broken(path) => {
            let path = place.shown(&path);
            let what = format!("{path} has errors now, and the library of `{name}` is from before");
            return Err(Error::bad_input(what).help(command("check")));
        }
    };
    Err(Error::failed(why).help(format!(
        "{}, or --build here; the path of a library is taken as it is",
        command("build")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    /// A project of one config and one source, and what a library built from it says of itself.
    fn project() -> (tempfile::TempDir, Place, Note) {
        let folder = tempfile::tempdir().unwrap();
        for part in ["configs", "hz3-config", "hz3-core/src"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("hz3-core/src/lib.rs"), "// a source\n").unwrap();
        let place = Place::at(folder.path().to_owned()).unwrap();
        write(&place, "");
        let plan = hz3_config::load(&place.config_file("x")).unwrap();
        let note = Note {
            name: "x".into(),
            hash: plan.hash.to_string(),
            code_hash: plan.code_hash.to_string(),
            sources: sources(&place, &plan).unwrap(),
            ..Note::default()
        };
        (folder, place, note)
    }

    fn write(place: &Place, rest: &str) {
        let text = format!("name = \"x\"\ndescription = \"d\"\n{rest}");
        std::fs::write(place.config_file("x"), text).unwrap();
    }

    #[test]
    fn a_library_is_current_until_its_config_or_a_source_changes() {
        let (_folder, place, note) = project();
        let config = place.config_file("x");
        let now = || of_note(&place, &note, Some(&config)).unwrap();
        assert_eq!(now(), State::Current);
        write(&place, "hypothesis = \"h\"\n# prose reaches no code\n");
        assert_eq!(now(), State::Current);
        write(&place, "[cache]\nmagazines = 2\n");
        assert_eq!(now(), State::Config(config.clone()));
        write(&place, "nonsense = 1\n");
        assert_eq!(now(), State::Broken(config.clone()));
        write(&place, "");
        std::fs::write(place.root.join("hz3-core/src/lib.rs"), "// another\n").unwrap();
        assert_eq!(now(), State::Sources);
        std::fs::remove_file(&config).unwrap();
        assert_eq!(now(), State::Gone);
    }

    #[test]
    fn what_is_not_built_is_refused_with_the_command_that_helps() {
        let (_folder, place, _) = project();
        let e = demand(&place, "x", "x", Some(&place.config_file("x"))).unwrap_err();
        assert_eq!(
            (e.message.as_str(), e.code, e.help.as_deref()),
            (
                "variant `x` is not built",
                Code::Failed,
                Some("cargo hz3 build x, or --build here; the path of a library is taken as it is")
            )
        );
    }
}
