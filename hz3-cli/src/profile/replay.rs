//! What a recording variant sees of a recording that is run under it: the measure of its accuracy, as all is known.

use hz3_lab::clients::{Clients, REPLAY};
use hz3_lab::profile::{Moment, Profile, until};
use hz3_lab::trace::{Trace, flat};
use hz3_project::{Allocator, Error, Place, Result, file, program};

/// Runs a recording up to a moment under an allocator, and has that write its profile.
pub fn sampled(place: &Place, trace: &Trace, moment: Moment, library: &Allocator) -> Result<Profile> {
    let clients = Clients::of(place, |name| eprintln!("building the client {name}"))?;
    let client = clients.program(&REPLAY)?;
    let folder = tempfile::tempdir()?;
    let (prepared, written) = (folder.path().join("flat"), folder.path().join("profile.pb"));
    let mut part = trace.clone();
    part.truncate(until(trace, moment));
    file::write(&prepared, &flat(&part))?;
    let mut command = program::clean(&client);
    command.arg("--file").arg(&prepared);
    command.arg("--profile").arg(&written);
    if let Some(path) = library.path.as_deref() {
        command.env("LD_PRELOAD", path);
    }
    let ended = command
        .output()
        .map_err(|e| Error::unfit(format!("cannot start {}: {}", client.display(), file::reason(&e))))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().last().unwrap_or("it said nothing");
        return Err(Error::failed(format!("{} wrote no profile: {last}", library.label))
            .help("its config needs stats.record = \"sample\", \"sample-all\" or \"histogram\""));
    }
    let mut profile = Profile::read(&file::read(&written, file::DATA)?)?;
    profile.command = trace.command.clone();
    Ok(profile)
}
