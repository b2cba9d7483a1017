//! Who is compared: files that stay as they are, none twice, and what the record keeps of them.

use crate::{
    clients::Clients,
    identity::Identity,
    record::{Cell, Claim, Contender, RowRecord},
    rows::Job,
};
use hz3_config::suggest;
use hz3_project::{Allocator, Error, Result, file};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Copies of all contenders' files, removed at the end. A library that is built anew while it is being measured would
/// change under the comparison, or crash what has mapped it.
pub(super) struct Snapshot {
    folder: TempDir,
    /// What each copy is, by label; nothing for the C library.
    pub(super) identities: Vec<(String, Identity)>,
}

impl Snapshot {
    /// Copies the files, points the contenders at the copies, and refuses two that are the same allocator. A file is read
    /// once: what the record says of it is what was measured.
    pub(super) fn of(clients: &Clients, contenders: &mut [Allocator]) -> Result<Self> {
        let mut snapshot = Self {
            folder: crate::child::scratch(clients, "libraries")?,
            identities: Vec::new(),
        };
        for i in 0..contenders.len() {
            let (before, rest) = contenders.split_at_mut(i);
            let library = &mut rest[0];
            if before.iter().any(|o| o.label == library.label) {
                return Err(Error::bad_input(format!(
                    "'{}' is named twice; give one of them another label: label=path",
                    library.label
                )));
            }
            let Some(path) = &library.path else { continue };
            let bytes = file::read(path, hz3_config::file::DATA)?;
            snapshot.add(&library.label, Identity::of_bytes(path, &bytes)?)?;
            // By its number: a label may have what LD_PRELOAD takes for a separator.
            let own = snapshot.folder.path().join(i.to_string());
            let copy = own.join(path.file_name().unwrap_or_default());
            std::fs::create_dir_all(&own)
                .and_then(|()| std::fs::write(&copy, &bytes))
                .map_err(|e| Error::unfit(format!("{}: {e}", copy.display())))?;
            library.path = Some(copy);
        }
        Ok(snapshot)
    }

    fn add(&mut self, label: &str, identity: Identity) -> Result<()> {
        if let Some((twin, _)) = self.identities.iter().find(|(_, o)| o.same_allocator(&identity)) {
            let message = format!(
                "{twin} and {label} are the same allocator: equal tables, equal code. Whatever a comparison showed would be noise"
            );
            let older = [twin, label].iter().any(|label| label.contains('@'));
            let error = Error::bad_input(message);
            return Err(match older {
                true => error,
                false => error.help(suggest::command(["cargo", "hz3", "diff", twin, label])),
            });
        }
        self.identities.push((label.to_owned(), identity));
        Ok(())
    }

    /// What the contender of this label is.
    pub(super) fn identity(&self, label: &str) -> Option<&Identity> {
        self.identities.iter().find(|(l, _)| l == label).map(|(_, i)| i)
    }
}

/// What the record keeps of a contender.
pub(crate) fn contender(
    clients: &Clients,
    library: &Allocator,
    identity: Option<&Identity>,
    claim: Option<Claim>,
) -> Contender {
    let identity = identity.cloned().unwrap_or_default();
    let version = match &identity.note {
        Some(note) => note.version.clone(),
        None => crate::prove::version(clients, library),
    };
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
        sha256: identity.sha256,
        version,
        sources: note.sources,
        hash: note.hash,
        code_hash: note.code_hash,
        config: note.config,
        claim,
        hot: library
            .path
            .as_ref()
            .and_then(|p| crate::disasm::hot_paths(p).ok())
            .unwrap_or_default(),
    }
}

/// A row without figures yet; paths of this machine are left out of its command.
pub(crate) fn row_record(job: &Job, clients: &Clients, contenders: &[Allocator]) -> RowRecord {
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
        null_rss_peak: Vec::new(),
        null_rss_end: Vec::new(),
        floor: f64::INFINITY,
        looks: 0,
        left_out: false,
        alone: Vec::new(),
        empty: None,
        point: job.point.clone(),
        missing: BTreeMap::new(),
        cells: contenders.iter().map(|l| Cell::new(&l.label)).collect(),
    }
}
