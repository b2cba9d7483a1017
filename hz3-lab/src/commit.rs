//! Which state of the project something was measured in.

use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// A commit, and whether the work tree was the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Whether something below the project's root was changed, added or removed since.
    pub dirty: bool,
}

impl Commit {
    /// That of the work tree in which `root` lies; none where there is no git, or no commit yet.
    pub fn of(root: &Path) -> Option<Self> {
        let git = |arguments: &[&str]| {
            let out = Command::new("git")
                .arg("-C")
                .arg(root)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .ok()?;
            out.status
                .success()
                .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        Some(Self {
            id: git(&["rev-parse", "--verify", "HEAD"])?,
            dirty: !git(&["status", "--porcelain", "--", "."])?.is_empty(),
        })
    }
}

impl std::fmt::Display for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.id.get(..12).unwrap_or(&self.id);
        write!(f, "{short}{}", if self.dirty { ", with changes" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_work_tree_is_told() {
        if hz3_project::program::find("git").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let git = |arguments: &[&str]| {
            let done = Command::new("git")
                .arg("-C")
                .arg(root)
                .args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"])
                .args(arguments)
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        git(&["init", "-q"]);
        assert_eq!(Commit::of(root), None);
        std::fs::write(root.join("a"), "1").unwrap();
        git(&["add", "a"]);
        git(&["commit", "-q", "-m", "first"]);
        let clean = Commit::of(root).unwrap();
        assert_eq!((clean.id.len(), clean.dirty), (40, false));
        std::fs::write(root.join("a"), "2").unwrap();
        let changed = Commit::of(root).unwrap();
        assert_eq!((&changed.id, changed.dirty), (&clean.id, true));
        assert!(changed.to_string().ends_with(", with changes"));
    }
}
