//! Programs of this machine: where they are, and how they are started so that nothing from outside tips the scales.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// The file that a command stands for, as execvp looks it up.
pub fn find(command: impl AsRef<OsStr>) -> Option<PathBuf> {
    let command = command.as_ref();
    if command.as_bytes().contains(&b'/') {
        let path = PathBuf::from(command);
        return path.exists().then_some(path);
    }
    let executable = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(command))
        .find(executable)
}

/// A command without what could tip the scales: no preload, no loader debugging, no allocator options from outside.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    const PREFIXES: [&str; 5] = ["LD_", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "HZ3_"];
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name == "GLIBC_TUNABLES" || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&key);
        }
    }
    command
}
