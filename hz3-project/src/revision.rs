//! A variant as it was at a commit: `NAME@REVISION`.
//!
//! It is built by the tools of that commit, as they were, in a work tree of its own below `target/hz3-commits`. What comes out
//! is kept there by commit and compiler, as neither a commit nor what a compiler makes of it ever changes. All commits share
//! one folder that cargo builds in, so that what they have in common is compiled once.

use crate::build::lock;
use crate::library::Library;
use crate::name::{Allocator, Kind};
use crate::{Error, OnPath, Place, Result, file, hash, program};
use hz3_config::suggest;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Name and revision, if a word is of this form. A path is none, nor is a label with a path.
pub fn split(word: &str) -> Option<(&str, &str)> {
    let (name, revision) = word.split_once('@')?;
    let path = name.is_empty() || word.contains("=/") || name.contains(['/', '=']) || word.contains(".so");
    (!path).then_some((name, revision))
}

/// A variant at a commit, which is built if it never was. `say` is told what takes long.
///
/// # Errors
///
/// If the revision is unknown, if it had no such config, or if it cannot be built.
pub fn find(place: &Place, name: &str, revision: &str, say: impl Fn(&str)) -> Result<Allocator> {
    let word = format!("{name}@{revision}");
    if !place.is_checkout() {
        return Err(
            Error::bad_input(format!("`{word}`: only a checkout of hz3 has its older states"))
                .help("a library that was built earlier is named by its path: label=path"),
        );
    }
    let commit = commit(place, &word, revision)?;
    let short = commit.get(..12).unwrap_or(&commit);
    let config = format!("{commit}:./configs/{name}.toml");
    if !git(&place.root, &["cat-file", "-e", &config])?.status.success() {
        return Err(known(
            place,
            &commit,
            name,
            Error::bad_input(format!("`{word}`: commit {short} has no config `{name}`")),
        ));
    }
    let folder = place
        .commits()
        .join(format!("{short}-{:08x}", compiler()? & 0xffff_ffff));
    let library = folder.join(format!("libhz3_{name}.so"));
    let head = git(&place.root, &["rev-parse", "--verify", "--quiet", "HEAD"])?;
    if text(&head.stdout) == commit && dirty(&place.root)? {
        say(&format!(
            "note: {word} is commit {short} without the changes of the work tree, which {name} has"
        ));
    }
    // One at a time: all commits are built in one folder.
    std::fs::create_dir_all(place.commits()).on("create", &place.commits())?;
    let _lock = lock(&place.commits().join(".lock"), || {
        say("waiting for another build of a commit to end")
    })?;
    if !library.is_file() {
        say(&format!(
            "building {name} as it was at {short}; the first time that takes minutes"
        ));
        std::fs::create_dir_all(&folder).on("create", &folder)?;
        build(place, &commit, name, &library)?;
    }
    Library::read(&library)?;
    Ok(Allocator {
        label: format!("{name}@{}", commit.get(..7).unwrap_or(&commit)),
        kind: Kind::Variant,
        path: Some(library),
    })
}

/// git in a folder.
fn git(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command
        .output()
        .map_err(|e| Error::unfit(format!("cannot start git: {e}")).help("apt install git"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// The id of the commit that a revision means.
fn commit(place: &Place, word: &str, revision: &str) -> Result<String> {
    let inside = git(&place.root, &["rev-parse", "--is-inside-work-tree"])?;
    if !inside.status.success() {
        return Err(Error::bad_input(format!(
            "`{word}`: {} is in no git repository, so it has no older states",
            place.root.display()
        )));
    }
    let wanted = format!("{revision}^{{commit}}");
    // A revision that begins like an option is none.
    let found = git(
        &place.root,
        &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted],
    )?;
    if revision.is_empty() || !found.status.success() {
        return Err(Error::bad_input(format!("`{word}`: git knows no commit `{revision}`")).help("git log --oneline"));
    }
    Ok(text(&found.stdout).lines().last().unwrap_or_default().to_owned())
}

/// Whether the work tree has changes.
fn dirty(root: &Path) -> Result<bool> {
    Ok(!git(root, &["status", "--porcelain", "--", "."])?.stdout.is_empty())
}

/// Adds the config that was probably meant.
fn known(place: &Place, commit: &str, name: &str, error: Error) -> Error {
    let tree = format!("{commit}:./configs");
    let Ok(out) = git(&place.root, &["ls-tree", "--name-only", &tree]) else {
        return error;
    };
    let listed = text(&out.stdout);
    let names = listed.lines().filter_map(|line| line.strip_suffix(".toml"));
    match suggest::nearest(name, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// A hash of the compiler's version: what another one makes of the same sources is another library.
fn compiler() -> Result<u64> {
    let out = Command::new("rustc").arg("-vV").stdin(Stdio::null()).output();
    match out {
        Ok(out) if out.status.success() => Ok(hash::of(&out.stdout)),
        _ => Err(Error::unfit("cannot start rustc, which variants are built with").help("install Rust")),
    }
}

/// Builds a variant in a work tree of its commit, which goes again, and puts the library to `to`.
fn build(place: &Place, commit: &str, name: &str, to: &Path) -> Result<()> {
    let tree = Tree::of(place, commit)?;
    let target = place.commits().join("build");
    let mut command = program::clean(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["hz3", "build", name])
        .current_dir(&tree.project)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("HZ3_ROOT")
        .stdin(Stdio::null());
    let out = command
        .output()
        .map_err(|e| Error::unfit(format!("cannot start cargo: {e}")).help("install Rust"))?;
    let made = target.join("hz3").join(format!("libhz3_{name}.so"));
    // Those who changed two files into one allocator are told so by exit code 1, and have their library.
    if !out.status.success() || !made.is_file() {
        let said = text(&out.stderr);
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        let short = commit.get(..12).unwrap_or(commit);
        return Err(Error::failed(format!(
            "cannot build {name} at {short}:\n{}",
            last.join("\n")
        )));
    }
    let bytes = file::read(&made, hz3_config::file::DATA)?;
    file::write(to, &bytes)?;
    // The next commit's library has the same name there.
    std::fs::remove_file(&made).on("remove", &made)
}

/// A work tree of a commit, which goes with this value.
struct Tree<'a> {
    place: &'a Place,
    folder: PathBuf,
    /// The project's root in it.
    project: PathBuf,
}

impl<'a> Tree<'a> {
    fn of(place: &'a Place, commit: &str) -> Result<Self> {
        let short = commit.get(..12).unwrap_or(commit);
        let folder = place.commits().join(format!("tree-{short}-{}", std::process::id()));
        let prefix = text(&git(&place.root, &["rev-parse", "--show-prefix"])?.stdout);
        let tree = Self {
            place,
            project: folder.join(prefix),
            folder,
        };
        let path = tree.folder.display().to_string();
        let out = git(&place.root, &["worktree", "add", "--quiet", "--detach", &path, commit])?;
        if !out.status.success() {
            return Err(Error::failed(format!(
                "git makes no work tree of {short}: {}",
                text(&out.stderr)
            )));
        }
        Ok(tree)
    }
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        let path = self.folder.display().to_string();
        let _ = git(&self.place.root, &["worktree", "remove", "--force", &path]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn only_a_name_before_an_at_is_a_revision() {
        assert_eq!(split("default@HEAD~1"), Some(("default", "HEAD~1")));
        assert_eq!(split("default@feature/x"), Some(("default", "feature/x")));
        assert_eq!(split("default@"), Some(("default", "")));
        for word in ["default", "old=/tmp/a@b.so", "./a@b", "x@y.so", "@x", "l=a@b"] {
            assert_eq!(split(word), None, "{word}");
        }
    }

    #[test]
    fn what_is_no_commit_or_no_config_of_it_is_told() {
        if program::find("git").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for part in ["configs", "hz3-config", "hz3-core"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        let place = Place::at(folder.path().to_owned()).unwrap();
        let fault = |name: &str, revision: &str| {
            let e = find(&place, name, revision, |_| panic!("nothing is built")).unwrap_err();
            assert_eq!(e.code, Code::BadInput, "{e}");
            (e.message, e.help.unwrap_or_default())
        };
        assert!(
            fault("mine", "HEAD")
                .0
                .ends_with("is in no git repository, so it has no older states")
        );
        let run = |arguments: &[&str]| {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
            let out = git(folder.path(), &[&identity, arguments].concat()).unwrap();
            assert!(out.status.success(), "{}", text(&out.stderr));
        };
        run(&["init", "-q"]);
        let unknown = |revision: &str| format!("`mine@{revision}`: git knows no commit `{revision}`");
        assert_eq!(fault("mine", "HEAD"), (unknown("HEAD"), "git log --oneline".into()));
        std::fs::write(place.config_file("mine"), "name = \"mine\"\n").unwrap();
        run(&["add", "."]);
        run(&["commit", "-q", "-m", "first"]);
        for revision in ["", "nonsense", "--help", "HEAD~1"] {
            assert_eq!(fault("mine", revision).0, unknown(revision));
        }
        let (message, help) = fault("mien", "HEAD");
        assert!(message.starts_with("`mien@HEAD`: commit ") && message.ends_with(" has no config `mien`"));
        assert_eq!(help, "did you mean `mine`?");
    }
}
