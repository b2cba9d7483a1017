use super::*;
use std::vec::Vec;

impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The fields of a message: number, and what it holds.
fn fields(mut data: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn read(data: &mut &[u8]) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let (first, rest) = data.split_first().expect("a byte");
            *data = rest;
            n |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return n;
            }
        }
    }
    let mut all = Vec::new();
    while !data.is_empty() {
        let key = read(&mut data);
        let n = read(&mut data);
        if key & 7 == 2 {
            let (bytes, rest) = data.split_at(n as usize);
            all.push((key >> 3, 0, bytes.to_vec()));
            data = rest;
        } else {
            all.push((key >> 3, n, Vec::new()));
        }
    }
    all
}

#[test]
fn words_are_found() {
    for (at, text) in WORDS.iter().enumerate() {
        assert_eq!(word(text), at as u64);
    }
    assert_eq!(word("nothing"), u64::MAX);
}

#[test]
fn a_row_of_the_longest_numbers_fits() {
    let stack = [u32::MAX; 64];
    let mut writer = Writer::new(
        Vec::new(),
        Head {
            time: u64::MAX >> 1,
            duration: 7,
            period: 512 << 10,
        },
    );
    writer.row(&Row {
        stack: &stack,
        objects: 1e30,
        bytes: 2.4,
        size: u64::MAX,
        align: 1 << 63,
        thread: u64::MAX,
        born: Some(u64::MAX),
        ended: Some(Ended {
            lifetime: u64::MAX,
            other: true,
        }),
        samples: u64::MAX,
        lived: Some(u64::MAX),
    });
    let all = fields(&writer.out);
    let rows: Vec<_> = all.iter().filter(|f| f.0 == 2).collect();
    assert_eq!(rows.len(), 1);
    let row = fields(&rows[0].2);
    let labels: Vec<_> = row.iter().filter(|f| f.0 == 3).map(|f| fields(&f.2)).collect();
    assert_eq!(labels.len(), 8);
    assert_eq!(
        labels[0],
        [
            (1, BYTES, Vec::new()),
            (3, u64::MAX, Vec::new()),
            (4, BYTES, Vec::new())
        ]
    );
    assert_eq!(labels[5][1], (2, word("other"), Vec::new()));
    assert_eq!(row[0].2.len(), 64 * 5);
    // 2^63 - 1 is the most, then two bytes, and nothing in use.
    assert_eq!(row[1].2, [255, 255, 255, 255, 255, 255, 255, 255, 127, 2, 0, 0]);
}

#[test]
fn strings_are_numbered_as_they_come() {
    let mut writer = Writer::new(
        Vec::new(),
        Head {
            time: 1,
            duration: 2,
            period: 3,
        },
    );
    writer.comment(b"hz3=1");
    writer.mapping(&Mapping {
        id: 1,
        start: 0x1000,
        limit: 0x2000,
        offset: 0,
        file: b"/bin/x",
        build_id: b"",
    });
    writer.location(0, 1, 0x1234);
    let all = fields(&writer.out);
    let strings: Vec<_> = all.iter().filter(|f| f.0 == 6).map(|f| f.2.clone()).collect();
    assert_eq!(strings.len(), WORDS.len() + 2);
    assert_eq!(strings[WORDS.len()], b"hz3=1");
    assert_eq!(all.iter().find(|f| f.0 == 13).map(|f| f.1), Some(WORDS.len() as u64));
    let mapping = all.iter().find(|f| f.0 == 3).map(|f| fields(&f.2)).expect("a mapping");
    assert_eq!(mapping.last().map(|f| (f.0, f.1)), Some((5, WORDS.len() as u64 + 1)));
    let place = all.iter().find(|f| f.0 == 4).map(|f| fields(&f.2)).expect("a location");
    assert_eq!(place.iter().map(|f| f.1).collect::<Vec<_>>(), [1, 1, 0x1234]);
}

/// Objects of each row of a profile, and those of them that are in use.
fn objects(writer: &Writer<Vec<u8>>) -> Vec<(u64, u64)> {
    let rows = fields(&writer.out).into_iter().filter(|field| field.0 == 2);
    let values = rows.map(|row| {
        let packed = fields(&row.2).into_iter().find(|field| field.0 == 2).expect("values").2;
        // As the fields of a message whose numbers have no keys.
        let mut values = Vec::new();
        let (mut n, mut shift) = (0u64, 0);
        for byte in packed {
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                values.push(n);
                (n, shift) = (0, 0);
            }
        }
        values
    });
    values.map(|values| (values[0], values[2])).collect()
}

#[test]
fn what_rounding_takes_from_a_row_goes_to_the_next() {
    let head = Head {
        time: 1,
        duration: 2,
        period: 3,
    };
    let mut writer = Writer::new(Vec::new(), head);
    let mut row = |objects: f64, ended: bool| {
        writer.row(&Row {
            objects,
            bytes: objects * 100.0,
            ended: ended.then_some(Ended {
                lifetime: 1,
                other: false,
            }),
            ..Row::default()
        });
    };
    // A thousand rows of 4.49 objects are 4490, not 4000; live ones and others share what is left over.
    let sums = [4.49, 0.25, 1.0 / 3.0, 7.0];
    for sum in sums {
        for n in 0..1000 {
            row(sum, n % 2 == 1);
        }
    }
    let told = objects(&writer);
    assert_eq!(told.len(), 4000);
    let (mut exact, mut all) = (0.0, 0);
    for (n, (objects, live)) in told.iter().enumerate() {
        let own = sums[n / 1000];
        exact += own;
        all += objects;
        assert!(
            (all as f64 - exact).abs() <= 0.5 + 1e-6,
            "{all} objects in {} rows, not {exact}",
            n + 1
        );
        assert!(
            (*objects as f64 - own).abs() < 1.0,
            "a row of {own} is told as {objects}"
        );
        assert_eq!(*live, if n % 2 == 0 { *objects } else { 0 });
    }
    assert_eq!(all, 12_073, "4490, 250, 333 and 7000");
}

#[test]
fn a_row_beyond_all_numbers_adds_nothing_to_the_next() {
    let mut writer = Writer::new(
        Vec::new(),
        Head {
            time: 0,
            duration: 0,
            period: 1,
        },
    );
    for objects in [0.5, 0.4, 0.0, 3.0, 1e30, 2.0, f64::NAN, 4.0] {
        writer.row(&Row {
            objects,
            ..Row::default()
        });
    }
    let told: Vec<u64> = objects(&writer).into_iter().map(|row| row.0).collect();
    assert_eq!(told, [1, 0, 0, 3, i64::MAX as u64, 2, 0, 4]);
}
