//! Whether a TOML text is a config of hz3, even one with errors: what decides whose folder of configs one is in.

use crate::knob::{GROUPS, TOP};

/// Keys above all tables that no other language is likely to have beside `name`.
const OWN: [&str; 3] = ["extends", "hypothesis", "refuted"];

/// Whether a text looks like a config of hz3: it has a `name`, and with it a key of this language that says more than a
/// description, or a description and nothing that this language does not know. Errors elsewhere do not count, nor need
/// the text be sound TOML: who writes a config wants to hear of its errors, and not that there is no config.
pub fn is_config(text: &str) -> bool {
    let keys = keys(text);
    let has = |name: &str| keys.iter().any(|(table, key)| table.is_empty() && key == name);
    let known = |(table, key): &(String, String)| {
        let group = if table.is_empty() { TOP } else { table };
        GROUPS
            .iter()
            .any(|g| g.name == group && (key.is_empty() || g.knobs.iter().any(|k| k.key == key)))
    };
    let tells = |entry: &(String, String)| !entry.0.is_empty() && !entry.1.is_empty() && known(entry);
    has("name")
        && (OWN.iter().any(|name| has(name))
            || keys.iter().any(tells)
            || (has("description") && keys.iter().all(known)))
}

/// Table and key of each line that has one, without their quotes; a table's header has no key, a key above all tables no
/// table.
fn keys(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix('[') {
            if let Some((name, _)) = rest.trim_start_matches('[').split_once(']') {
                table = bare(name);
                found.push((table.clone(), String::new()));
            }
        } else if let Some((key, _)) = line.split_once('=') {
            let key = bare(key);
            if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
                continue;
            }
            found.push(match key.split_once('.') {
                Some((first, rest)) if table.is_empty() => (first.to_owned(), rest.to_owned()),
                _ => (table.clone(), key),
            });
        }
    }
    found
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && *c != '"').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_are_told_from_other_files() {
        for ours in [
            "name = \"a\"\ndescription = \"d\"\n",
            "# a comment\nname = \"a\"\nextends = \"default\"\n",
            "name = \"a\"\n[cache]\nmagazines = 1\n",
            "name = \"a\"\ncache.magazines = 1\nnonsense = 2\n",
            "name = \"a\"\ndescription = \nhypothesis = \"h\"\n",
            "name = \"a\"\ndescription = \n",
        ] {
            assert!(is_config(ours), "{ours}");
        }
        for other in [
            "",
            "description = \"d\"\n",
            "name = \"service\"\n[cache]\nsize = 1\n",
            "name = \"service\"\ndescription = \"d\"\nport = 80\n",
            "name = \"service\"\ndescription = \"d\"\n[log]\n",
            "[package]\nname = \"a\"\ndescription = \"d\"\n",
        ] {
            assert!(!is_config(other), "{other}");
        }
    }
}
