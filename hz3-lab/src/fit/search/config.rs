//! A config that is considered: what of it differs from the base.

use super::found::Keys;
use crate::fit::candidates::Line;
use crate::fit::demand::{FINEST, GRANULE};
use std::collections::BTreeMap;

/// A config: its keys, and its classes if they are not the base's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The keys that differ.
    pub keys: Keys,
    /// The classes, band by band.
    pub classes: Option<Vec<Vec<u32>>>,
}

/// Whether some of these classes are no multiples of what C's `malloc` aligns to.
pub fn is_finer(bands: &[Vec<u32>]) -> bool {
    bands.iter().flatten().any(|size| !size.is_multiple_of(GRANULE))
}

impl Config {
    /// The tables of a config file.
    pub fn text(&self) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        if let Some(bands) = &self.classes {
            let sizes: Vec<String> = bands.iter().flatten().skip(1).map(u32::to_string).collect();
            let table = lines.entry("classes").or_default();
            table.extend(is_finer(bands).then(|| format!("granule = {FINEST}")));
            table.push(format!("steps = [{{ sizes = [{}] }}]", sizes.join(", ")));
        }
        for (key, value) in &self.keys {
            let (table, name) = key.split_once('.').unwrap_or(("", key));
            lines.entry(table).or_default().push(format!("{name} = {value}"));
        }
        lines
            .into_iter()
            .map(|(table, lines)| format!("\n[{table}]\n{}\n", lines.join("\n")))
            .collect()
    }

    /// The same with other lines.
    pub fn with(&self, lines: &[Line]) -> Self {
        let mut other = self.clone();
        other.keys.extend(lines.iter().cloned());
        other
    }

    /// The sizes of its classes, where the base has `base`.
    pub fn sizes(&self, base: &[u32]) -> Vec<u32> {
        self.classes
            .as_ref()
            .map_or_else(|| base.to_vec(), |bands| bands.concat())
    }
}
