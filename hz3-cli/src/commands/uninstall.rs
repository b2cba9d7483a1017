//! `uninstall`: what `install` put in place goes again.

use super::install::Target;
use crate::install::place;
use hz3_project::{Error, Outcome};
use std::path::Path;

/// The dynamic linker's list of libraries for every program of the system.
const PRELOADED: &str = "/etc/ld.so.preload";

/// Arguments of `uninstall`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name of the variant
    name: String,
    #[command(flatten)]
    target: Target,
}

/// Runs `uninstall`.
pub fn run(arguments: Arguments) -> Outcome {
    let root = arguments.target.root()?;
    if arguments.target.is_this_system()
        && let Ok(list) = std::fs::read_to_string(PRELOADED)
        && let Some(file) = preloaded(&list, &root, &arguments.name)
    {
        return Err(Error::failed(format!(
            "{PRELOADED} names {file}: every program of this system runs on it"
        ))
        .help(format!("take it out of {PRELOADED} first")));
    }
    for path in place::uninstall(&root, &arguments.name)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// The file in the dynamic linker's list that is the variant's library below `root`, by any of its names.
fn preloaded<'a>(list: &'a str, root: &Path, variant: &str) -> Option<&'a str> {
    let name = hz3_config::soname::link_name(variant);
    let is_library = |path: &&str| {
        let file = Path::new(path)
            .file_name()
            .and_then(|file| file.to_str())
            .unwrap_or_default();
        let rest = file.strip_prefix(&name);
        Path::new(path).starts_with(root) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(|line| line.split([' ', '\t', ':'])).find(is_library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_in_a_list() {
        let list = "# /usr/lib/libhz3_a.so\n/usr/lib/libx.so /usr/lib/libhz3_a.so.0:/y\n";
        let usr = Path::new("/usr");
        assert_eq!(preloaded(list, usr, "a"), Some("/usr/lib/libhz3_a.so.0"));
        assert_eq!(preloaded(list, Path::new("/opt"), "a"), None);
        assert_eq!(preloaded(list, usr, "ab"), None);
        assert_eq!(preloaded("/usr/lib/libhz3_a-b.so\n", usr, "a"), None);
    }
}
