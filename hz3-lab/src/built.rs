//! Whether the library of a variant is what its config and the sources say now. Every command that takes a variant by its
//! name asks here, so that all of them answer the same.

use crate::{Error, Result, place::Place};
use hz3_config::suggest;
use std::path::PathBuf;

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

/// The state of the variant `name`.
pub fn state(place: &Place, name: &str) -> Result<State> {
    let path = place.library(name);
    if !path.is_file() {
        return Ok(State::Missing);
    }
    match crate::identity::Identity::of(&path)?.note {
        Some(note) => of_note(place, &note.name, &note.code_hash, &note.sources),
        None => Err(Error::input(format!(
            "{} is no variant of hz3: cargo hz3 build {name}",
            place.shown(&path)
        ))),
    }
}

/// The hash that the sources of hz3 have now.
pub fn sources(place: &Place) -> Result<String> {
    hz3_config::sources::hash(&place.root)
        .map(|hash| hash.to_string())
        .map_err(|e| {
            Error::unfit(format!(
                "the sources of hz3 in {} cannot be read: {e}",
                place.root.display()
            ))
        })
}

/// The state of a library whose note says this.
pub fn of_note(place: &Place, name: &str, code_hash: &str, from: &str) -> Result<State> {
    let config = place.configs().join(format!("{name}.toml"));
    if !config.is_file() {
        return Ok(State::Gone);
    }
    match hz3_config::load(&config) {
        Err(_) => return Ok(State::Broken(config)),
        Ok(plan) if plan.code_hash.to_string() != code_hash => return Ok(State::Config(config)),
        Ok(_) => {}
    }
    Ok(if sources(place)? == from {
        State::Current
    } else {
        State::Sources
    })
}

/// The library of the variant `name`, if it is what the project says now. What cannot be told apart from that, because
/// its config is gone, counts.
pub fn demand(place: &Place, name: &str) -> Result<PathBuf> {
    let command = |verb: &str| suggest::command(["cargo", "hz3", verb, name]);
    let why = match state(place, name)? {
        State::Current | State::Gone => return Ok(place.library(name)),
        State::Missing => format!("variant `{name}` is not built"),
        State::Config(path) => format!(
            "{} was changed since the library of `{name}` was built",
            place.shown(&path)
        ),
        State::Sources => format!("the sources of hz3 were changed since the library of `{name}` was built"),
        State::Broken(path) => {
            return Err(Error::input(format!(
                "{} has errors now, and the library of `{name}` is from before",
                place.shown(&path)
            ))
            .help(command("check")));
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
    use crate::identity::Note;

    /// A project of one config and one source, and what a library built from it says of itself.
    fn project(name: &str) -> (Place, Note) {
        let root = std::env::temp_dir().join(format!("hz3-built-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("configs")).unwrap();
        std::fs::create_dir_all(root.join("hz3-core/src")).unwrap();
        std::fs::write(root.join("hz3-core/src/lib.rs"), "// a source\n").unwrap();
        let place = Place { root };
        write(&place, "");
        let plan = hz3_config::load(&place.configs().join("x.toml")).unwrap();
        let note = Note {
            name: "x".into(),
            hash: plan.hash.to_string(),
            code_hash: plan.code_hash.to_string(),
            sources: hz3_config::sources::hash(&place.root).unwrap().to_string(),
            ..Note::default()
        };
        (place, note)
    }

    fn write(place: &Place, rest: &str) {
        let text = format!("name = \"x\"\ndescription = \"d\"\n{rest}");
        std::fs::write(place.configs().join("x.toml"), text).unwrap();
    }

    #[test]
    fn a_library_is_current_until_its_config_or_a_source_changes() {
        let (place, note) = project("state");
        let now = || of_note(&place, &note.name, &note.code_hash, &note.sources).unwrap();
        let config = place.configs().join("x.toml");
        assert_eq!(now(), State::Current);
        write(&place, "hypothesis = \"h\"\n# prose reaches no code\n");
        assert_eq!(now(), State::Current);
        write(&place, "[cache]\nmagazines = 1\n");
        assert_eq!(now(), State::Config(config.clone()));
        write(&place, "nonsense = 1\n");
        assert_eq!(now(), State::Broken(config.clone()));
        write(&place, "");
        std::fs::write(place.root.join("hz3-core/src/lib.rs"), "// another\n").unwrap();
        assert_eq!(now(), State::Sources);
        std::fs::remove_file(config).unwrap();
        assert_eq!(now(), State::Gone);
        std::fs::remove_dir_all(&place.root).unwrap();
    }

    #[test]
    fn what_is_not_built_is_refused_with_the_command_that_helps() {
        let (place, _) = project("missing");
        let e = demand(&place, "x").unwrap_err();
        assert_eq!(
            (e.message.as_str(), e.fault, e.help.as_deref()),
            (
                "variant `x` is not built",
                crate::Fault::Failed,
                Some("cargo hz3 build x, or --build here; the path of a library is taken as it is")
            )
        );
        std::fs::remove_dir_all(&place.root).unwrap();
    }
}
