//! Puts pieces into a prefix as a whole or not at all, and takes them out.
//!
//! Everything is first written into a folder of the prefix, so that a full disk or a wrong permission is met before anything is
//! seen. Then each piece takes its name in one step; a program that runs on an older library keeps the file that it has mapped. If
//! a step fails, those before it are undone.

use super::manifest::{self, Manifest};
use super::{Content, Piece};
use hz3_project::{Error, OnPath, Outcome};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Puts the pieces of `variant` into the prefix that lies at `root`, in the place of what is there of it.
pub fn install(root: &Path, variant: &str, pieces: &[Piece]) -> Outcome {
    let before = Manifest::read(root, variant)?.unwrap_or_default();
    let others = manifest::of_others(root, variant)?;
    for piece in pieces {
        refuse_strange(root, piece, &before, &others)?;
    }
    let mut made = Vec::new();
    let outcome = swap(root, variant, pieces, &before, &others, &mut made);
    if outcome.is_err() {
        for folder in made.iter().rev() {
            let _ = fs::remove_dir(root.join(folder));
        }
    }
    outcome
}

/// What hz3 did not put there is not written over.
fn refuse_strange(root: &Path, piece: &Piece, before: &Manifest, others: &Manifest) -> Outcome {
    let path = root.join(&piece.path);
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    let ours = before.files.contains(&piece.path) || others.files.contains(&piece.path);
    let same = match &piece.content {
        Content::File(bytes) => metadata.is_file() && fs::read(&path).is_ok_and(|found| found == *bytes),
        Content::Link(target) => fs::read_link(&path).is_ok_and(|found| found == Path::new(target)),
    };
    if metadata.is_dir() || !(ours || same) {
        return Err(Error::failed(format!(
            "{} is there already, and hz3 did not install it",
            path.display()
        ))
        .help("remove it, or choose another --prefix"));
    }
    Ok(())
}

/// Removes what an `install` of the variant has left that was killed on its way.
fn sweep(root: &Path, variant: &str) {
    let ours = format!(".hz3-{variant}-");
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(&ours)?.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn swap(
    root: &Path,
    variant: &str,
    pieces: &[Piece],
    before: &Manifest,
    others: &Manifest,
    made: &mut Vec<PathBuf>,
) -> Outcome {
    folders(root, Path::new(""), made)?;
    sweep(root, variant);
    // The folder in which everything is made ready; it goes whatever happens.
    let name = format!(".hz3-{variant}-{}", std::process::id());
    let stage = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(root);
    let stage = stage.on("create", &root.join(&name))?;
    let fresh = |number: usize| stage.path().join(number.to_string());
    let old = |number: usize| stage.path().join(format!("{number}.old"));
    for (number, piece) in pieces.iter().enumerate() {
        prepare(&fresh(number), &piece.content)?;
    }

    let list = manifest::path(variant);
    for path in pieces.iter().map(|piece| piece.path.as_path()).chain([list.as_path()]) {
        folders(root, path.parent().unwrap_or(Path::new("")), made)?;
    }
    let files: BTreeSet<PathBuf> = pieces.iter().map(|piece| piece.path.clone()).collect();
    let ours = |folder: &PathBuf| others.folders.contains(folder) || before.folders.contains(folder);
    let parents = files
        .iter()
        .chain([&list])
        .flat_map(|file| file.ancestors().skip(1))
        .map(Path::to_path_buf);
    let after = Manifest {
        folders: made
            .iter()
            .cloned()
            .chain(parents.filter(ours))
            .filter(|f| !f.as_os_str().is_empty())
            .collect(),
        files,
    };
    let both = Manifest {
        files: after.files.union(&before.files).cloned().collect(),
        folders: after.folders.union(&before.folders).cloned().collect(),
    };
    let was_listed = root.join(&list).exists();
    both.write(root, variant)?;

    let mut done = 0;
    let outcome = pieces.iter().enumerate().try_for_each(|(number, piece)| {
        let path = root.join(&piece.path);
        if path.symlink_metadata().is_ok() {
            fs::hard_link(&path, old(number)).on("keep", &path)?;
        }
        fs::rename(fresh(number), &path).on("write", &path)?;
        done = number + 1;
        Ok(())
    });
    if let Err(failure) = outcome {
        for number in (0..done).rev() {
            let path = root.join(&pieces[number].path);
            // If there was none before, there is none after.
            if fs::rename(old(number), &path).is_err() {
                let _ = fs::remove_file(&path);
            }
        }
        let _ = if was_listed {
            before.write(root, variant)
        } else {
            manifest::remove(root, variant)
        };
        return Err(failure);
    }
    for stale in before
        .files
        .difference(&after.files)
        .filter(|file| !others.files.contains(*file))
    {
        let _ = fs::remove_file(root.join(stale));
    }
    after.write(root, variant)
}

/// Writes what will be a piece.
fn prepare(path: &Path, content: &Content) -> Outcome {
    match content {
        Content::Link(target) => symlink(target, path).on("write", path),
        Content::File(bytes) => {
            let mut options = fs::OpenOptions::new();
            let written = options
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(path)
                .and_then(|mut file| {
                    // Whoever installs may have told the system to keep new files private.
                    file.set_permissions(fs::Permissions::from_mode(0o644))?;
                    file.write_all(bytes)?;
                    file.sync_all()
                });
            written.on("write", path)
        }
    }
}

/// Makes a folder of the prefix and those above it, down from the prefix, and remembers which were not there.
fn folders(root: &Path, folder: &Path, made: &mut Vec<PathBuf>) -> Outcome {
    if folder.as_os_str().is_empty() {
        return fs::create_dir_all(root).on("create", root);
    }
    let mut missing: Vec<&Path> = folder.ancestors().take_while(|f| !root.join(f).exists()).collect();
    missing.reverse();
    for folder in missing {
        let path = root.join(folder);
        fs::create_dir(&path).on("create", &path)?;
        made.push(folder.to_owned());
    }
    Ok(())
}

/// Takes `variant` out of the prefix that lies at `root`, and returns what was removed. What other variants share stays.
pub fn uninstall(root: &Path, variant: &str) -> Result<Vec<PathBuf>, Error> {
    let Some(manifest) = Manifest::read(root, variant)? else {
        let there = manifest::variants(root);
        return Err(
            Error::bad_input(format!("`{variant}` is not installed in {}", root.display()))
                .guess(variant, there.iter().map(String::as_str)),
        );
    };
    let others = manifest::of_others(root, variant)?;
    sweep(root, variant);
    let mut removed = Vec::new();
    // What leads to a file goes before the file.
    for file in manifest
        .files
        .difference(&others.files)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let path = root.join(file);
        match fs::remove_file(&path) {
            Ok(()) => removed.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).on("remove", &path),
        }
    }
    manifest::remove(root, variant)?;
    for folder in manifest.folders.iter().rev() {
        // It stays if somebody else has put something there.
        let _ = fs::remove_dir(root.join(folder));
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(path: &str, text: &str) -> Piece {
        Piece {
            path: PathBuf::from(path),
            content: Content::File(text.as_bytes().to_vec()),
        }
    }

    fn link(path: &str, to: &str) -> Piece {
        Piece {
            path: PathBuf::from(path),
            content: Content::Link(to.to_owned()),
        }
    }

    /// All that lies below a folder, with what it holds.
    fn tree(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                let shown = path.strip_prefix(root).expect("below").display().to_string();
                if path.is_symlink() {
                    found.push(format!(
                        "{shown} -> {}",
                        fs::read_link(&path).expect("a link").display()
                    ));
                } else if path.is_dir() {
                    folders.push(path);
                    found.push(format!("{shown}/"));
                } else {
                    found.push(format!("{shown}: {}", fs::read_to_string(&path).expect("a file")));
                }
            }
        }
        found.retain(|line| !line.starts_with("share/hz3/"));
        found.sort();
        found
    }

    #[test]
    fn what_is_installed_goes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("usr");
        fs::create_dir_all(root.join("include")).expect("a folder");
        let one = [
            piece("lib/one.so.0", "1"),
            link("lib/one.so", "one.so.0"),
            piece("include/h.h", "h"),
        ];
        let two = [piece("lib/two.so", "2"), piece("include/h.h", "h")];
        install(&root, "one", &one).expect("installed");
        install(&root, "two", &two).expect("installed");
        let all = [
            "include/",
            "include/h.h: h",
            "lib/",
            "lib/one.so -> one.so.0",
            "lib/one.so.0: 1",
            "lib/two.so: 2",
        ];
        let shared = |line: &String| !line.starts_with("share");
        assert_eq!(tree(&root).into_iter().filter(shared).collect::<Vec<_>>(), all);
        // A newer one takes the place of the old one, and what is no longer part of it goes.
        install(
            &root,
            "one",
            &[piece("lib/one.so.1", "11"), link("lib/one.so", "one.so.1")],
        )
        .expect("installed");
        let all = [
            "include/",
            "include/h.h: h",
            "lib/",
            "lib/one.so -> one.so.1",
            "lib/one.so.1: 11",
            "lib/two.so: 2",
        ];
        assert_eq!(tree(&root).into_iter().filter(shared).collect::<Vec<_>>(), all);
        assert_eq!(manifest::variants(&root), ["one", "two"]);
        assert_eq!(uninstall(&root, "one").expect("removed").len(), 2);
        assert_eq!(uninstall(&root, "two").expect("removed").len(), 2);
        assert_eq!(tree(&root), ["include/"], "only what was there before");
        let failure = uninstall(&root, "one").expect_err("it is gone");
        assert!(failure.message.contains("is not installed"), "{failure}");
    }

    #[test]
    fn what_fails_on_the_way_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("usr");
        // A name that no file system takes: the last step fails.
        let long = format!("lib/{}", "x".repeat(300));
        install(&root, "one", &[piece("lib/one", "1"), piece(&long, "2")]).expect_err("too long");
        assert_eq!(tree(&root), Vec::<String>::new());
        install(&root, "one", &[piece("lib/one", "1")]).expect("installed");
        let before = tree(&root);
        install(
            &root,
            "one",
            &[piece("lib/one", "2"), piece("lib/new/two", "2"), piece(&long, "2")],
        )
        .expect_err("too long");
        assert_eq!(tree(&root), before);
        assert_eq!(uninstall(&root, "one").expect("it is still known").len(), 1);
        assert_eq!(tree(&root), Vec::<String>::new());
    }

    #[test]
    fn what_was_left_by_one_that_was_killed_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("a folder");
            path
        };
        // No process has a number that large, and the first always runs.
        let (dead, alive, other) = (
            left(".hz3-one-4194305"),
            left(".hz3-one-1"),
            left(".hz3-one-two-4194305"),
        );
        install(folder.path(), "one", &[piece("a", "1")]).expect("installed");
        assert!(!dead.exists() && alive.exists() && other.exists());
    }

    #[test]
    fn what_others_put_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir(root.join("lib")).expect("a folder");
        fs::write(root.join("lib/h"), "theirs").expect("a file");
        let before = tree(root);
        let failure = install(root, "one", &[piece("lib/a", "a"), piece("lib/h", "ours")]).expect_err("theirs");
        assert!(failure.message.contains("hz3 did not install it"), "{failure}");
        assert_eq!(tree(root), before);
        install(root, "one", &[piece("lib/h", "theirs")]).expect("the same bytes do no harm");
    }
}
