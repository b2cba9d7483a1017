//! The dynamic linker's own log (`LD_DEBUG=bindings,libs`): who got whose malloc.

use crate::file;
use crate::library::abi;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One program that a process executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// `argv[0]`; empty if the process ended before the program started.
    pub name: String,
    /// For each function of [`abi::CORE`], who asked for it and which file answered.
    pub bound: BTreeMap<&'static str, BTreeSet<(String, String)>>,
}

/// What became of one program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every binding of malloc, free, calloc and realloc is to the library.
    Proven,
    /// Nobody in the process asked for any of these functions.
    Unused,
    /// Some or all were bound elsewhere: function and file.
    Elsewhere(BTreeSet<(String, String)>),
}

impl Image {
    /// Whether its malloc is in `library`; `None` is the C library.
    pub fn verdict(&self, library: Option<&Path>) -> Verdict {
        let right = |file: &str| match library {
            Some(library) => file::same(Path::new(file), library),
            None => is_libc(file),
        };
        let mut elsewhere = BTreeSet::new();
        for (function, pairs) in &self.bound {
            // A program at a fixed address may answer with an entry of its own jump table, which leads on to what the
            // program itself was given. A program that defines the function is given its own.
            let leads_on = |file: &str| pairs.iter().any(|(from, to)| from == file && right(to));
            for (_, to) in pairs {
                if !right(to) && !leads_on(to) {
                    elsewhere.insert(((*function).to_owned(), to.clone()));
                }
            }
        }
        match (elsewhere.is_empty(), self.bound.is_empty()) {
            (false, _) => Verdict::Elsewhere(elsewhere),
            (true, true) => Verdict::Unused,
            (true, false) => Verdict::Proven,
        }
    }
}

/// Whether a file is the C library, by its name.
pub fn is_libc(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.starts_with("libc.so") || name.starts_with("libc-2.")
}

/// The programs in the log of one process, in order. `library` asks for functions of its own accord (to find the
/// C library's); what it got says nothing.
pub fn parse(record: &str, library: Option<&Path>) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    // Everything is bound at start-up (LD_BIND_NOW), before a program is initialised. What follows belongs to
    // libraries that it loads later, or to the start of the next program in the same process: it is kept until
    // the next program shows up, and given to the last one if none does.
    let mut open = Image::default();
    for line in record.lines() {
        if let Some((_, name)) = line.split_once("initialize program: ") {
            open.name = name.trim().to_owned();
            images.push(std::mem::take(&mut open));
        } else if let Some((function, from, to)) = binding(line)
            && !library.is_some_and(|library| file::same(Path::new(from), library))
        {
            open.bound
                .entry(function)
                .or_default()
                .insert((from.to_owned(), to.to_owned()));
        }
    }
    match images.last_mut() {
        Some(last) => {
            for (function, pairs) in open.bound {
                last.bound.entry(function).or_default().extend(pairs);
            }
        }
        None if !open.bound.is_empty() => images.push(open),
        None => {}
    }
    images
}

/// `1234: binding file FROM [0] to TO [0]: normal symbol `malloc' [GLIBC_2.2.5]`
fn binding(line: &str) -> Option<(&'static str, &str, &str)> {
    let (_, rest) = line.split_once("binding file ")?;
    let (from, rest) = rest.split_once("] to ")?;
    let (to, symbol) = rest.split_once("]: ")?;
    let (_, symbol) = symbol.split_once('`')?;
    let (symbol, _) = symbol.split_once('\'')?;
    let function = abi::CORE.iter().find(|name| **name == symbol)?;
    let file = |text: &'_ str| text.rsplit_once(" [").map_or(text.len(), |(file, _)| file.len());
    Some((function, &from[..file(from)], &to[..file(to)]))
}

/// The programs of every process that left a log in the folder, by process id: `LD_DEBUG_OUTPUT` was `<folder>/record`.
pub fn records(folder: &Path, library: Option<&Path>) -> Vec<Image> {
    let mut by_process = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = |name: &str| name.strip_prefix("record.")?.parse::<u32>().ok();
        if let (Some(pid), Ok(bytes)) = (name.to_str().and_then(process), std::fs::read(entry.path())) {
            by_process.insert(pid, parse(&String::from_utf8_lossy(&bytes), library));
        }
    }
    by_process.into_values().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "\
      7:\tfind library=libc.so.6 [0]; searching
      7:\tbinding file /usr/bin/env [0] to /l/libc.so.6 [0]: normal symbol `malloc' [GLIBC_2.2.5]
      7:\tbinding file /usr/bin/env [0] to /l/libc.so.6 [0]: normal symbol `puts' [GLIBC_2.2.5]
      7:\t
      7:\tinitialize program: env
      7:\ttransferring control: env
      7:\tbinding file prog [0] to prog [0]: normal symbol `free'
      7:\tinitialize program: prog
      7:\tbinding file /l/plugin.so [0] to /l/libc.so.6 [0]: normal symbol `calloc' [GLIBC_2.2.5]
";

    #[test]
    fn programs_of_a_process() {
        let images = parse(RECORD, None);
        assert_eq!(
            images.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(),
            ["env", "prog"]
        );
        assert_eq!(images[0].verdict(None), Verdict::Proven);
        let elsewhere = BTreeSet::from([("free".to_owned(), "prog".to_owned())]);
        assert_eq!(images[1].verdict(None), Verdict::Elsewhere(elsewhere));
        assert!(images[1].bound.contains_key("calloc"));
    }

    #[test]
    fn a_jump_table_leads_on() {
        let fixed = "\
binding file /l/libc.so.6 [0] to prog [0]: normal symbol `malloc'
binding file prog [0] to prog [0]: normal symbol `malloc'
binding file prog [0] to /l/libc.so.6 [0]: normal symbol `malloc'
initialize program: prog
";
        assert_eq!(parse(fixed, None)[0].verdict(None), Verdict::Proven);
        let own = fixed.replace("prog [0] to /l/libc.so.6", "prog [0] to prog");
        assert!(matches!(parse(&own, None)[0].verdict(None), Verdict::Elsewhere(_)));
    }

    #[test]
    fn nothing_bound() {
        assert_eq!(parse("", None), []);
        let images = parse("  1:\tinitialize program: x\n", None);
        assert_eq!(images[0].verdict(None), Verdict::Unused);
    }
}
