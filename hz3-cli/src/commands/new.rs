//! `new`: a config to start an experiment from.

use crate::configs;
use hz3_config::{file, preset};
use hz3_project::{Error, OnPath, Outcome, Place, name};

/// Arguments of `new`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the variant; the file becomes configs/NAME.toml
    name: String,
    /// The config that it extends
    #[arg(long, value_name = "PARENT", default_value = "default")]
    from: String,
    /// One line that says what the variant is
    #[arg(long)]
    description: Option<String>,
    /// One sentence that says what the variant is expected to show
    #[arg(long)]
    hypothesis: Option<String>,
}

/// Runs `new`.
pub fn run(arguments: Arguments) -> Outcome {
    let project = Place::find()?;
    let name = &arguments.name;
    if name.contains(['/', '.']) {
        return Err(Error::bad_input(format!(
            "`{name}` is a path; give the variant's name only"
        )));
    }
    let path = project.configs().join(format!("{name}.toml"));
    if path.exists() {
        return Err(
            Error::bad_input(format!("{} exists", project.shown(&path))).help("choose another name, or edit that file")
        );
    }
    let parent = name::config(&project, &arguments.from)?;
    let extends = match parent.parent() == Some(project.configs().as_path()) {
        // A parent in configs/ is named as the others name theirs, any other by its path, and a preset as one.
        true => parent.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        false => parent.display().to_string(),
    };
    if preset::named(&parent).is_none() {
        file::check(&parent).map_err(|why| Error::bad_input(format!("cannot extend {}: {why}", arguments.from)))?;
    }
    let text = text(
        &project,
        name,
        &extends,
        arguments.description.as_deref(),
        arguments.hypothesis.as_deref(),
    );
    // Nothing is written that would not pass: a bad name or a bad parent is told here.
    if let Err(faults) = hz3_config::load_str(&configs::shown(&path), &text) {
        eprintln!("{}", faults.render(crate::style::stderr_colour()));
        return Err(Error::bad_input(format!(
            "{} would be no valid config",
            project.shown(&path)
        )));
    }
    // A folder that is no project becomes one by its first config.
    let folder = project.configs();
    std::fs::create_dir_all(&folder).on("create", &folder)?;
    write_new(&path, &text)?;
    println!("{}", configs::shown(&path).display());
    eprintln!("edit it, then: cargo hz3 explain {name}; cargo hz3 build {name}");
    Ok(())
}

/// The config. In a checkout it names the schema for editors and the reference that lie there.
fn text(project: &Place, name: &str, extends: &str, description: Option<&str>, hypothesis: Option<&str>) -> String {
    let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
    let (schema, reference) = match project.is_checkout() {
        true => ("#:schema ../docs/hz3.schema.json\n", "docs/config.md"),
        false => ("", "`cargo hz3 schema --markdown`"),
    };
    let description = description.map_or_else(|| format!("{name}: a variant of {extends}"), str::to_owned);
    let hypothesis = hypothesis.map_or_else(String::new, |text| format!("hypothesis = {}\n", quoted(text)));
    format!(
        "{schema}name = {}\ndescription = {}\n{hypothesis}extends = {}\n\n\
         # Only what differs from the parent stands here; {reference} lists every key.\n",
        quoted(name),
        quoted(&description),
        quoted(extends)
    )
}

/// Writes a file that must not exist yet.
fn write_new(path: &std::path::Path, text: &str) -> Outcome {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .on("create", path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .on("write", path);
    if written.is_err() {
        // Half a config would be taken for one.
        let _ = std::fs::remove_file(path);
    }
    written
}
