//! `install`: a variant for programs that are linked against it.

use crate::install::{Layout, Piece, leads_down, pieces, place};
use crate::{configs, style, variants};
use hz3_project::{Error, Library, OnPath, Outcome, Place, file};
use std::path::{Path, PathBuf};

/// Arguments of `install`.
#[derive(clap::Args)]
#[command(after_help = "\
What is put in place, below the prefix: the library with its version and its links, a static archive, hz3.h, pkg-config
files, a CMake package, and a list of all that, by which `uninstall` removes it. All of it appears, or nothing. The paths
are printed.")]
pub struct Arguments {
    /// A config: the name of a variant, or a path
    #[arg(value_name = "NAME|FILE")]
    name: String,
    #[command(flatten)]
    target: Target,
    /// The folder of libraries, seen from the prefix
    #[arg(long, value_name = "DIR", default_value = "lib")]
    libdir: PathBuf,
    /// Print what would be put in place, and do nothing
    #[arg(long)]
    list: bool,
}

/// The folder that a variant is installed in.
#[derive(clap::Args)]
pub struct Target {
    /// The folder below which everything lies: /usr/local, …
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// The folder that will be the root of another system: what is installed lies below it, and knows nothing of it
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
}

impl Target {
    /// The prefix as it will be known.
    pub fn prefix(&self) -> Result<PathBuf, Error> {
        std::path::absolute(&self.prefix).on("find", &self.prefix)
    }

    /// Where the prefix lies now.
    pub fn root(&self) -> Result<PathBuf, Error> {
        let prefix = self.prefix()?;
        Ok(match &self.destdir {
            None => prefix,
            Some(destdir) => destdir.join(prefix.strip_prefix("/").unwrap_or(&prefix)),
        })
    }

    /// Whether this is where the system itself would find it.
    pub fn is_this_system(&self) -> bool {
        self.destdir.is_none()
    }
}

/// Runs `install`.
pub fn run(arguments: Arguments) -> Outcome {
    let (prefix, root) = (arguments.target.prefix()?, arguments.target.root()?);
    if !leads_down(&arguments.libdir) {
        return Err(Error::bad_input(format!(
            "--libdir {} does not lead down from the prefix",
            arguments.libdir.display()
        ))
        .help("such as: --libdir lib/x86_64-linux-gnu"));
    }
    // It stands in files of one line an entry.
    if [&prefix, &arguments.libdir]
        .iter()
        .any(|path| path.to_str().is_none_or(|text| text.contains(char::is_control)))
    {
        return Err(Error::bad_input("the prefix or --libdir holds what is no text"));
    }
    let layout = Layout {
        prefix,
        libraries: arguments.libdir,
    };
    let project = Place::find()?;
    let plan = configs::load_all(&project, std::slice::from_ref(&arguments.name))?.remove(0);
    if arguments.list {
        print(&root, &pieces(&plan, &layout, Vec::new(), Vec::new()));
        return Ok(());
    }
    variants::quietly(&project, std::slice::from_ref(&arguments.name))?;
    let library = Library::read(&project.library(&plan.name))?;
    let archived = file::read(&variants::archive(&project, &plan)?, file::DATA)?;
    let bytes = file::read(&library.path, file::DATA)?;
    let pieces = pieces(&plan, &layout, bytes, archived);
    place::install(&root, &plan.name, &pieces)?;
    print(&root, &pieces);
    if arguments.target.is_this_system() && layout.prefix.starts_with("/usr") {
        eprintln!(
            "{}: `ldconfig` tells the dynamic linker of new libraries",
            style::note("note")
        );
    }
    Ok(())
}

fn print(root: &Path, pieces: &[Piece]) {
    for piece in pieces {
        println!("{}", root.join(&piece.path).display());
    }
}
