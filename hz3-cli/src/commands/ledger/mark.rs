//! The mark of a config whose hypothesis does not hold.

use hz3_project::{Error, Outcome, Place, file, name};

/// Writes or removes `refuted` in a config, and leaves everything else of the file as it is.
pub fn mark(name: &str, why: Option<&str>) -> Outcome {
    let place = Place::find()?;
    let path = name::config(&place, name)?;
    let text = file::read_text(&path, file::CONFIG)
        .map_err(|why| Error::bad_input(format!("cannot read {}: {why}", place.shown(&path))))?;
    let new = marked(&text, why).map_err(|e| Error::bad_input(format!("{}: {e}", place.shown(&path))))?;
    hz3_config::load_str(&path, &new).map_err(|d| Error::bad_input(d.to_string()))?;
    file::write(&path, new.as_bytes())?;
    println!(
        "{}: {}",
        place.shown(&path),
        why.map_or("the mark is gone".into(), |w| format!("refuted: {w}"))
    );
    Ok(())
}

fn marked(text: &str, why: Option<&str>) -> Result<String, toml_edit::TomlError> {
    let mut document: toml_edit::DocumentMut = text.parse()?;
    match why {
        Some(why) => {
            document["refuted"] = toml_edit::value(why);
        }
        None => {
            document.remove("refuted");
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_comes_and_goes_and_the_rest_stays() {
        let text = "# a comment\nname = \"x\"  # of it\n\n[cache]\nmagazines = 2\n";
        let with = marked(text, Some("3 % slower on \"mixed\"")).unwrap();
        assert_eq!(
            with,
            "# a comment\nname = \"x\"  # of it\nrefuted = '3 % slower on \"mixed\"'\n\n[cache]\nmagazines = 2\n"
        );
        assert_eq!(marked(&with, None).unwrap(), text);
        assert_eq!(marked(&with, Some("no")).unwrap().matches("refuted").count(), 1);
    }
}
