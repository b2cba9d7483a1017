//! Profiles for other tools than pprof: Speedscope's own format, and collapsed stacks as flame graphs are drawn from.

use super::sites::base;
use super::{Profile, Row, Which};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// A frame as people read it: function, file and line.
type Frame = (String, String, u64);

impl Profile {
    /// The frames of a stack, the outermost first.
    fn outermost_first(&self, stack: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &location in self.stacks.get(stack).into_iter().flatten().rev() {
            let location = &self.locations[location];
            if location.lines.is_empty() {
                let file = location.mapping.map_or("", |at| self.mappings[at].file.as_str());
                frames.push((self.address(location), file.to_owned(), 0));
            }
            // Inlined functions are named first.
            for line in location.lines.iter().rev() {
                let function = &self.functions[line.function];
                frames.push((function.name.clone(), function.file.clone(), line.line));
            }
        }
        if frames.is_empty() {
            frames.push(("(no stack)".to_owned(), String::new(), 0));
        }
        frames
    }

    /// Bytes by stack, in the order of stacks.
    fn weights(&self, which: Which) -> BTreeMap<usize, u64> {
        let mut weights = BTreeMap::new();
        for Row { stack, bytes, .. } in self.rows(which) {
            *weights.entry(*stack).or_insert(0) += bytes;
        }
        weights.retain(|_, bytes| *bytes > 0);
        weights
    }

    /// Lines `outermost;…;innermost bytes`.
    pub fn collapsed(&self, which: Which) -> String {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for (stack, bytes) in self.weights(which) {
            let names: Vec<String> = self
                .outermost_first(stack)
                .into_iter()
                .map(|(name, ..)| name.replace(';', ":"))
                .collect();
            *lines.entry(names.join(";")).or_insert(0) += bytes;
        }
        lines
            .into_iter()
            .map(|(stack, bytes)| format!("{stack} {bytes}\n"))
            .collect()
    }

    /// The file that Speedscope opens: bytes in use, and all that were allocated if the level sees them.
    pub fn speedscope(&self) -> Value {
        let mut frames: Vec<Value> = Vec::new();
        let mut known: HashMap<Frame, usize> = HashMap::new();
        let mut profiles = Vec::new();
        for (which, name) in [(Which::InUse, "bytes in use"), (Which::Allocated, "bytes allocated")] {
            if which == Which::Allocated && !self.level.sees_all() {
                continue;
            }
            let (mut samples, mut weights) = (Vec::new(), Vec::new());
            for (stack, bytes) in self.weights(which) {
                let mut sample = Vec::new();
                for frame in self.outermost_first(stack) {
                    let next = frames.len();
                    let at = *known.entry(frame).or_insert_with_key(|(name, file, line)| {
                        let mut frame = json!({ "name": name });
                        if !file.is_empty() {
                            frame["file"] = json!(file);
                        }
                        if *line > 0 {
                            frame["line"] = json!(line);
                        }
                        frames.push(frame);
                        next
                    });
                    sample.push(at);
                }
                samples.push(sample);
                weights.push(bytes);
            }
            profiles.push(json!({
                "type": "sampled",
                "name": name,
                "unit": "bytes",
                "startValue": 0,
                "endValue": weights.iter().sum::<u64>(),
                "samples": samples,
                "weights": weights,
            }));
        }
        let name = match (self.command.as_str(), self.config.as_str()) {
            ("", "") => "heap",
            ("", config) => config,
            (command, _) => base(command),
        };
        json!({
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "exporter": "hz3",
            "name": name,
            "activeProfileIndex": 0,
            "shared": { "frames": frames },
            "profiles": profiles,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pprof::example;
    use crate::profile::Which;

    #[test]
    fn stacks_for_flame_graphs() {
        let profile = example();
        // The stack [1, 0]: location 1 is `std::make()` inlined into `main`, and was called from an address without a name.
        assert_eq!(
            profile.collapsed(Which::InUse),
            "(no stack) 1000\nserver+0x400;main;std::make() 240\n"
        );
        assert!(profile.collapsed(Which::Allocated).contains("std::make() 41200\n"));
    }

    #[test]
    fn speedscope_gets_frames_once() {
        let file = example().speedscope();
        let frames = file["shared"]["frames"].as_array().unwrap();
        assert_eq!(frames.len(), 4);
        assert!(frames.contains(&serde_json::json!({"name": "std::make()", "file": "make.cc", "line": 12})));
        let [live, all] = &file["profiles"].as_array().unwrap()[..] else {
            panic!("two profiles")
        };
        assert_eq!((&live["endValue"], &all["endValue"]), (&1240.into(), &42200.into()));
        assert_eq!(live["samples"].as_array().unwrap().len(), 2);
    }
}
