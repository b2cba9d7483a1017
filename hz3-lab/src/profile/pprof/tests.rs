use super::proto::{self, File};
use super::*;
use crate::profile::{ALIGN, Clock, Ended, FreedBy, Function, Level, Line, Location, Mapping, Moment, Profile, Row};
use crate::stats::Rng;
use crate::trace::{Call, Event, Trace};
use prost::Message;

fn row(size: u64, ended: Option<Ended>) -> Row {
    Row {
        size,
        align: ALIGN,
        stack: 1,
        thread: 2,
        born: 5,
        ended,
        objects: 10,
        bytes: 10 * size,
        samples: 3,
        lived: 77.0,
    }
}

pub fn example() -> Profile {
    let ended = Ended {
        lifetime: 64,
        freed_by: Some(FreedBy::Other),
    };
    let line = |function| Line { function, line: 12 };
    let location = |address, lines| Location {
        address,
        mapping: Some(0),
        lines,
    };
    Profile {
        config: "default".into(),
        config_hash: "0123".into(),
        command: "a server".into(),
        period: 512 << 10,
        time_nanos: 1_700_000_000_000_000_000,
        duration: 1000,
        threads: 3,
        live_bytes: Some(2_000),
        dropped: 1,
        rows: vec![
            row(24, None),
            row(4096, Some(ended)),
            Row {
                align: 64,
                stack: 0,
                thread: 0,
                ..row(100, None)
            },
            Row {
                stack: 0,
                ..row(
                    0,
                    Some(Ended {
                        freed_by: None,
                        ..ended
                    }),
                )
            },
        ],
        stacks: vec![Vec::new(), vec![1, 0]],
        locations: vec![location(0x1000, Vec::new()), location(0x1234, vec![line(1), line(0)])],
        mappings: vec![Mapping {
            start: 0x1000,
            limit: 0x9000,
            offset: 0x400,
            file: "/usr/bin/server".into(),
            build_id: "abcdef".into(),
        }],
        functions: vec![
            Function {
                name: "main".into(),
                ..Function::default()
            },
            Function {
                name: "std::make()".into(),
                system_name: "_ZSt4makev".into(),
                file: "make.cc".into(),
            },
        ],
        ..Profile::new(Level::All)
    }
}

/// What is the same as after writing and reading: stacks get their numbers in the order of rows.
fn shown(profile: &Profile) -> Profile {
    let mut same = profile.clone();
    same.stacks = vec![vec![1, 0], Vec::new()];
    for row in &mut same.rows {
        row.stack = usize::from(row.stack == 0);
    }
    same
}

#[test]
fn what_is_written_is_read() {
    let profile = example();
    let (packed, plain) = (profile.write(), profile.write_plain());
    assert!(packed.starts_with(&[0x1f, 0x8b]) && !plain.starts_with(&[0x1f, 0x8b]));
    assert_eq!(Profile::read(&packed).unwrap(), shown(&profile));
    assert_eq!(Profile::read(&plain).unwrap(), shown(&profile));
}

#[test]
fn the_profile_of_a_recording_comes_back() {
    let mut rng = Rng(4);
    let mut events = Vec::new();
    for made in 0..2000u32 {
        let thread = (made % 3) as u16;
        let call = Call::Malloc(rng.below(3000) as u64);
        events.push(Event { thread, call });
        if made >= 300 {
            events.push(Event {
                thread,
                call: Call::Free(made - 300),
            });
        }
    }
    let trace = Trace {
        command: "a program".into(),
        events,
        ..Trace::default()
    };
    let profile = Profile::of_trace(&trace, Moment::End);
    assert_eq!(Profile::read(&profile.write()).unwrap(), profile);
}

/// The file of the example, changed.
fn changed(change: impl FnOnce(&mut File)) -> Vec<u8> {
    let mut file = File::decode(example().write_plain().as_slice()).unwrap();
    change(&mut file);
    file.encode_to_vec()
}

#[test]
fn what_no_process_can_have_done_is_refused() {
    fn string(file: &mut File, text: &str) -> i64 {
        file.strings.push(text.as_bytes().to_vec());
        file.strings.len() as i64 - 1
    }
    fn place(file: &File, text: &str) -> i64 {
        let place = file.strings.iter().position(|one| one == text.as_bytes());
        place.expect("a string of the example") as i64
    }
    fn comment(file: &mut File, old: &str, new: &str) {
        let at = place(file, old) as usize;
        file.strings[at] = new.as_bytes().to_vec();
    }
    fn label<'a>(file: &'a mut File, sample: usize, key: &str) -> &'a mut proto::Label {
        let key = place(file, key);
        let mut labels = file.samples[sample].labels.iter_mut();
        labels.find(|label| label.key == key).expect("a label of the example")
    }
    type Change = fn(&mut File);
    let cases: &[(&str, Change)] = &[
        ("it has no comment hz3=1", |f| f.comments.clear()),
        ("it is of version 2, and this hz3 reads version 1", |f| {
            comment(f, "hz3=1", "hz3=2")
        }),
        ("its level is `some`", |f| comment(f, "level=all", "level=some")),
        ("its comment threads=-1 is no number", |f| {
            comment(f, "threads=3", "threads=-1")
        }),
        ("its clock counts `moons`", |f| {
            let text = string(f, "clock=moons");
            f.comments.push(text);
        }),
        ("its period is 0", |f| f.period = 0),
        ("its period is -5", |f| f.period = -5),
        ("its duration is -1", |f| f.duration_nanos = -1),
        ("it says of no value what it means", |f| f.sample_types.clear()),
        (
            "its values are alloc_objects/count, alloc_space/bytes, inuse_objects/count, not alloc_objects/count,",
            |f| f.sample_types.truncate(3),
        ),
        ("the first of its strings is not empty", |f| {
            f.strings[0] = b"x".to_vec()
        }),
        ("there is no string 9999", |f| f.comments.push(9999)),
        ("there is no string -1", |f| f.comments.push(-1)),
        ("two of its locations have the id 1", |f| f.locations[1].id = 1),
        ("one of its mappings has the id 0", |f| f.mappings[0].id = 0),
        ("there is no mapping 7", |f| f.locations[0].mapping = 7),
        ("there is no function 9", |f| f.locations[1].lines[0].function = 9),
        ("the number of a line is -3", |f| f.locations[1].lines[0].line = -3),
        ("sample 0: there is no location 77", |f| f.samples[0].locations[0] = 77),
        ("sample 0: a stack of 5000 frames", |f| {
            f.samples[0].locations = vec![1; 5000]
        }),
        ("sample 1: 3 values, not 4", |f| f.samples[1].values.truncate(3)),
        ("sample 1: alloc_space is -8", |f| f.samples[1].values[1] = -8),
        ("sample 1: objects that have ended and are in use", |f| {
            f.samples[1].values[2] = 1
        }),
        (
            "sample 0: 10 objects were allocated and 9 of them are in use, in one row",
            |f| f.samples[0].values[2] = 9,
        ),
        ("sample 0: no label `bytes`", |f| f.samples[0].labels.clear()),
        ("sample 0: bytes is -1", |f| label(f, 0, "bytes").number = -1),
        ("sample 0: an object of 281474976710656 bytes, aligned to 16", |f| {
            label(f, 0, "bytes").number = 1 << 48
        }),
        ("sample 2: an alignment of 48", |f| label(f, 2, "align").number = 48),
        ("sample 0: born is in `bytes`, not in nanoseconds", |f| {
            let unit = place(f, "bytes");
            label(f, 0, "born").unit = unit;
        }),
        ("sample 1: it was freed by `same thread`", |f| {
            let who = string(f, "same thread");
            label(f, 1, "freed_by").text = who;
        }),
        ("sample 1: more than 2^62 bytes, objects or samples up to here", |f| {
            f.samples[1].values[1] = i64::MAX
        }),
        ("sample 0: more than 2^62 bytes, objects or samples up to here", |f| {
            label(f, 0, "samples").number = i64::MAX
        }),
    ];
    for (what, change) in cases {
        let error = Profile::read(&changed(change)).expect_err(what);
        assert!(error.message.contains(what), "{}\nnot {what}", error.message);
        assert!(
            error.message.starts_with("no profile that hz3 can use: "),
            "{}",
            error.message
        );
        assert_eq!(error.message.matches("no profile").count(), 1, "{}", error.message);
    }
}

#[test]
fn files_that_are_none_are_named() {
    for (data, what) in [
        (&b""[..], "it says of no value what it means"),
        (b"hz3t1\nx\n0\n0\n", "failed to decode"),
        (b"\x7fELF\x02\x01\x01", "failed to decode"),
        (b"\x1f\x8b\x08\x00", "it is compressed, but not whole"),
    ] {
        let message = Profile::read(data).expect_err(what).message;
        assert!(message.contains(what), "{message}");
    }
    let packed = example().write();
    for cut in 0..packed.len() {
        Profile::read(&packed[..cut]).expect_err("a file without its end");
    }
    let named = Profile::read(&changed(|f| f.strings.push(vec![b'\x1b', 0xff]))).expect("odd strings are no fault");
    assert_eq!(named.rows.len(), 4);
}

#[test]
fn what_was_damaged_is_refused_or_can_be_used() {
    let whole = example().write_plain();
    let mut rng = Rng(5);
    let mut accepted = 0;
    for _ in 0..8_000 {
        let mut data = whole.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(data.len());
            match rng.below(4) {
                0 => data[at] = rng.next_u64() as u8,
                1 => data[at] ^= 1 << rng.below(8),
                2 => drop(data.remove(at)),
                _ => data.insert(at, 0xff >> rng.below(8)),
            }
        }
        let Ok(profile) = Profile::read(&data) else { continue };
        accepted += 1;
        for row in &profile.rows {
            assert!(
                row.size < 1 << 48 && row.lived.is_finite() && row.lived >= 0.0,
                "{row:?}"
            );
            let stack = &profile.stacks[row.stack];
            assert!(stack.iter().all(|&place| place < profile.locations.len()));
        }
        for location in &profile.locations {
            assert!(location.mapping.is_none_or(|mapping| mapping < profile.mappings.len()));
            assert!(
                location
                    .lines
                    .iter()
                    .all(|line| line.function < profile.functions.len())
            );
        }
        let sum = profile.estimate(profile.rows.iter(), |row| row.bytes as f64);
        assert!(sum.low <= sum.value && sum.value <= sum.high, "{sum:?}");
        let again = Profile::read(&profile.write_plain()).expect("what was read can be written");
        assert_eq!(again.rows.len(), profile.rows.len());
    }
    assert!(accepted > 200, "only {accepted} of them could be read");
}

#[test]
fn a_writer_need_not_say_how_long_objects_lived() {
    let file = changed(|f| {
        let lived = f.strings.iter().position(|text| text == LIVED.as_bytes()).unwrap() as i64;
        for sample in &mut f.samples {
            sample.labels.retain(|label| label.key != lived);
        }
    });
    let profile = Profile::read(&file).unwrap();
    let lived: Vec<f64> = profile.rows.iter().map(|row| row.lived).collect();
    // Live since 5, up to 1000; a bucket of lifetimes from 64 to 127.
    assert_eq!(lived, [9950.0, 960.0, 9950.0, 960.0]);
    assert_eq!(profile.clock, Clock::Nanoseconds);
}

#[test]
fn rounding_takes_no_objects_away() {
    let mut profile = Profile::new(Level::All);
    profile.period = 4096;
    profile.stacks = vec![Vec::new()];
    // Each was seen once, and stands for 4.49.
    let row = Row {
        stack: 0,
        objects: 4,
        bytes: 4634,
        samples: 1,
        lived: 0.0,
        born: 0,
        ..row(1032, None)
    };
    profile.rows = vec![row; 1000];
    let read = Profile::read(&profile.write()).unwrap();
    let objects: u64 = read.rows.iter().map(|row| row.objects).sum();
    assert_eq!(objects, 4490);
    assert!(read.rows.iter().all(|row| matches!(row.objects, 4 | 5)));
    assert_eq!(Profile::read(&read.write()).unwrap(), read);
}
