//! From a profile to a file in pprof's format.

use super::proto::{self, File, ValueType};
use super::{LIVED, VALUES};
use crate::profile::{ALIGN, Clock, FreedBy, Profile, Row};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use std::collections::HashMap;
use std::io::Write;

/// A table of strings that grows.
#[derive(Default)]
struct Table {
    strings: Vec<Vec<u8>>,
    places: HashMap<String, i64>,
}

impl Table {
    fn put(&mut self, text: &str) -> i64 {
        if self.strings.is_empty() {
            self.strings.push(Vec::new());
        }
        if text.is_empty() {
            return 0;
        }
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = self.strings.len() as i64;
        self.strings.push(text.as_bytes().to_vec());
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// As the format has it: its numbers have a sign.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Profile {
    /// The profile in pprof's format, compressed with gzip.
    pub fn write(&self) -> Vec<u8> {
        let plain = self.file().encode_to_vec();
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        // A vector takes all that is written.
        let written = out.write_all(&plain).and_then(|()| out.finish());
        written.unwrap_or_default()
    }

    /// The profile in pprof's format, not compressed.
    pub fn write_plain(&self) -> Vec<u8> {
        self.file().encode_to_vec()
    }

    fn file(&self) -> File {
        let mut table = Table::default();
        table.put("");
        let mut file = File {
            sample_types: VALUES
                .iter()
                .map(|(kind, unit)| ValueType {
                    kind: table.put(kind),
                    unit: table.put(unit),
                })
                .collect(),
            period_type: Some(ValueType {
                kind: table.put("space"),
                unit: table.put("bytes"),
            }),
            period: signed(self.period),
            time_nanos: signed(self.time_nanos),
            default_sample_type: table.put("inuse_space"),
            ..File::default()
        };
        if self.clock == Clock::Nanoseconds {
            file.duration_nanos = signed(self.duration);
        }
        file.comments = self.comments().iter().map(|text| table.put(text)).collect();
        file.samples = self.rows.iter().map(|row| self.sample(row, &mut table)).collect();
        self.places(&mut file, &mut table);
        file.strings = table.strings;
        file
    }

    fn comments(&self) -> Vec<String> {
        let mut all = vec![
            ("hz3", "1".to_owned()),
            ("level", self.level.word().to_owned()),
            ("sample_bytes", self.period.to_string()),
            ("threads", self.threads.to_string()),
            ("dropped", self.dropped.to_string()),
        ];
        for (key, text) in [
            ("config", &self.config),
            ("config_hash", &self.config_hash),
            ("command", &self.command),
        ] {
            if !text.is_empty() {
                all.push((key, text.clone()));
            }
        }
        for (key, number) in [
            ("live_bytes", self.live_bytes),
            ("peak_live_bytes", self.peak_live_bytes),
        ] {
            all.extend(number.map(|n| (key, n.to_string())));
        }
        if self.clock != Clock::Nanoseconds {
            all.push(("clock", self.clock.unit().to_owned()));
            all.push(("duration", self.duration.to_string()));
        }
        all.into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    fn sample(&self, row: &Row, table: &mut Table) -> proto::Sample {
        let (live, live_bytes) = if row.live() { (row.objects, row.bytes) } else { (0, 0) };
        let stack = self.stacks.get(row.stack).map_or(&[][..], Vec::as_slice);
        let mut sample = proto::Sample {
            locations: stack.iter().map(|&place| place as u64 + 1).collect(),
            values: [row.objects, row.bytes, live, live_bytes].map(signed).to_vec(),
            labels: Vec::new(),
        };
        let time = table.put(self.clock.unit());
        let mut number = |key: &str, number: u64, unit: i64| {
            sample.labels.push(proto::Label {
                key: table.put(key),
                number: signed(number),
                unit,
                text: 0,
            });
        };
        number("bytes", row.size, 0);
        if row.align > ALIGN {
            number("align", row.align, 0);
        }
        if row.thread > 0 {
            number("thread", row.thread, 0);
        }
        number("born", row.born, time);
        number("samples", row.samples, 0);
        number(LIVED, row.lived as u64, time);
        if let Some(ended) = row.ended {
            number("lifetime", ended.lifetime, time);
            if let Some(by) = ended.freed_by {
                let who = match by {
                    FreedBy::Same => "same",
                    FreedBy::Other => "other",
                };
                sample.labels.push(proto::Label {
                    key: table.put("freed_by"),
                    text: table.put(who),
                    ..proto::Label::default()
                });
            }
        }
        sample
    }

    fn places(&self, file: &mut File, table: &mut Table) {
        let known = !self.functions.is_empty();
        for (at, mapping) in self.mappings.iter().enumerate() {
            file.mappings.push(proto::Mapping {
                id: at as u64 + 1,
                start: mapping.start,
                limit: mapping.limit,
                offset: mapping.offset,
                file: table.put(&mapping.file),
                build_id: table.put(&mapping.build_id),
                has_functions: known,
                has_filenames: known,
                has_lines: known,
                has_inline_frames: known,
            });
        }
        for (at, location) in self.locations.iter().enumerate() {
            let lines = location.lines.iter().map(|line| proto::Line {
                function: line.function as u64 + 1,
                line: signed(line.line),
                column: 0,
            });
            file.locations.push(proto::Location {
                id: at as u64 + 1,
                mapping: location.mapping.map_or(0, |mapping| mapping as u64 + 1),
                address: location.address,
                lines: lines.collect(),
                folded: false,
            });
        }
        for (at, function) in self.functions.iter().enumerate() {
            file.functions.push(proto::Function {
                id: at as u64 + 1,
                name: table.put(&function.name),
                system_name: table.put(&function.system_name),
                file: table.put(&function.file),
                start_line: 0,
            });
        }
    }
}
