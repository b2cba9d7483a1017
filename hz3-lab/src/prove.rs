//! The proof that a preloaded library is the one whose malloc runs. An inert library measures exactly like the C
//! library, and the loader says nothing: no proof, no number. The same question tells a peer's version.

use crate::{child, clients::Clients, clients::client, ending, rows::Job};
use hz3_project::clients::Client;
use hz3_project::library::abi;
use hz3_project::{Allocator, Error, Result, bindings, file, program as programs};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

/// Proves it for one job, or says why not.
pub fn prove(clients: &Clients, job: &Job, library: &Allocator) -> Result<()> {
    if job.client.is_some() {
        program(Path::new(&job.command[0]), &job.name, &job.environment, library)
    } else {
        by_loader(clients, job, library)
    }
}

/// The version that a library says of itself, as the client finds it: mimalloc, jemalloc, gperftools and the C library have
/// a function for that. Empty if it says nothing, or does not run: then the rows will tell why.
pub fn version(clients: &Clients, library: &Allocator) -> String {
    let asked = clients.program(&ASKED).and_then(|client| {
        let client = client.display().to_string();
        ask(&client, &client, &[], library)
    });
    let answers = asked.unwrap_or_default();
    let version = answers.get("version").and_then(|v| v.as_str());
    version.unwrap_or_default().to_owned()
}

/// The client that is asked for a version.
const ASKED: Client<'static> = client!("random");

/// What a client finds out about the malloc family of its process.
fn ask(
    client: &str,
    row: &str,
    environment: &[(String, String)],
    library: &Allocator,
) -> Result<BTreeMap<String, serde_json::Value>> {
    let mut command = programs::clean(client);
    command.envs(environment.iter().map(|(k, v)| (k, v)));
    if let Some(path) = &library.path {
        command.env("LD_PRELOAD", path);
    }
    let out = command
        .arg("--prove")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Error::unfit(format!("{client}: {e}")))?;
    let text = String::from_utf8_lossy(&out.stdout);
    serde_json::from_str(text.trim()).map_err(|_| {
        Error::failed(format!(
            "{row} does not run under {}: {}",
            library.label,
            ending::of(out.status, &out.stderr)
        ))
    })
}

/// A client itself looks up where each function comes from. `name` is what the user knows it by.
pub fn program(client: &Path, name: &str, environment: &[(String, String)], library: &Allocator) -> Result<()> {
    let client = client.display().to_string();
    let found = ask(&client, name, environment, library)?;
    for name in abi::CORE {
        let from = found.get(*name).and_then(|v| v.as_str()).unwrap_or("");
        let right = match &library.path {
            Some(path) => file::same(Path::new(from), path),
            None => bindings::is_libc(from),
        };
        if !right {
            return Err(Error::failed(format!(
                "not proven: {name} comes from {}, not from {}. Try: cargo hz3 doctor {} -- {}",
                if from.is_empty() { "nowhere" } else { from },
                library
                    .path
                    .as_ref()
                    .map_or("the C library".into(), |p| p.display().to_string()),
                library.label,
                client
            )));
        }
    }
    Ok(())
}

/// The loader's own log of what was bound, for a command that cannot be asked.
fn by_loader(clients: &Clients, job: &Job, library: &Allocator) -> Result<()> {
    let libc = hz3_project::peers::libc_file();
    let Some(path) = library.path.as_ref().or(libc.as_ref()) else {
        return Ok(());
    };
    let folder = child::scratch(clients, "bindings")?;
    let mut command = programs::clean(&job.command[0]);
    command
        .args(&job.command[1..])
        .envs(job.environment.iter().map(|(k, v)| (k, v)))
        .env("LD_DEBUG", "bindings")
        .env("LD_DEBUG_OUTPUT", folder.path().join("record"));
    if job.script {
        command.env("HZ3_PRELOAD", path).env("HZ3_PROVE", "1");
    } else if let Some(path) = &library.path {
        command.env("LD_PRELOAD", path);
    }
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if status.is_ok() && bound(folder.path(), path) {
        return Ok(());
    }
    Err(Error::failed(format!(
        "not proven: no process of `{}` bound its malloc to {}. It may be static, setuid, or bring its own allocator. Try: cargo hz3 doctor {} -- {}",
        job.command.join(" "),
        path.display(),
        library.label,
        job.command.join(" ")
    )))
}

/// Whether some process bound `malloc` or a sibling to the library.
fn bound(folder: &Path, library: &Path) -> bool {
    bindings::records(folder, Some(library))
        .iter()
        .flat_map(|image| image.bound.values().flatten())
        .any(|(_, to)| file::same(Path::new(to), library))
}
