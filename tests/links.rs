//! The links of every page: each relative link leads to a file, each anchor to a heading, and the index names every page.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// One link of a page: where it stands, and where it leads.
struct Link {
    line: usize,
    target: String,
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: BTreeMap<PathBuf, String> = files(root, &["md"]).into_iter().map(read).collect();
    assert!(pages.len() > 10, "only {} pages in {}", pages.len(), root.display());
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for link in links(text) {
            let (file, anchor) = match link.target.split_once('#') {
                Some((file, anchor)) => (file, Some(anchor)),
                None => (link.target.as_str(), None),
            };
            let folder = page.parent().unwrap_or(root);
            let target = if file.is_empty() {
                page.clone()
            } else {
                plain(&folder.join(file))
            };
            let missing = match (target.exists(), anchor) {
                (false, _) => Some("no such file".to_owned()),
                (true, None) => None,
                (true, Some(anchor)) => match pages.get(&target) {
                    Some(text) => {
                        (!anchors(text).iter().any(|a| a == anchor)).then(|| format!("no heading `{anchor}`"))
                    }
                    None => Some("an anchor of something that is no page".to_owned()),
                },
            };
            if let Some(why) = missing {
                broken.push(format!("{}:{}: {}: {why}", page.display(), link.line, link.target));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_index_names_every_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = root.join("docs");
    let (_, index) = read(docs.join("README.md"));
    let named: Vec<PathBuf> = links(&index).map(|link| plain(&docs.join(link.target))).collect();
    let missing: Vec<PathBuf> = files(&docs, &["md"])
        .into_iter()
        .filter(|page| *page != docs.join("README.md") && !named.contains(page))
        .collect();
    assert!(missing.is_empty(), "docs/README.md does not name {missing:?}");
}

/// Source files that pages speak of, by the end of their path.
#[test]
fn every_source_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<String> = files(root, &["rs"])
        .iter()
        .map(|file| format!("/{}", file.display()))
        .collect();
    let mut missing = Vec::new();
    for (page, text) in files(root, &["md"]).into_iter().map(read) {
        // What changed once is told in the words of that time.
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        for (line, content) in prose(&text) {
            for word in content.split('`').skip(1).step_by(2) {
                let named =
                    word.ends_with(".rs") && word.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c));
                if named && !sources.iter().any(|source| source.ends_with(&format!("/{word}"))) {
                    missing.push(format!("{}:{line}: {word}", page.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// Pages that code and configs speak of.
#[test]
fn every_page_that_is_mentioned_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (file, text) in files(root, &["rs", "toml", "c", "h", "sh"]).into_iter().map(read) {
        if file.ends_with(file!()) {
            continue;
        }
        for (at, _) in text.match_indices("docs/") {
            let word: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "/-_.".contains(*c))
                .collect();
            // Tests write pages of their own into temporary folders.
            let page = word.trim_end_matches('.');
            if page.ends_with(".md") && !root.join(page).exists() {
                missing.push(format!("{}: {page}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

fn read(file: PathBuf) -> (PathBuf, String) {
    // Some files of tests are no UTF-8, and are meant to be so.
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (file, text)
}

/// All files below `folder` that end in one of `endings`, but for what is built and what git keeps.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != ".git" && !path.join("CACHEDIR.TAG").exists() && name != "target" {
                    folders.push(path);
                }
            } else if path.is_file()
                && path
                    .extension()
                    .is_some_and(|e| endings.iter().any(|&wanted| e == wanted))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Lines of a page that are no code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            code = !code;
            return None;
        }
        (!code).then_some((at + 1, line))
    })
}

/// The relative links of a page.
fn links(text: &str) -> impl Iterator<Item = Link> {
    prose(text).flat_map(|(line, text)| {
        text.match_indices("](").filter_map(move |(at, _)| {
            let rest = &text[at + 2..];
            let target = &rest[..rest.find(')')?];
            (!target.contains("://") && !target.starts_with("mailto:")).then(|| Link {
                line,
                target: target.to_owned(),
            })
        })
    })
}

/// The anchors that a page's headings have.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        // A second heading of the same words gets a number.
        let again = anchors
            .iter()
            .filter(|a| **a == slug || a.starts_with(&format!("{slug}-")))
            .count();
        anchors.push(if again == 0 || !anchors.contains(&slug) {
            slug
        } else {
            format!("{slug}-{again}")
        });
    }
    anchors
}
