//! docs/deploy.md as a reader types it, in an empty folder: files that it shows are written, and commands are run in order.
//! `/usr/local` is the temporary prefix. What changes a whole system stands behind `sudo` there and is not repeated here: the
//! other trials install, pack and remove.

use super::{INSTALLED, root, run, text};
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;

/// What the commands need.
pub const PROGRAMS: [&str; 6] = ["gcc", "pkg-config", "cmake", "rustc", "cargo", "python3"];

/// A block between fences: its language, the name of the file that it shows if the line before says one, its text.
struct Block<'a> {
    language: &'a str,
    file: Option<&'a str>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let file = before.strip_suffix("`:").and_then(|line| line.rsplit('`').next());
            blocks.push(Block {
                language,
                file,
                text: inside.join("\n") + "\n",
            });
        }
        if !line.is_empty() {
            before = line;
        }
    }
    blocks
}

fn is_for_this_system(command: &str) -> bool {
    command.split_whitespace().any(|word| word == "sudo") || command.starts_with("packaging/")
}

fn type_in(folder: &Path, command: &str) -> Result<(), Failed> {
    let (prefix, lib) = (INSTALLED.prefix(), INSTALLED.prefix().join("lib"));
    let own = Path::new(env!("CARGO_BIN_EXE_cargo-hz3")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let said = run(Command::new("sh")
        .args(["-euc", &command.replace("/usr/local", text(&prefix))])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", text(own)))
        .env("C_INCLUDE_PATH", prefix.join("include"))
        .env("LIBRARY_PATH", &lib)
        .env("LD_LIBRARY_PATH", &lib)
        .env("PKG_CONFIG_PATH", lib.join("pkgconfig"))
        .env("CMAKE_PREFIX_PATH", &prefix))?;
    let is_hello = ["./hello", "build/hello"].contains(&command);
    if is_hello && !said.starts_with("malloc is hz3's default") {
        return Err(format!("{command} says: {said}").into());
    }
    Ok(())
}

pub fn typed() -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let page = std::fs::read_to_string(root().join("docs/deploy.md")).map_err(|e| e.to_string())?;
    let (mut files, mut commands) = (0, 0);
    for block in blocks(&page) {
        if let Some(file) = block.file {
            std::fs::write(folder.path().join(file), &block.text).map_err(|e| e.to_string())?;
            files += 1;
        }
        if block.language != "sh" {
            continue;
        }
        for command in block.text.lines().filter(|command| !is_for_this_system(command)) {
            type_in(folder.path(), command)?;
            commands += 1;
        }
    }
    // What a reader sees there and this test does not would be tried by nobody.
    assert!(
        files == 2 && commands > 15,
        "{files} files and {commands} commands were found"
    );
    Ok(())
}
