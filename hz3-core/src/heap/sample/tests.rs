//! The tables of samples against a model.

use super::*;
use std::collections::HashMap;
use std::vec::Vec;

fn policy(samples: u32) -> Policy {
    let mut policy = Policy::default();
    policy.stats.samples = samples;
    policy
}

fn birth(asked: u64, thread: u32) -> Birth {
    Birth {
        asked,
        born: 5,
        weight: 2.0,
        stack: 0,
        thread,
        class: 3,
        align: 0,
        level: 0,
    }
}

fn copied<R>(samples: &Samples, policy: &Policy, f: impl FnOnce(&Copied<'_>) -> R) -> R {
    let mut memory = std::vec![0u64; Samples::copy_bytes(policy) / 8 + 1];
    // SAFETY: the memory is long enough, and outlives the copy.
    let copy = unsafe { samples.copy(memory.as_mut_ptr().cast(), true) };
    f(&copy.expect("the lock is free"))
}

#[test]
fn goes_with_a_model() {
    let policy = policy(8192);
    let samples = Samples::new();
    assert!(
        !samples.birth(4096 as *mut u8, birth(1, 1), &[]),
        "there are no tables yet"
    );
    samples.begin(&policy);
    let mut dice = crate::heap::chance::Dice(3);
    let mut model: HashMap<usize, (u64, Vec<usize>)> = HashMap::new();
    let mut ended: HashMap<(u64, bool), u64> = HashMap::new();
    let mut refused = 1;
    for _ in 0..20_000 {
        let p = (dice.bits() % 300 + 1) as usize * 4096;
        let object = p as *mut u8;
        match model.remove(&p) {
            None if model.len() < 200 => {
                let asked = dice.bits() % 20;
                let stack: Vec<usize> = (0..dice.bits() % 5).map(|n| (asked + n) as usize).collect();
                if samples.birth(object, birth(asked, 1), &stack) {
                    model.insert(p, (asked, stack));
                } else {
                    refused += 1;
                }
            }
            None => assert!(samples.end(object, || 1).is_none()),
            Some((asked, _)) => {
                let thread = 1 + (dice.bits() % 2) as u32;
                assert_eq!(samples.get(object).map(|b| b.asked), Some(asked));
                assert_eq!(samples.end(object, || thread).map(|b| b.asked), Some(asked));
                *ended.entry((asked, thread == 2)).or_default() += 1;
            }
        }
        assert_eq!(samples.count(), model.len());
    }
    assert_eq!(samples.dropped(), refused);
    copied(&samples, &policy, |copy| {
        let mut live: Vec<(u64, Vec<u64>)> = copy
            .births()
            .map(|b| {
                let numbers = copy.stacks.stack(b.stack).iter();
                (b.asked, numbers.map(|n| copy.stacks.addresses()[*n as usize]).collect())
            })
            .collect();
        let mut want: Vec<(u64, Vec<u64>)> = model
            .values()
            .map(|(asked, stack)| (*asked, stack.iter().map(|a| *a as u64).collect()))
            .collect();
        live.sort();
        want.sort();
        assert_eq!(live, want);
        let mut sums: HashMap<(u64, bool), u64> = HashMap::new();
        for row in copy.rows {
            *sums.entry((row.asked, row.other)).or_default() += u64::from(row.samples);
            assert_eq!(row.objects, 2.0 * f64::from(row.samples));
            assert_eq!(row.bytes, row.objects * row.asked as f64);
        }
        assert_eq!(sums, ended);
    });
    // SAFETY: nobody else uses the tables.
    unsafe { samples.end_all() };
    assert!(samples.get(4096 as *const u8).is_none());
}

#[test]
fn what_finds_no_room_is_counted_and_nothing_is_lost_of_what_has_ended() {
    let policy = policy(64);
    let samples = Samples::new();
    samples.begin(&policy);
    let rooms = Rooms::of(&policy);
    let kept = (1..=100)
        .filter(|n| samples.birth((n * 4096) as *mut u8, birth(1, 1), &[]))
        .count();
    assert!(kept <= 64 && kept > 48, "{kept}");
    assert_eq!(samples.dropped() as usize, 100 - kept);
    (1..=100).for_each(|n| _ = samples.end((n * 4096) as *mut u8, || 1));
    // Each of another kind: the first half of the rows is exact, then kinds become wider.
    for n in 0..3000u64 {
        assert!(samples.birth(4096 as *mut u8, birth(n * 3, n as u32), &[n as usize % 7]));
        assert!(samples.end(4096 as *mut u8, || 0).is_some());
    }
    copied(&samples, &policy, |copy| {
        let all: u32 = copy.rows.iter().map(|row| row.samples).sum();
        assert_eq!(all as usize, 3000 + kept);
        assert!(copy.rows.len() <= rooms.rows);
        let exact = copy.rows.iter().filter(|row| row.thread != 0).count();
        assert!(exact <= rooms.rows / 2 && exact > rooms.rows / 4, "{exact}");
    });
    assert_eq!(samples.dropped() as usize, 100 - kept);
}

#[test]
fn tables_are_as_long_as_they_say() {
    for samples in [1, 64, 100, 16384] {
        let policy = policy(samples);
        let rooms = Rooms::of(&policy);
        assert!(rooms.live.is_power_of_two() && rooms.live >= samples as usize);
        assert!(table_bytes(&policy) < 700 * rooms.live, "{}", table_bytes(&policy));
        // Indices end the mapping, and all parts of eight bytes' alignment come before those of four.
        assert_eq!(size_of::<Birth>() % 8, 0);
        assert_eq!(size_of::<Row>() % 8, 0);
        assert_eq!(size_of::<Stack>() % 8, 0);
    }
}

#[test]
fn a_length_that_changes_is_told_and_weighs_as_before() {
    let policy = policy(64);
    let samples = Samples::new();
    samples.begin(&policy);
    let (p, other) = (8192 as *mut u8, 4096 as *mut u8);
    assert!(samples.birth(p, birth(100, 1), &[1, 2]) && samples.birth(other, birth(7, 1), &[]));
    samples.resize(p, 120);
    samples.resize(12288 as *mut u8, 5);
    let known = samples.get(p).expect("it is a sampled one");
    assert_eq!((known.asked, known.weight), (120, 2.0));
    samples.end(p, || 1);
    // What ended is gone, whatever somebody says of its length.
    samples.resize(p, 300);
    copied(&samples, &policy, |copy| {
        assert_eq!(copy.births().map(|birth| birth.asked).collect::<Vec<_>>(), [7]);
        let rows: Vec<_> = copy
            .rows
            .iter()
            .map(|row| (row.asked, row.objects, row.bytes))
            .collect();
        assert_eq!(rows, [(120, 2.0, 240.0)]);
    });
}
