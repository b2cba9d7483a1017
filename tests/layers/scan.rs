//! Reads a crate's sources: the paths that each module names, with the line where it names them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A crate as far as the modules of its root look at each other: a module that lies in another one counts as that.
#[derive(Default)]
pub struct Crate {
    /// What is named where.
    pub uses: Vec<Use>,
    /// The files that were read.
    files: BTreeSet<PathBuf>,
    /// The modules of the root.
    pub modules: BTreeSet<String>,
    /// In which of them an item is that the root names by `use`, and in which a macro of the whole crate.
    items: BTreeMap<String, String>,
}

/// A path that begins at the crate's root, or at another crate's.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    pub file: PathBuf,
    pub line: usize,
    /// The module that names it; empty in the root.
    pub from: String,
    /// The first two names of the path: a crate's (`crate` for its own), and one in its root.
    pub krate: String,
    pub name: String,
}

/// All files of sources in a folder and those in it.
fn sources(folder: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            out.insert(path);
        }
    }
    out
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Name(String),
    Text(String),
    Mark(char),
}

struct Tokens(Vec<(Token, usize)>);

impl Tokens {
    /// The tokens of a text, without comments.
    fn of(source: &str) -> Tokens {
        let (chars, mut out, mut at, mut line) = (source.chars().collect::<Vec<_>>(), Vec::new(), 0, 1);
        let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
        while at < chars.len() {
            let (c, began) = (peek(at), at);
            let token = if c == '/' && peek(at + 1) == '/' {
                while at < chars.len() && peek(at) != '\n' {
                    at += 1;
                }
                None
            } else if c == '/' && peek(at + 1) == '*' {
                let mut depth = 0;
                loop {
                    match (peek(at), peek(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
                None
            } else if c == '\'' && peek(at + 1) != '\\' && peek(at + 2) != '\'' {
                at += 1; // A lifetime.
                None
            } else if c == '\'' {
                at += if peek(at + 1) == '\\' { 3 } else { 2 };
                while peek(at) != '\'' {
                    at += 1;
                }
                at += 1;
                None
            } else if c == '"' {
                at += 1;
                while at < chars.len() && peek(at) != '"' {
                    at += if peek(at) == '\\' { 2 } else { 1 };
                }
                at += 1;
                Some(Token::Text(chars[began + 1..at - 1].iter().collect()))
            } else if c.is_alphanumeric() || c == '_' {
                while peek(at).is_alphanumeric() || peek(at) == '_' {
                    at += 1;
                }
                let name: String = chars[began..at].iter().collect();
                let mut hashes = 0;
                while peek(at + hashes) == '#' {
                    hashes += 1;
                }
                if name.ends_with('r') && name.len() <= 2 && peek(at + hashes) == '"' {
                    let end: String = format!("\"{}", "#".repeat(hashes));
                    at += hashes + 1;
                    let start = at;
                    while at < chars.len() && !end.chars().enumerate().all(|(i, c)| peek(at + i) == c) {
                        at += 1;
                    }
                    let text = chars[start..at.min(chars.len())].iter().collect();
                    at += end.len();
                    Some(Token::Text(text))
                } else {
                    Some(Token::Name(name))
                }
            } else {
                at += 1;
                (!c.is_whitespace()).then_some(Token::Mark(c))
            };
            out.extend(token.map(|token| (token, line)));
            line += chars[began..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
        }
        Tokens(out)
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some((Token::Name(name), _)) => Some(name),
            _ => None,
        }
    }

    fn is(&self, at: usize, marks: &str) -> bool {
        marks
            .chars()
            .enumerate()
            .all(|(i, mark)| self.0.get(at + i).is_some_and(|(token, _)| *token == Token::Mark(mark)))
    }

    /// Calls `f` with each path that begins at `at`, where groups in braces end, and with its line.
    fn paths(&self, at: usize, before: &[String], f: &mut dyn FnMut(&[String], usize)) -> usize {
        let Some(name) = self.name(at) else { return at + 1 };
        let mut path = before.to_vec();
        path.push(name.to_owned());
        let line = self.0.get(at).map_or(0, |(_, line)| *line);
        if !self.is(at + 1, "::") {
            f(&path, line);
            return at + 1;
        }
        if !self.is(at + 3, "{") {
            if self.name(at + 3).is_some() {
                return self.paths(at + 3, &path, f);
            }
            f(&path, line); // `::*`, or generic arguments.
            return at + 3;
        }
        let (mut at, mut depth) = (at + 4, 1);
        while depth > 0 && at < self.0.len() {
            if self.is(at, "{") || self.is(at, "}") {
                depth += if self.is(at, "{") { 1 } else { -1 };
                at += 1;
            } else {
                at = self.paths(at, &path, f);
            }
        }
        at
    }
}

impl Crate {
    /// The crate whose root is this file. A file that no `mod` names, as a macro makes it, is the module that its place says.
    pub fn read(root: &Path) -> Crate {
        let mut krate = Crate::default();
        krate.file(root, &[], true);
        let folder = root.parent().unwrap_or(Path::new(""));
        for file in sources(folder) {
            if krate.files.contains(&file) || file.parent() == Some(folder) {
                continue;
            }
            let place = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
            let module: Vec<String> = place.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            krate.file(&file, &module, false);
        }
        krate
    }

    /// A crate of one file, which is `module` of these modules.
    pub fn planted(module: &str, modules: &[&str], source: &str) -> Crate {
        let mut krate = Crate {
            modules: modules.iter().map(|module| (*module).to_owned()).collect(),
            ..Crate::default()
        };
        krate.text(
            Path::new("planted.rs"),
            &Tokens::of(source),
            &[module.to_owned()],
            false,
        );
        krate
    }

    /// The module that a name in the root leads to.
    pub fn module<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.modules.contains(name) {
            return Some(name);
        }
        self.items.get(name).map(String::as_str)
    }

    fn file(&mut self, file: &Path, module: &[String], owns_folder: bool) {
        let source = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.files.insert(file.to_owned());
        self.text(file, &Tokens::of(&source), module, owns_folder);
    }

    fn text(&mut self, file: &Path, tokens: &Tokens, module: &[String], owns_folder: bool) {
        // Modules written out in this file, and at which depth of braces they began.
        let mut inner: Vec<(String, usize)> = Vec::new();
        let (mut at, mut depth) = (0, 0);
        while at < tokens.0.len() {
            let begins = at == 0 || !tokens.is(at.saturating_sub(2), "::");
            if tokens.name(at) == Some("mod") && tokens.name(at + 1).is_some() {
                let name = tokens.name(at + 1).unwrap_or_default().to_owned();
                if tokens.is(at + 2, "{") {
                    inner.push((name, depth));
                } else if tokens.is(at + 2, ";") {
                    let mut path = module.to_vec();
                    path.extend(inner.iter().map(|(name, _)| name.clone()));
                    path.push(name.clone());
                    let folder = file.parent().unwrap_or(Path::new(""));
                    let file = match Self::named_file(tokens, at) {
                        Some(name) => folder.join(name),
                        None => {
                            let stem = if owns_folder { None } else { file.file_stem() };
                            let mut folder = folder.join(stem.map(Path::new).unwrap_or(Path::new("")));
                            folder.extend(inner.iter().map(|(name, _)| name));
                            let flat = folder.join(format!("{name}.rs"));
                            if flat.exists() {
                                flat
                            } else {
                                folder.join(&name).join("mod.rs")
                            }
                        }
                    };
                    if path.len() == 1 {
                        self.modules.insert(name);
                    }
                    let owns =
                        file.file_name().is_some_and(|name| name == "mod.rs") || Self::named_file(tokens, at).is_some();
                    self.file(&file, &path, owns);
                }
                at += 2;
                continue;
            }
            if tokens.is(at, "{") {
                depth += 1;
            } else if tokens.is(at, "}") {
                depth -= 1;
                inner.retain(|(_, began)| *began < depth);
            }
            if tokens.name(at) == Some("macro_rules")
                && let Some(name) = tokens.name(at + 2)
            {
                self.items
                    .insert(name.to_owned(), module.first().cloned().unwrap_or_default());
            }
            let is_path = tokens.is(at + 1, "::") && begins;
            let in_root = module.is_empty() && inner.is_empty();
            if in_root && tokens.name(at) == Some("use") {
                // What the root names is known by its last name.
                let mut named = Vec::new();
                tokens.paths(at + 1, &[], &mut |path, _| named.push(path.to_vec()));
                for path in named {
                    if let (Some(first), Some(last)) = (path.first(), path.last()) {
                        self.items.insert(last.clone(), first.clone());
                    }
                }
            }
            if tokens.name(at).is_some() && is_path {
                let mut found = Vec::new();
                let end = tokens.paths(at, &[], &mut |path, line| found.push((path.to_vec(), line)));
                for (path, line) in found {
                    let mut here = module.to_vec();
                    here.extend(inner.iter().map(|(name, _)| name.clone()));
                    self.found(file, line, here, &path);
                }
                at = end;
                continue;
            }
            at += 1;
        }
    }

    /// The file that an attribute `path` before the `mod` at `at` names.
    fn named_file(tokens: &Tokens, at: usize) -> Option<String> {
        let mut at = at;
        // `pub`, `pub(crate)`, `pub(in …)`.
        while at > 0
            && !tokens.is(at - 1, "]")
            && !tokens.is(at - 1, ";")
            && !tokens.is(at - 1, "}")
            && !tokens.is(at - 1, "{")
        {
            at -= 1;
        }
        while at > 0 && tokens.is(at - 1, "]") {
            let end = at;
            let mut depth = 0;
            loop {
                at -= 1;
                if tokens.is(at, "]") {
                    depth += 1;
                } else if tokens.is(at, "[") {
                    depth -= 1;
                }
                if depth == 0 || at == 0 {
                    break;
                }
            }
            if tokens.name(at + 1) == Some("path")
                && let Some((Token::Text(text), _)) = tokens.0.get(end - 2)
            {
                return Some(text.clone());
            }
            at = at.saturating_sub(1); // The `#`.
        }
        None
    }

    /// `here` names `path`: remembers it if it leads to the root of a crate.
    fn found(&mut self, file: &Path, line: usize, here: Vec<String>, path: &[String]) {
        let from = here.first().cloned().unwrap_or_default();
        let mut at = here;
        let mut rest = path.iter();
        let mut absolute = false;
        let name = loop {
            let Some(name) = rest.next() else { return };
            match name.as_str() {
                "crate" => (at, absolute) = (Vec::new(), true),
                "self" => absolute = true,
                "super" => {
                    at.pop();
                    absolute = true;
                }
                _ => break name,
            }
        };
        let (krate, name) = if !absolute {
            let Some(second) = rest.next() else { return };
            (name, second)
        } else if at.is_empty() {
            (&"crate".to_owned(), name)
        } else {
            return;
        };
        self.uses.push(Use {
            file: file.to_owned(),
            line,
            from,
            krate: krate.clone(),
            name: name.clone(),
        });
    }
}
