//! `inspect`: which config made this library.

use crate::configs;
use crate::style;
use hz3_project::current::{self, State};
use hz3_project::library::{Library, Note, abi};
use hz3_project::name::Named;
use hz3_project::{Error, Outcome, Place, file};
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(clap::Args)]
#[command(
    after_help = "Exit code 1 means that this library cannot do its work: malloc, free, calloc or realloc is not
exported, or it is a variant whose exports are not what they should be."
)]
pub struct Arguments {
    /// A library, or the name of a variant that is built
    #[arg(value_name = "FILE|NAME")]
    library: String,
    /// Output; toml is the resolved config from the note
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output formats of `inspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// Everything, as JSON.
    Json,
    /// The resolved config that made the library.
    Toml,
}

/// How the library relates to the file of its name in `configs/`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Origin {
    /// That file gives this library.
    Current(PathBuf),
    /// That file was changed since.
    Changed(PathBuf),
    /// That file says the same, but hz3's sources were changed since.
    SourcesChanged(PathBuf),
    /// That file has errors.
    Broken(PathBuf),
    /// There is no such file.
    Gone,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    library: &'a Library,
    missing_exports: &'a [String],
    surplus_exports: &'a [String],
    variant: Option<&'a Note>,
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    others: &'a [Note],
    config: Option<&'a Origin>,
}

/// Runs `inspect`.
pub fn run(arguments: Arguments) -> Outcome {
    let place = Place::find()?;
    let path = path(&place, &arguments.library)?;
    let library = Library::read(&path)?;
    if arguments.format == Format::Toml {
        let note = library.note.as_ref().ok_or_else(|| no_note(&library))?;
        print!("{}", note.config);
        return Ok(());
    }
    let known = library.note.as_ref().filter(|note| note.is_of_library());
    let origin = known.map(|note| origin(&place, note)).transpose()?;
    let (missing, surplus) = faults(&library);
    if arguments.format == Format::Json {
        super::print_json(&Report {
            library: &library,
            missing_exports: &missing,
            surplus_exports: &surplus,
            variant: library.note.as_ref(),
            others: &library.others,
            config: origin.as_ref(),
        })?;
    } else {
        print(&place, &library, origin.as_ref(), &missing, &surplus);
    }
    Error::unless(missing.is_empty() && surplus.is_empty())
}

fn path(place: &Place, given: &str) -> Result<PathBuf, Error> {
    if std::path::Path::new(given).is_file() && !given.ends_with(".toml") {
        return file::real(given);
    }
    match Named::find(place, given)? {
        Named::File(_, path) => Ok(path),
        Named::Peer(peer) => peer.find(),
        // What it says of itself is asked for, so that it need not be up to date.
        Named::Variant(name, _) if place.library(&name).is_file() => Ok(place.library(&name)),
        Named::Variant(name, config) => current::demand(place, given, &name, config.as_deref()),
        Named::Glibc => {
            Err(Error::bad_input(format!("{given} is not a file of its own")).help("give the path of the library"))
        }
    }
}

fn no_note(library: &Library) -> Error {
    Error::bad_input(format!(
        "{} is no variant of hz3: it has no {} section",
        library.path.display(),
        hz3_config::emit::note::SECTION
    ))
}

/// A variant must have all and nothing else, and what has one in it need export nothing; any other library is asked for the
/// core only.
fn faults(library: &Library) -> (Vec<String>, Vec<String>) {
    if library.is_variant() {
        // Which of these there are its config says, which may be of another version.
        let tokens = library.exports.iter().filter(|name| name.starts_with("__alloc_token_"));
        return abi::faults(&library.exports, &tokens.cloned().collect::<Vec<_>>());
    }
    if library.note.is_some() {
        return (Vec::new(), Vec::new());
    }
    (
        abi::CORE
            .iter()
            .filter(|name| !library.exports.contains(**name))
            .map(|name| (*name).to_owned())
            .collect(),
        Vec::new(),
    )
}

fn origin(place: &Place, note: &Note) -> Result<Origin, Error> {
    let path = place.config_file(&note.name);
    Ok(match current::of_note(place, note, Some(&path))? {
        State::Current => Origin::Current(path),
        State::Sources => Origin::SourcesChanged(path),
        State::Config(path) => Origin::Changed(path),
        State::Broken(path) => Origin::Broken(path),
        State::Gone | State::Missing => Origin::Gone,
    })
}

fn print(place: &Place, library: &Library, origin: Option<&Origin>, missing: &[String], surplus: &[String]) {
    let mut lines = Vec::new();
    let mut line = |key: &'static str, value: String| lines.push((key, value));
    line("file", configs::shown(&library.path).display().to_string());
    for note in library.note.iter().chain(&library.others) {
        line("variant", note.name.clone());
        line("generator", format!("hz3 {}", note.version));
        line("config hash", note.hash.clone());
        line("code hash", note.code_hash.clone());
    }
    if library.note.is_none() {
        line("variant", "none: this library was not made by hz3".to_owned());
    }
    match origin {
        Some(Origin::Current(path)) => line("config", format!("{} gives this library", place.shown(path))),
        Some(Origin::Changed(path)) => line("config", format!("{} was changed since", place.shown(path))),
        Some(Origin::SourcesChanged(path)) => {
            line(
                "config",
                format!("{}, but the sources of hz3 were changed since", place.shown(path)),
            );
        }
        Some(Origin::Broken(path)) => line("config", format!("{} has errors now", place.shown(path))),
        Some(Origin::Gone) => line("config", "no file of this name in configs/".to_owned()),
        None => {}
    }
    line("soname", library.soname.clone().unwrap_or_else(|| "none".to_owned()));
    line(
        "size",
        format!(
            "{} B, of which code {} B and constants {} B",
            library.file_bytes, library.text_bytes, library.rodata_bytes
        ),
    );
    line(
        "thread-local storage",
        format!("{} B a thread, aligned to {} B", library.tls_bytes, library.tls_align),
    );
    line(
        "needs",
        if library.needed.is_empty() {
            "nothing".to_owned()
        } else {
            library.needed.join(" ")
        },
    );
    line("exports", format!("{} symbols", library.exports.len()));
    if !missing.is_empty() {
        line("missing", style::bad(&missing.join(" ")));
    }
    if !surplus.is_empty() {
        line("surplus", style::bad(&surplus.join(" ")));
    }
    style::print_fields(&lines);
}
