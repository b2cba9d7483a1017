//! What to type next: the word that was probably meant, and commands that a shell takes as they stand.

/// The known word that was probably meant: one third of its letters may be wrong.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|near| (strsim::damerau_levenshtein(word, near), near))
        .filter(|(distance, near)| *distance <= near.len().max(3) / 3)
        .min()
        .map(|(_, near)| near)
}

/// Words as a shell wants them, with quotes around those that need them.
pub fn command<I>(words: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let words: Vec<String> = words.into_iter().map(|word| quoted(word.as_ref())).collect();
    words.join(" ")
}

/// A word as a shell wants it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_is_near() {
        let names = ["compact", "default", "s23-sub4k"];
        assert_eq!(nearest("defualt", names.into_iter()), Some("default"));
        assert_eq!(nearest("s23-sub4", names.into_iter()), Some("s23-sub4k"));
        assert_eq!(nearest("zzz", names.into_iter()), None);
    }

    #[test]
    fn commands_survive_a_shell() {
        let words = [
            "cargo",
            "hz3",
            "build",
            "my configs/a.toml",
            "it's",
            "",
            "$HOME",
            "a\nb",
            "größe",
        ];
        let text = command(words);
        assert_eq!(
            text,
            "cargo hz3 build 'my configs/a.toml' 'it'\\''s' '' '$HOME' 'a\nb' größe"
        );
        let out = std::process::Command::new("sh")
            .args(["-c", &format!("printf '%s|' {text}")])
            .output()
            .expect("sh starts");
        assert_eq!(String::from_utf8_lossy(&out.stdout), format!("{}|", words.join("|")));
    }
}
