//! `schema`: what the config language is, for editors and for readers.

use hz3_project::Place;
use hz3_project::{Code, Error, Outcome};

/// Arguments of `schema`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Print the reference as Markdown instead of the JSON schema
    #[arg(long)]
    markdown: bool,
    /// Print nothing; fail if docs/hz3.schema.json or docs/config.md is not current
    #[arg(long, conflicts_with_all = ["markdown", "write"])]
    check: bool,
    /// Write docs/hz3.schema.json and docs/config.md
    #[arg(long, conflicts_with = "markdown")]
    write: bool,
}

/// Runs `schema`.
pub fn run(arguments: Arguments) -> Outcome {
    if !arguments.check && !arguments.write {
        let text = if arguments.markdown {
            hz3_config::schema::reference_markdown()
        } else {
            hz3_config::schema::json_schema()
        };
        print!("{text}");
        return Ok(());
    }
    let place = Place::find()?;
    let mut stale = false;
    for (file, text) in [
        ("docs/hz3.schema.json", hz3_config::schema::json_schema()),
        ("docs/config.md", hz3_config::schema::reference_markdown()),
    ] {
        let path = place.root.join(file);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if arguments.write {
            hz3_project::file::write(&path, text.as_bytes())?;
            eprintln!("wrote {file}");
        } else {
            eprintln!("{file} is not current");
            stale = true;
        }
    }
    if stale {
        return Err(Error::silent(Code::Failed).help("cargo hz3 schema --write"));
    }
    Ok(())
}
