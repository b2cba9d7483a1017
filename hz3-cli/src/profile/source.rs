//! What a command is given as a profile: a process, a profile's file, or a recording.

use super::process;
use hz3_lab::profile::{Moment, Nameless, Profile};
use hz3_lab::trace::{Trace, is_recording, unpack};
use hz3_project::{Error, Place, Result, file, place::stems};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A profile, and where it came from.
#[derive(Debug)]
pub struct Source {
    /// For people.
    pub name: String,
    /// The profile.
    pub profile: Profile,
    /// The recording, if it came from one: then it can be had of other moments, too.
    pub trace: Option<Trace>,
    /// Files without names of functions.
    pub nameless: Vec<Nameless>,
}

/// How a process is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Which of several variants.
    pub variant: Option<&'a str>,
    /// How long is waited.
    pub patience: Duration,
}

/// Reads a file: a profile or a recording, whose profile is that of `moment`. Recordings in hz3-lab/traces are known by their
/// names.
pub fn read(place: &Place, word: &str, moment: Moment) -> Result<Source> {
    let path = Path::new(word);
    let folder = place.root.join("hz3-lab/traces");
    let shipped = folder.join(format!("{word}.hz3t"));
    let path = match (path.exists(), shipped.is_file()) {
        (true, _) => path,
        (false, true) => &shipped,
        (false, false) => {
            let unknown = Error::bad_input(format!(
                "no profile `{word}`, neither a file nor a recording of hz3-lab/traces"
            ));
            return Err(unknown.guess(word, stems(&folder, "hz3t").iter().map(String::as_str)));
        }
    };
    let data = file::read(path, file::DATA)?;
    let broken = |e: Error| Error::bad_input(format!("{word}: {}", e.message));
    if is_recording(&data) {
        let trace = unpack(&data).map_err(broken)?;
        return Ok(Source {
            name: word.to_owned(),
            profile: Profile::of_trace(&trace, moment),
            trace: Some(trace),
            nameless: Vec::new(),
        });
    }
    let mut profile = Profile::read(&data).map_err(broken)?;
    let nameless = profile.find_names(&[PathBuf::from("/")]);
    Ok(Source {
        name: word.to_owned(),
        profile,
        trace: None,
        nameless,
    })
}

/// The same, or the profile of the process with this number.
pub fn open(place: &Place, word: &str, moment: Moment, asking: Asking<'_>) -> Result<Source> {
    match word.parse::<u32>() {
        Ok(pid) if pid > 0 => ask(pid, asking),
        _ => read(place, word, moment),
    }
}

fn ask(pid: u32, asking: Asking<'_>) -> Result<Source> {
    let (path, data) = process::dump(pid, asking.variant, asking.patience)?;
    let mut profile = Profile::read(&data).map_err(|e| {
        Error::failed(format!("process {pid} has written {}: {}", path.display(), e.message))
            .help("it was built by another hz3, or something else writes there")
    })?;
    if profile.command.is_empty() {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = words.strip_suffix(b"\0").unwrap_or(&words);
        profile.command = String::from_utf8_lossy(words).replace(char::is_control, " ");
    }
    let roots = [PathBuf::from(format!("/proc/{pid}/root")), PathBuf::from("/")];
    let nameless = profile.find_names(&roots);
    Ok(Source {
        name: format!("process {pid}"),
        profile,
        trace: None,
        nameless,
    })
}
