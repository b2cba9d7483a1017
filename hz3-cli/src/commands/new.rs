//! `new`: a config to start an experiment from.

use crate::configs;
use hz3_config::{file, preset};
use hz3_project::{Error, OnPath, Outcome, Place, name};
use std::path::{Path, PathBuf};

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
    free(&project, name)?;
    let parent = name::config(&project, &arguments.from)?;
    let extends = extends(&project, &parent);
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
    write(&project, name, &text)?;
    eprintln!("edit it, then: cargo hz3 explain {name}; cargo hz3 build {name}");
    Ok(())
}

/// The file of a config of this name, which is not there yet.
pub fn free(project: &Place, name: &str) -> Result<PathBuf, Error> {
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
    Ok(path)
}

/// How a config of the project names this parent: one in configs/ as the others name theirs, any other by its path, and a
/// preset as one.
pub fn extends(project: &Place, parent: &Path) -> String {
    match parent.parent() == Some(project.configs().as_path()) {
        true => parent.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        false => parent.display().to_string(),
    }
}

/// Writes a new config, if it is a sound one, and tells where it is.
pub fn write(project: &Place, name: &str, text: &str) -> Outcome {
    let path = free(project, name)?;
    // Nothing is written that would not pass: a bad name or a bad parent is told here.
    sound(project, &path, text)?;
    // A folder that is no project becomes one by its first config.
    let folder = project.configs();
    std::fs::create_dir_all(&folder).on("create", &folder)?;
    write_new(&path, text)?;
    println!("{}", configs::shown(&path).display());
    Ok(())
}

/// Refuses a text that would be no sound config in this file, and tells its faults.
pub fn sound(project: &Place, path: &Path, text: &str) -> Outcome {
    hz3_config::load_str(&configs::shown(path), text)
        .map(drop)
        .map_err(|faults| {
            eprintln!("{}", faults.render(crate::style::stderr_colour()));
            Error::bad_input(format!("{} would be no valid config", project.shown(path)))
        })
}

/// A config without keys of its own. In a checkout it names the reference that lies there.
fn text(project: &Place, name: &str, extends: &str, description: Option<&str>, hypothesis: Option<&str>) -> String {
    let reference = match project.is_checkout() {
        true => "docs/config.md",
        false => "`cargo hz3 schema --markdown`",
    };
    let description = description.map_or_else(|| format!("{name}: a variant of {extends}"), str::to_owned);
    format!(
        "{}\n# Only what differs from the parent stands here; {reference} lists every key.\n",
        head(project.is_checkout(), name, extends, &description, hypothesis)
    )
}

/// What comes before the tables of a config. With `schema` it names the one for editors: for a config in a checkout's `configs/`.
pub fn head(schema: bool, name: &str, extends: &str, description: &str, hypothesis: Option<&str>) -> String {
    let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
    let schema = match schema {
        true => "#:schema ../docs/hz3.schema.json\n",
        false => "",
    };
    let hypothesis = hypothesis.map_or_else(String::new, |text| format!("hypothesis = {}\n", quoted(text)));
    format!(
        "{schema}name = {}\ndescription = {}\n{hypothesis}extends = {}\n",
        quoted(name),
        quoted(description),
        quoted(extends)
    )
}

/// Writes a file that must not exist yet.
fn write_new(path: &Path, text: &str) -> Outcome {
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
