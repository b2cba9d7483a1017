//! Who is compared: files that stay as they are, none twice, and what the record keeps of them.

use crate::{
    Error, Result,
    clients::Clients,
    identity::Identity,
    place::Library,
    record::{Cell, Contender, RowRecord},
    rows::Job,
};
use std::path::PathBuf;

/// Copies of all contenders' files, removed at the end. A library that is built anew while it is being measured would
/// change under the comparison, or crash what has mapped it.
pub(super) struct Snapshot {
    folder: PathBuf,
}

impl Snapshot {
    /// Copies the files and points the contenders at the copies.
    pub(super) fn of(clients: &Clients, contenders: &mut [Library]) -> Result<Self> {
        let folder = crate::child::scratch(clients, "libraries");
        let snapshot = Self { folder };
        for library in contenders {
            let Some(path) = &library.path else { continue };
            let broken = |e: std::io::Error| Error::unfit(format!("{}: {e}", path.display()));
            let own = snapshot.folder.join(library.label.replace('/', "_"));
            std::fs::create_dir_all(&own).map_err(broken)?;
            let copy = own.join(path.file_name().unwrap_or_default());
            std::fs::copy(path, &copy).map_err(broken)?;
            library.path = Some(copy);
        }
        Ok(snapshot)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Reads every contender's file; refuses two that are the same allocator.
pub(super) fn identities(contenders: &[Library]) -> Result<Vec<(String, Identity)>> {
    let mut all: Vec<(String, Identity)> = Vec::new();
    for (i, library) in contenders.iter().enumerate() {
        if contenders[..i].iter().any(|o| o.label == library.label) {
            return Err(Error::input(format!(
                "'{}' is named twice; give one of them another label: label=path",
                library.label
            )));
        }
        let Some(path) = &library.path else { continue };
        let identity = Identity::of(path)?;
        if let Some((twin, _)) = all.iter().find(|(_, o)| o.same_allocator(&identity)) {
            return Err(Error::input(format!(
                "{twin} and {} are the same allocator: equal tables, equal code. Whatever a comparison showed would be noise. Look at: cargo hz3 diff {twin} {}",
                library.label, library.label
            )));
        }
        all.push((library.label.clone(), identity));
    }
    Ok(all)
}

/// What the record keeps of a contender.
pub(super) fn contender(library: &Library, identity: Option<&Identity>) -> Contender {
    let identity = identity.cloned().unwrap_or_default();
    let note = identity.note.unwrap_or_default();
    let file = library
        .path
        .as_ref()
        .and_then(|p| p.file_name())
        .map(|f| f.to_string_lossy().into_owned())
        .unwrap_or_default();
    Contender {
        label: library.label.clone(),
        kind: library.kind,
        file,
        bytes: identity.bytes,
        text: identity.text,
        data: identity.data,
        version: note.version,
        hash: note.hash,
        code_hash: note.code_hash,
        config: note.config,
        hot: library
            .path
            .as_ref()
            .and_then(|p| crate::disasm::hot_paths(p).ok())
            .unwrap_or_default(),
    }
}

/// A row without figures yet; paths of this machine are left out of its command.
pub(super) fn row_record(job: &Job, clients: &Clients, contenders: &[Library]) -> RowRecord {
    let mut command = job.command.clone();
    if let Some(first) = command.first_mut() {
        *first = first.rsplit('/').next().unwrap_or_default().to_string();
    }
    let folder = format!("{}/", clients.folder().display());
    for word in &mut command {
        *word = word.replace(&folder, "");
    }
    RowRecord {
        name: job.name.clone(),
        about: job.about.clone(),
        command,
        metric: job.metric,
        null: Vec::new(),
        floor: f64::INFINITY,
        looks: 0,
        empty: None,
        cells: contenders.iter().map(|l| Cell::new(&l.label)).collect(),
    }
}
