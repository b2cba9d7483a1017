//! The raw file of a recording, by the shim (`clients/tracer.c`) or by a variant of which `stats.record` is `"trace"`.

use super::pack::{ALIGNMENTS, SUMS};
use super::{Call, Event, Trace};
use hz3_project::{Error, Result};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Bytes of the header.
const HEADER: usize = 512;

/// A raw file's head: enough to choose among the processes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Process.
    pub pid: u64,
    /// Its parent.
    pub parent: u64,
    /// Recorded events.
    pub events: u64,
    /// Its command line.
    pub command: String,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// Reads a raw file into a trace.
pub fn read_raw(path: &Path) -> Result<(Raw, Trace)> {
    let broken = |e: &dyn std::fmt::Display| Error::unfit(format!("{}: {e}", path.display()));
    unpack_raw(std::fs::File::open(path).map_err(|e| broken(&e))?).map_err(|e| broken(&e))
}

/// Reads the contents of a raw file into a trace.
///
/// # Errors
///
/// Why it cannot be read.
pub fn unpack_raw(mut file: impl Read) -> std::io::Result<(Raw, Trace)> {
    let mut head = [0u8; HEADER];
    file.read_exact(&mut head)?;
    if &head[..8] != b"hz3raw1\0" {
        return Err(std::io::Error::other("not a raw trace"));
    }
    let field = |i: usize| word(&head, 8 + 8 * i);
    let count = field(1).min(field(0));
    let mut body = Vec::new();
    file.take(count.saturating_mul(16)).read_to_end(&mut body)?;
    let command: Vec<u8> = head[64..].to_vec();
    let command = String::from_utf8_lossy(&command)
        .trim_end_matches('\0')
        .replace('\0', " ");
    let raw = Raw {
        pid: field(4),
        parent: field(5),
        events: count,
        command: command.clone(),
    };
    let words = body.chunks_exact(16).map(|c| (word(c, 0), word(c, 8)));
    let (events, ticks, cpu) = events(words);
    Ok((
        raw,
        Trace {
            command,
            dropped: field(2).min(SUMS - 1),
            events,
            ticks,
            cpu,
        },
    ))
}

/// Numbers the objects of raw events. Returns the clock's ticks and the CPU time, too.
fn events(words: impl Iterator<Item = (u64, u64)>) -> (Vec<Event>, Vec<(u32, u32)>, u64) {
    let mut live: HashMap<u64, u32> = HashMap::new();
    let mut out = Vec::new();
    let mut ticks: Vec<(u32, u32)> = Vec::new();
    let (mut next, mut cpu) = (0u32, 0);
    // What each thread is about to resize.
    let mut resizes: HashMap<u16, Option<u32>> = HashMap::new();
    for (who, what) in words {
        let (address, thread, kind) = (
            who & 0xffff_ffff_ffff,
            ((who >> 48) & 0xfff).saturating_sub(1) as u16,
            who >> 60,
        );
        let (size, align) = (what & 0xffff_ffff_ffff, (what >> 56) as u8);
        let call = match kind {
            1 => Call::Malloc(size),
            2 => match live.remove(&address) {
                Some(object) => Call::Free(object),
                None => continue,
            },
            3 => {
                resizes.insert(thread, live.remove(&address));
                continue;
            }
            // A resize of an object that is older than the recording is its first appearance.
            4 => match resizes.remove(&thread).flatten() {
                Some(object) => Call::Realloc(object, size),
                None => Call::Malloc(size),
            },
            // There was no memory for it: the object is as it was.
            7 => {
                live.extend(resizes.remove(&thread).flatten().map(|object| (address, object)));
                continue;
            }
            5 => Call::Calloc(size),
            6 if u64::from(align) < ALIGNMENTS => Call::Memalign(align, size),
            8 => {
                let tick = (out.len() as u32, u32::try_from(size).unwrap_or(u32::MAX));
                if ticks.last().is_none_or(|last| last.1 < tick.1) {
                    ticks.push(tick);
                }
                cpu = cpu.max(address);
                continue;
            }
            _ => continue,
        };
        if kind != 2 {
            live.insert(address, next);
            next += 1;
        }
        out.push(Event { thread, call });
    }
    (out, ticks, cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_counts_more_than_there_is_does_no_harm() {
        let mut file = b"hz3raw1\0".to_vec();
        file.extend([0xff; 24]);
        file.resize(HEADER, 0);
        file.extend((1u64 << 60 | 1 << 48 | 0x20).to_le_bytes());
        file.extend(24u64.to_le_bytes());
        let (_, trace) = unpack_raw(&file[..]).expect("a raw file");
        assert_eq!(trace.events.len(), 1);
        assert!(super::super::unpack(&super::super::pack(&trace)).is_ok());
        assert!(unpack_raw(&file[..100]).is_err());
    }

    #[test]
    fn addresses_become_numbers() {
        let who = |kind: u64, thread: u64, address: u64| kind << 60 | (thread + 1) << 48 | address;
        let words = [
            (who(2, 0, 0x10), 0),  // older than the recording: dropped
            (who(1, 0, 0x20), 24), // 0
            (who(8, 0, 5000), 7),
            (who(3, 0, 0x20), 0),
            (who(4, 0, 0x30), 48), // 1, from 0
            (who(1, 1, 0x20), 16), // 2 at the address of 0
            (who(2, 1, 0x30), 0),
            (who(3, 0, 0x99), 0), // unknown
            (who(4, 0, 0xa0), 7), // 3
            (who(3, 0, 0xa0), 0),
            (who(3, 1, 0x20), 0),
            (who(7, 0, 0xa0), 0),  // it stays
            (who(4, 1, 0xc0), 99), // 4, from 2
            (who(2, 0, 0xa0), 0),
            (who(6, 0, 0xb0), 9 | 6 << 56),  // 5
            (who(6, 0, 0xe0), 9 | 48 << 56), // no alignment: a torn word
        ];
        let e = |thread, call| Event { thread, call };
        let (events, ticks, cpu) = events(words.into_iter());
        assert_eq!((ticks, cpu), (vec![(1, 7)], 5000));
        assert_eq!(
            events,
            [
                e(0, Call::Malloc(24)),
                e(0, Call::Realloc(0, 48)),
                e(1, Call::Malloc(16)),
                e(1, Call::Free(1)),
                e(0, Call::Malloc(7)),
                e(1, Call::Realloc(2, 99)),
                e(0, Call::Free(3)),
                e(0, Call::Memalign(6, 9)),
            ]
        );
    }
}
