//! From a file in pprof's format to a profile.
//!
//! A profile is a file from anywhere: what cannot be is refused, with the row and what is wrong with it.

use super::proto::{self, File, ValueType};
use super::rounding::{lived, whole};
use super::{LIVED, VALUES};
use crate::profile::{ALIGN, Clock, Ended, FreedBy, Function, Level, Line, Location, Mapping, Profile, Row};
use flate2::read::MultiGzDecoder;
use hz3_project::{Error, Result};
use prost::Message;
use std::collections::HashMap;
use std::io::Read;

/// How the message of what is refused begins.
const PREFIX: &str = "no profile that hz3 can use: ";
/// What a file compressed with gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Most bytes of a file that was decompressed.
const MOST: u64 = hz3_config::file::DATA;
/// Most rows, locations, functions, mappings or strings.
const ENTRIES: usize = 1 << 24;
/// Most frames of one stack.
const FRAMES: usize = 1 << 12;
/// One past the greatest size, alignment and address: no address space has more.
const SIZES: u64 = 1 << 48;
/// One past the greatest sum of anything: sums stay exact, and far from overflow.
const SUMS: u64 = 1 << 62;
fn fault(what: impl std::fmt::Display) -> Error {
    Error::bad_input(format!("{PREFIX}{what}"))
}

/// The file's text of a profile, decompressed.
fn plain(data: &[u8]) -> Result<Vec<u8>> {
    if !data.starts_with(&GZIP) {
        return Ok(data.to_vec());
    }
    let mut out = Vec::new();
    MultiGzDecoder::new(data)
        .take(MOST + 1)
        .read_to_end(&mut out)
        .map_err(|e| fault(format!("it is compressed, but not whole: {e}")))?;
    if out.len() as u64 > MOST {
        return Err(fault(format!("it has more than {MOST} bytes when it is decompressed")));
    }
    Ok(out)
}

/// The strings of a file, fit for terminals.
struct Strings(Vec<String>);

impl Strings {
    fn of(file: &File) -> Result<Self> {
        if file.strings.first().is_some_and(|first| !first.is_empty()) {
            return Err(fault("the first of its strings is not empty"));
        }
        let shown = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).replace(char::is_control, "?");
        Ok(Self(file.strings.iter().map(shown).collect()))
    }

    fn get(&self, index: i64) -> Result<&str> {
        let text = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        match text {
            Some(text) => Ok(text),
            None if index == 0 => Ok(""),
            None => Err(fault(format!("there is no string {index}: it has {}", self.0.len()))),
        }
    }
}

/// A value that a process can have.
fn natural(value: i64, what: &str) -> Result<u64> {
    u64::try_from(value).map_err(|_| fault(format!("{what} is {value}")))
}

/// The labels of a row.
#[derive(Default)]
struct Labels {
    bytes: Option<u64>,
    align: Option<u64>,
    thread: u64,
    born: u64,
    lifetime: Option<u64>,
    samples: Option<u64>,
    lived: Option<u64>,
    freed_by: Option<FreedBy>,
}

impl Profile {
    /// Reads a profile: pprof's format, as it is or compressed with gzip.
    ///
    /// # Errors
    ///
    /// If it is no such file, if it was not written by hz3, or if no process can have done what it says.
    pub fn read(data: &[u8]) -> Result<Self> {
        let file = File::decode(plain(data)?.as_slice()).map_err(|e| fault(e.to_string()))?;
        let counts = [
            ("samples", file.samples.len()),
            ("mappings", file.mappings.len()),
            ("locations", file.locations.len()),
            ("functions", file.functions.len()),
            ("strings", file.strings.len()),
        ];
        if let Some((what, n)) = counts.into_iter().find(|(_, n)| *n > ENTRIES) {
            return Err(fault(format!("it has {n} {what}")));
        }
        let strings = Strings::of(&file)?;
        types(&file, &strings)?;
        let mut profile = head(&file, &strings)?;
        let places = Places::of(&file, &strings, &mut profile)?;
        let mut stacks: HashMap<Vec<usize>, usize> = HashMap::new();
        let (mut objects, mut bytes, mut seen) = (0u64, 0u64, 0u64);
        for (at, sample) in file.samples.iter().enumerate() {
            let broken = |e: Error| fault(format!("sample {at}: {}", e.message.trim_start_matches(PREFIX)));
            let stack = places.stack(sample, &mut stacks).map_err(broken)?;
            let row = row(sample, stack, &strings, &mut profile).map_err(broken)?;
            for (sum, more) in [
                (&mut objects, row.objects),
                (&mut bytes, row.bytes),
                (&mut seen, row.samples),
            ] {
                // A value is below 2^63, and so is a sum that goes on.
                *sum += more;
                if *sum >= SUMS {
                    return Err(broken(fault("more than 2^62 bytes, objects or samples up to here")));
                }
            }
            profile.rows.push(row);
        }
        let mut listed: Vec<(usize, Vec<usize>)> = stacks.into_iter().map(|(stack, id)| (id, stack)).collect();
        listed.sort();
        profile.stacks = listed.into_iter().map(|(_, stack)| stack).collect();
        whole(&mut profile.rows);
        // Rows whose writer has not said how long their objects lived.
        let end = profile.duration;
        for row in profile.rows.iter_mut().filter(|row| row.lived.is_nan()) {
            row.lived = lived(row, end);
        }
        Ok(profile)
    }
}

/// Says whether the values are those of a heap profile.
fn types(file: &File, strings: &Strings) -> Result<()> {
    let mut found = Vec::new();
    for ValueType { kind, unit } in &file.sample_types {
        found.push((strings.get(*kind)?, strings.get(*unit)?));
    }
    if found == VALUES {
        return Ok(());
    }
    let list = |all: &[(&str, &str)]| {
        let all: Vec<String> = all.iter().map(|(kind, unit)| format!("{kind}/{unit}")).collect();
        all.join(", ")
    };
    Err(if found.is_empty() {
        fault("it says of no value what it means, so it is not in pprof's format")
    } else {
        fault(format!("its values are {}, not {}", list(&found), list(&VALUES)))
    })
}

/// All but rows and places.
fn head(file: &File, strings: &Strings) -> Result<Profile> {
    let mut comments = HashMap::new();
    for index in &file.comments {
        if let Some((key, value)) = strings.get(*index)?.split_once('=') {
            comments.insert(key, value);
        }
    }
    match comments.get("hz3") {
        None => return Err(fault("it has no comment hz3=1, so something else has written it")),
        Some(&"1") => {}
        Some(other) => return Err(fault(format!("it is of version {other}, and this hz3 reads version 1"))),
    }
    let word = comments.get("level").copied().unwrap_or("");
    let level = Level::of(word)
        .ok_or_else(|| fault(format!("its level is `{word}`, which is none of in-use, all and exact")))?;
    let number = |key: &str| -> Result<Option<u64>> {
        let Some(text) = comments.get(key) else {
            return Ok(None);
        };
        match text.parse::<u64>() {
            Ok(n) if n < SUMS => Ok(Some(n)),
            _ => Err(fault(format!("its comment {key}={text} is no number"))),
        }
    };
    let text = |key: &str| comments.get(key).copied().unwrap_or("").to_owned();
    let clock = match comments.get("clock").copied() {
        None | Some("nanoseconds") => Clock::Nanoseconds,
        Some("events") => Clock::Events,
        Some(other) => return Err(fault(format!("its clock counts `{other}`"))),
    };
    let duration = match clock {
        Clock::Nanoseconds => natural(file.duration_nanos, "its duration")?,
        Clock::Events => number("duration")?.unwrap_or(0),
    };
    let period = natural(file.period, "its period")?;
    if period == 0 || period >= SIZES {
        return Err(fault(format!("its period is {period}")));
    }
    Ok(Profile {
        config: text("config"),
        config_hash: text("config_hash"),
        command: text("command"),
        period,
        clock,
        time_nanos: natural(file.time_nanos, "its time")?,
        duration,
        threads: number("threads")?.unwrap_or(0),
        live_bytes: number("live_bytes")?,
        peak_live_bytes: number("peak_live_bytes")?,
        dropped: number("dropped")?.unwrap_or(0),
        ..Profile::new(level)
    })
}

/// Where locations of a file stand in the profile.
struct Places {
    locations: HashMap<u64, usize>,
}

impl Places {
    fn of(file: &File, strings: &Strings, profile: &mut Profile) -> Result<Self> {
        let mut functions = HashMap::new();
        for function in &file.functions {
            let text = |index| strings.get(index).map(str::to_owned);
            unique(&mut functions, function.id, "functions")?;
            profile.functions.push(Function {
                name: text(function.name)?,
                system_name: text(function.system_name)?,
                file: text(function.file)?,
            });
        }
        let mut mappings = HashMap::new();
        for mapping in &file.mappings {
            unique(&mut mappings, mapping.id, "mappings")?;
            profile.mappings.push(Mapping {
                start: mapping.start,
                limit: mapping.limit,
                offset: mapping.offset,
                file: strings.get(mapping.file)?.to_owned(),
                build_id: strings.get(mapping.build_id)?.to_owned(),
            });
        }
        let mut locations = HashMap::new();
        for location in &file.locations {
            unique(&mut locations, location.id, "locations")?;
            let mapping = match location.mapping {
                0 => None,
                id => Some(
                    *mappings
                        .get(&id)
                        .ok_or_else(|| fault(format!("there is no mapping {id}")))?,
                ),
            };
            let mut lines = Vec::new();
            for line in &location.lines {
                let id = line.function;
                let function = *functions
                    .get(&id)
                    .ok_or_else(|| fault(format!("there is no function {id}")))?;
                lines.push(Line {
                    function,
                    line: natural(line.line, "the number of a line")?,
                });
            }
            profile.locations.push(Location {
                address: location.address,
                mapping,
                lines,
            });
        }
        Ok(Self { locations })
    }

    /// The number of a sample's stack.
    fn stack(&self, sample: &proto::Sample, stacks: &mut HashMap<Vec<usize>, usize>) -> Result<usize> {
        if sample.locations.len() > FRAMES {
            return Err(fault(format!("a stack of {} frames", sample.locations.len())));
        }
        let place = |id: &u64| {
            let place = self.locations.get(id).copied();
            place.ok_or_else(|| fault(format!("there is no location {id}")))
        };
        let stack = sample.locations.iter().map(place).collect::<Result<Vec<usize>>>()?;
        let next = stacks.len();
        Ok(*stacks.entry(stack).or_insert(next))
    }
}

/// Remembers that the next entry has this id.
fn unique(ids: &mut HashMap<u64, usize>, id: u64, what: &str) -> Result<()> {
    let next = ids.len();
    match ids.insert(id, next) {
        _ if id == 0 => Err(fault(format!("one of its {what} has the id 0"))),
        Some(_) => Err(fault(format!("two of its {what} have the id {id}"))),
        None => Ok(()),
    }
}

fn labels(sample: &proto::Sample, strings: &Strings, clock: Clock) -> Result<Labels> {
    let mut labels = Labels::default();
    for label in &sample.labels {
        let key = strings.get(label.key)?;
        let number = || natural(label.number, key);
        let time = || -> Result<u64> {
            let unit = strings.get(label.unit)?;
            if unit.is_empty() || unit == clock.unit() {
                return number();
            }
            Err(fault(format!("{key} is in `{unit}`, not in {}", clock.unit())))
        };
        match key {
            "bytes" => labels.bytes = Some(number()?),
            "align" => labels.align = Some(number()?),
            "thread" => labels.thread = number()?,
            "born" => labels.born = time()?,
            "lifetime" => labels.lifetime = Some(time()?),
            "samples" => labels.samples = Some(number()?),
            LIVED => labels.lived = Some(time()?),
            "freed_by" => {
                labels.freed_by = match strings.get(label.text)? {
                    "same" => Some(FreedBy::Same),
                    "other" => Some(FreedBy::Other),
                    who => return Err(fault(format!("it was freed by `{who}`"))),
                }
            }
            _ => {}
        }
    }
    Ok(labels)
}

/// A sample as a row. How long its objects lived is NaN if the file does not say.
fn row(sample: &proto::Sample, stack: usize, strings: &Strings, profile: &mut Profile) -> Result<Row> {
    let labels = labels(sample, strings, profile.clock)?;
    let values: [i64; 4] = sample
        .values
        .as_slice()
        .try_into()
        .map_err(|_| fault(format!("{} values, not 4", sample.values.len())))?;
    let mut naturals = [0; 4];
    for (natural, (value, (what, _))) in naturals.iter_mut().zip(values.into_iter().zip(VALUES)) {
        *natural = self::natural(value, what)?;
    }
    let [objects, bytes, live, live_bytes] = naturals;
    let size = labels.bytes.ok_or_else(|| fault("no label `bytes`"))?;
    let align = labels.align.unwrap_or(ALIGN).max(ALIGN);
    if size >= SIZES || align >= SIZES {
        return Err(fault(format!(
            "an object of {size} bytes, aligned to {align} (2^48 and more do not exist)"
        )));
    }
    if !align.is_power_of_two() {
        return Err(fault(format!("an alignment of {align}")));
    }
    let ended = labels.lifetime.map(|lifetime| Ended {
        lifetime,
        freed_by: labels.freed_by,
    });
    match ended {
        Some(_) if live > 0 || live_bytes > 0 => return Err(fault("objects that have ended and are in use")),
        None if (live, live_bytes) != (objects, bytes) => {
            return Err(fault(format!(
                "{objects} objects were allocated and {live} of them are in use, in one row"
            )));
        }
        _ => {}
    }
    // A clock that is read twice may be a little ahead of the time of the whole.
    profile.duration = profile.duration.max(labels.born);
    Ok(Row {
        size,
        align,
        stack,
        thread: labels.thread,
        born: labels.born,
        ended,
        objects,
        bytes,
        samples: labels.samples.unwrap_or(1),
        lived: labels.lived.map_or(f64::NAN, |lived| lived as f64),
    })
}
