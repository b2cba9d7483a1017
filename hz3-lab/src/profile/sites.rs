//! Call sites: which line of the program asked for memory.
//!
//! A call stack begins inside of the allocator, goes on through the standard library's containers, and comes to the program's
//! own code. The first frame there is the site. If there is none, it is the innermost frame.

use super::{Estimate, Location, Profile, Row};
use std::collections::HashMap;

/// A place in the program that allocates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Site {
    /// The function, or file and offset where no name was found.
    pub function: String,
    /// `file:line` of the call; empty if that is not known.
    pub place: String,
    /// The functions that called it, the nearest first.
    pub callers: Vec<String>,
}

/// Stacks by site.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    /// The sites.
    pub all: Vec<Site>,
    /// Of each stack of the profile, the index of its site.
    of: Vec<usize>,
}

impl Sites {
    /// The index of a row's site.
    pub fn of(&self, row: &Row) -> Option<usize> {
        self.of.get(row.stack).copied()
    }
}

/// Beginnings of the names of functions that hand memory on, or run through it, for others: allocators, and the standard
/// libraries of C++ and Rust.
const BETWEEN: [&str; 19] = [
    "operator new",
    "std::",
    "void std::",
    "__gnu_cxx::",
    "void* std::",
    "alloc::",
    "<alloc::",
    "core::",
    "<core::",
    "<std::",
    "hashbrown::",
    "<hashbrown::",
    "__rust_",
    "__rustc::",
    "__rdl_",
    "__rg_",
    "hz3_core::",
    "<hz3_core::",
    "hz3_",
];
/// The same of C, whole names.
const WHOLE: [&str; 14] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "strdup",
    "__strdup",
    "strndup",
    "__strndup",
    "_Znwm",
];

fn between(function: &str) -> bool {
    WHOLE.contains(&function) || BETWEEN.iter().any(|begin| function.starts_with(begin))
}

/// What is shown of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A frame: its function, its line, and whether it is the program's own.
struct Frame {
    function: String,
    place: String,
    own: bool,
}

impl Profile {
    /// The frames that stand at a location, the innermost first.
    fn frames(&self, location: &Location) -> Vec<Frame> {
        let mapping = location.mapping.and_then(|at| self.mappings.get(at));
        let allocator = mapping.is_some_and(|mapping| base(&mapping.file).starts_with("libhz3_"));
        if location.lines.is_empty() {
            return vec![Frame {
                function: self.address(location),
                place: String::new(),
                own: !allocator,
            }];
        }
        let frames = location.lines.iter().map(|line| {
            let function = &self.functions[line.function];
            let name = if function.name.is_empty() {
                self.address(location)
            } else {
                function.name.clone()
            };
            let place = match (function.file.as_str(), line.line) {
                ("", _) => String::new(),
                (file, 0) => file.to_owned(),
                (file, line) => format!("{file}:{line}"),
            };
            Frame {
                own: !allocator && !between(&name),
                function: name,
                place,
            }
        });
        frames.collect()
    }

    /// The address of a location, from the beginning of its file.
    pub(super) fn address(&self, location: &Location) -> String {
        let address = location.address;
        match location.mapping.and_then(|at| self.mappings.get(at)) {
            Some(mapping) if !mapping.file.is_empty() => {
                let offset = address.wrapping_sub(mapping.start).wrapping_add(mapping.offset);
                format!("{}+{offset:#x}", base(&mapping.file))
            }
            _ => format!("{address:#x}"),
        }
    }

    /// The sites of all stacks.
    pub fn sites(&self) -> Sites {
        let mut sites = Sites::default();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for stack in &self.stacks {
            let frames: Vec<Frame> = stack
                .iter()
                .flat_map(|&location| self.frames(&self.locations[location]))
                .collect();
            let first = frames.iter().position(|frame| frame.own).unwrap_or(0);
            let (function, place) = match frames.get(first) {
                Some(frame) => (frame.function.clone(), frame.place.clone()),
                None => ("(no stack)".to_owned(), String::new()),
            };
            let next = sites.all.len();
            let at = *known.entry((function.clone(), place.clone())).or_insert(next);
            if at == next {
                let callers = frames.iter().skip(first + 1).filter(|frame| frame.own);
                sites.all.push(Site {
                    function,
                    place,
                    callers: callers.map(|frame| frame.function.clone()).collect(),
                });
            }
            sites.of.push(at);
        }
        sites
    }

    /// Sums of a value by site, the largest first; sites without any are left out. Sums that are equal are in the order of
    /// the sites' names.
    pub fn by_site<'a>(
        &self,
        sites: &Sites,
        rows: impl Iterator<Item = &'a Row>,
        of: impl Fn(&Row) -> f64,
    ) -> Vec<(usize, Estimate)> {
        let mut groups: HashMap<usize, Vec<&Row>> = HashMap::new();
        for row in rows {
            if let Some(site) = sites.of(row) {
                groups.entry(site).or_default().push(row);
            }
        }
        let mut sums: Vec<(usize, Estimate)> = groups
            .into_iter()
            .map(|(site, rows)| (site, self.estimate(rows.into_iter(), &of)))
            .filter(|(_, sum)| sum.value > 0.0)
            .collect();
        sums.sort_by(|(a, x), (b, y)| {
            y.value
                .total_cmp(&x.value)
                .then_with(|| sites.all[*a].cmp(&sites.all[*b]))
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ALIGN, Function, Level, Line, Mapping};

    /// A profile whose stacks have these functions, the innermost first.
    fn of_functions(stacks: &[&[&str]]) -> Profile {
        let mut profile = Profile::new(Level::Exact);
        profile.mappings = vec![Mapping {
            start: 0x1000,
            limit: 0x2000,
            offset: 0x100,
            file: "/opt/program".into(),
            build_id: String::new(),
        }];
        for stack in stacks {
            let mut places = Vec::new();
            for name in *stack {
                let address = 0x1000 + profile.locations.len() as u64;
                places.push(profile.locations.len());
                let lines = (!name.is_empty()).then(|| {
                    profile.functions.push(Function {
                        name: (*name).into(),
                        system_name: String::new(),
                        file: "src/a.c".into(),
                    });
                    let function = profile.functions.len() - 1;
                    Line { function, line: 7 }
                });
                profile.locations.push(Location {
                    address,
                    mapping: Some(0),
                    lines: lines.into_iter().collect(),
                });
            }
            profile.rows.push(Row {
                size: 100,
                align: ALIGN,
                stack: profile.stacks.len(),
                thread: 1,
                born: 0,
                ended: None,
                objects: 1 + profile.rows.len() as u64,
                bytes: 100,
                samples: 1,
                lived: 0.0,
            });
            profile.stacks.push(places);
        }
        profile
    }

    #[test]
    fn the_site_is_the_first_frame_of_the_program() {
        let profile = of_functions(&[
            &[
                "operator new(unsigned long)",
                "std::vector<int>::push_back(int)",
                "fill",
                "main",
            ],
            &[
                "alloc::alloc::alloc",
                "<alloc::vec::Vec<T> as Clone>::clone",
                "",
                "main",
            ],
            &["malloc"],
            &[],
            &["strdup", "fill", "other"],
        ]);
        let sites = profile.sites();
        let names: Vec<&str> = sites.all.iter().map(|site| site.function.as_str()).collect();
        assert_eq!(names, ["fill", "program+0x106", "malloc", "(no stack)"]);
        assert_eq!(sites.all[0].place, "src/a.c:7");
        assert_eq!(sites.all[0].callers, ["main"]);
        let sums = profile.by_site(&sites, profile.rows.iter(), |row| row.objects as f64);
        let sums: Vec<(usize, f64)> = sums.iter().map(|(site, sum)| (*site, sum.value)).collect();
        assert_eq!(sums, [(0, 6.0), (3, 4.0), (2, 3.0), (1, 2.0)]);
    }
}
