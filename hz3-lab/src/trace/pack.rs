//! The compact file: about two bytes an event.
//!
//! ```text
//! "hz3t1\n"  command "\n"  dropped "\n"  events "\n"  then the events, each a byte: bits 0-2 type, bits 3-7 a small number
//! type 0  thread of the following events: the small number, or 31 and a varint
//! type 1  malloc: size / 8 if that is whole and below 31, else 31 and the size as a varint
//! type 2  free: objects made since this one was, or 31 and a varint
//! type 3  realloc: the same for the old object, then the size as a varint
//! type 4  calloc: as malloc
//! type 5  aligned: log2 of the alignment, then the size as a varint
//! type 6  so many milliseconds passed before the next event, or 31 and a varint
//! type 7  so many microseconds of CPU time in all, or 31 and a varint
//! ```
//! A varint has seven bits a byte, low ones first, the top bit set on all bytes but the last.
//!
//! A trace is a file from anywhere: what could not have been recorded is refused with its place, so that whoever replays it or sums
//! it up can rely on the bounds of [`Call`], and on every object being made before it goes, and going once.

use super::{Call, Event, Trace};
use hz3_project::{Error, Result};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"hz3t1\n";
const MORE: u64 = 31;
/// One past the greatest size: no address space has as much.
const SIZES: u64 = 1 << 48;
/// One past the greatest sum of bytes and of calls: that of profiles, which are made of traces.
pub(super) const SUMS: u64 = 1 << 62;
/// One past the greatest log2 of an alignment.
pub(super) const ALIGNMENTS: u64 = 48;

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn small(out: &mut Vec<u8>, kind: u8, v: u64) {
    if v < MORE {
        out.push(kind | (v as u8) << 3);
    } else {
        out.push(kind | (MORE as u8) << 3);
        varint(out, v);
    }
}

fn size(out: &mut Vec<u8>, kind: u8, v: u64) {
    if v.is_multiple_of(8) && v / 8 < MORE {
        out.push(kind | (v as u8 / 8) << 3);
    } else {
        out.push(kind | (MORE as u8) << 3);
        varint(out, v);
    }
}

/// The compact form.
pub fn pack(trace: &Trace) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let head = format!(
        "{}\n{}\n{}\n",
        trace.command.replace('\n', " "),
        trace.dropped,
        trace.events.len()
    );
    out.extend_from_slice(head.as_bytes());
    let (mut thread, mut made) = (0u16, 0u64);
    let (mut ticks, mut clock) = (trace.ticks.iter().peekable(), 0);
    if trace.cpu > 0 && !trace.events.is_empty() {
        small(&mut out, 7, trace.cpu);
    }
    for (index, event) in trace.events.iter().enumerate() {
        while let Some((_, now)) = ticks.next_if(|tick| tick.0 as usize <= index) {
            small(&mut out, 6, u64::from(now - clock));
            clock = *now;
        }
        if event.thread != thread {
            thread = event.thread;
            small(&mut out, 0, u64::from(thread));
        }
        // `made` is one past the newest object, so that the newest has distance 0.
        let distance = |object: u32| made - 1 - u64::from(object);
        match event.call {
            Call::Malloc(n) => size(&mut out, 1, n),
            Call::Free(o) => small(&mut out, 2, distance(o)),
            Call::Realloc(o, n) => {
                small(&mut out, 3, distance(o));
                varint(&mut out, n);
            }
            Call::Calloc(n) => size(&mut out, 4, n),
            Call::Memalign(a, n) => {
                small(&mut out, 5, u64::from(a));
                varint(&mut out, n);
            }
        }
        made += u64::from(!matches!(event.call, Call::Free(_)));
    }
    out
}

/// A reader of bytes that knows where it is.
struct Bytes<'a> {
    data: &'a [u8],
    at: usize,
    /// Where the event begins that is being read.
    event: usize,
}

impl Bytes<'_> {
    /// The file ends too early, or is none.
    fn fault(&self, what: &str) -> Error {
        Error::bad_input(format!("not a whole trace: {what} at byte {}", self.at))
    }
    /// What no recording can hold.
    fn impossible(&self, what: &str) -> Error {
        Error::bad_input(format!("no program can have done that: {what} at byte {}", self.event))
    }
    fn size(&self, n: u64) -> Result<u64> {
        if n < SIZES {
            return Ok(n);
        }
        Err(self.impossible(&format!("an object of {n} bytes (2^48 and more do not exist)")))
    }
    fn byte(&mut self) -> Result<u8> {
        let b = *self.data.get(self.at).ok_or_else(|| self.fault("the end"))?;
        self.at += 1;
        Ok(b)
    }
    fn varint(&mut self) -> Result<u64> {
        let mut v = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            v |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                // The tenth byte has room for one bit.
                return if shift == 63 && b > 1 {
                    Err(self.fault("a number of more than 64 bits"))
                } else {
                    Ok(v)
                };
            }
        }
        Err(self.fault("a number without end"))
    }
    fn line(&mut self) -> Result<String> {
        let rest = &self.data[self.at..];
        let end = rest
            .iter()
            .position(|b| *b == b'\n')
            .ok_or_else(|| self.fault("a header without end"))?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }
}

/// Reads the compact form.
pub fn unpack(data: &[u8]) -> Result<Trace> {
    if !data.starts_with(MAGIC) {
        return Err(Error::bad_input("not a trace of hz3 (cargo hz3 trace makes them)"));
    }
    let mut b = Bytes {
        data,
        at: MAGIC.len(),
        event: 0,
    };
    // It is shown on terminals.
    let command = b.line()?.replace(char::is_control, "?");
    let number = |b: &mut Bytes| -> Result<u64> { b.line()?.parse().map_err(|_| b.fault("no number in the header")) };
    let (dropped, count) = (number(&mut b)?, number(&mut b)?);
    if dropped >= SUMS {
        return Err(b.impossible(&format!("{dropped} calls after the limit")));
    }
    let mut alive: Vec<bool> = Vec::new();
    let mut events = Vec::new();
    let (mut thread, mut bytes) = (0u16, 0u64);
    let mut ticks: Vec<(u32, u32)> = Vec::new();
    let mut cpu = 0;
    while (events.len() as u64) < count {
        b.event = b.at;
        let head = b.byte()?;
        let (kind, low) = (head & 7, u64::from(head >> 3));
        let rest = |b: &mut Bytes, unit: u64| if low < MORE { Ok(low * unit) } else { b.varint() };
        let object = |b: &mut Bytes, alive: &mut Vec<bool>| -> Result<u32> {
            let back = rest(b, 1)?;
            let index = (alive.len() as u64)
                .checked_sub(back.saturating_add(1))
                .ok_or_else(|| b.impossible("an object before the first"))?;
            if !std::mem::replace(&mut alive[index as usize], false) {
                return Err(b.impossible("an object that is gone"));
            }
            Ok(index as u32)
        };
        let call = match kind {
            0 => {
                let t = rest(&mut b, 1)?;
                thread = u16::try_from(t).map_err(|_| b.impossible(&format!("a thread of number {t}")))?;
                continue;
            }
            1 => Call::Malloc(rest(&mut b, 8).and_then(|n| b.size(n))?),
            2 => Call::Free(object(&mut b, &mut alive)?),
            3 => {
                let old = object(&mut b, &mut alive)?;
                let n = b.varint()?;
                Call::Realloc(old, b.size(n)?)
            }
            4 => Call::Calloc(rest(&mut b, 8).and_then(|n| b.size(n))?),
            5 => {
                let align = rest(&mut b, 1)?;
                if align >= ALIGNMENTS {
                    return Err(b.impossible(&format!("an alignment of 2^{align} bytes")));
                }
                let n = b.varint()?;
                Call::Memalign(align as u8, b.size(n)?)
            }
            6 => {
                let passed = rest(&mut b, 1)?;
                let before = ticks.last().map_or(0, |tick| u64::from(tick.1));
                let now = u32::try_from(before.saturating_add(passed));
                let now = now.map_err(|_| b.impossible("more than 49 days"))?;
                // A recording has at most one an event: whoever has more of them fills memory with nothing.
                match ticks.last_mut() {
                    Some(last) if last.0 as usize == events.len() => last.1 = now,
                    _ => ticks.push((events.len() as u32, now)),
                }
                continue;
            }
            _ => {
                cpu = rest(&mut b, 1)?;
                continue;
            }
        };
        if let Some(n) = call.made() {
            if alive.len() as u64 == u64::from(u32::MAX) {
                return Err(b.impossible("more than 2^32 objects"));
            }
            alive.push(true);
            // Both are below 2^62.
            bytes += n;
            if bytes >= SUMS {
                return Err(b.impossible("2^62 bytes or more in all"));
            }
        }
        events.push(Event { thread, call });
    }
    if b.at < data.len() {
        return Err(b.fault(&format!("more than the {count} events that its header names")));
    }
    Ok(Trace {
        command,
        dropped,
        events,
        ticks,
        cpu,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    #[test]
    fn what_is_packed_comes_back() {
        let t = super::super::tests::example();
        assert_eq!(unpack(&pack(&t)).unwrap(), t);
        let mut rng = Rng(3);
        for _ in 0..50 {
            let mut t = Trace {
                command: "random".into(),
                ..Trace::default()
            };
            let mut alive: Vec<u32> = Vec::new();
            let mut made = 0;
            for _ in 0..rng.below(400) {
                let thread = if rng.below(5) == 0 { rng.below(4000) as u16 } else { 0 };
                let size = rng.next_u64() >> (16 + rng.below(40));
                let take = !alive.is_empty() && rng.below(2) == 0;
                let call = match (take, rng.below(4)) {
                    (true, 0) => Call::Realloc(alive.swap_remove(rng.below(alive.len())), size),
                    (true, _) => Call::Free(alive.swap_remove(rng.below(alive.len()))),
                    (_, 0) => Call::Calloc(size),
                    (_, 1) => Call::Memalign(rng.below(40) as u8, size),
                    _ => Call::Malloc(size),
                };
                if !matches!(call, Call::Free(_)) {
                    alive.push(made);
                    made += 1;
                }
                t.events.push(Event { thread, call });
            }
            assert_eq!(unpack(&pack(&t)).unwrap(), t);
        }
    }

    #[test]
    fn broken_files_are_named() {
        let whole = pack(&super::super::tests::example());
        for cut in 0..whole.len() {
            assert!(unpack(&whole[..cut]).is_err(), "cut at {cut}");
        }
        assert!(
            unpack(b"\x7fELF")
                .unwrap_err()
                .message
                .starts_with("not a trace of hz3")
        );
        let twice = [b"hz3t1\nx\n0\n3\n".as_slice(), &[1 | 1 << 3, 2, 2]].concat();
        assert!(unpack(&twice).unwrap_err().message.contains("an object that is gone"));
    }

    #[test]
    fn what_was_damaged_is_refused_or_can_be_used() {
        let whole = pack(&super::super::tests::example());
        let mut rng = Rng(5);
        let mut accepted = 0;
        for _ in 0..20_000 {
            let mut data = whole.clone();
            for _ in 0..1 + rng.below(6) {
                let at = MAGIC.len() + rng.below(data.len() - MAGIC.len());
                match rng.below(4) {
                    0 => data[at] = rng.next_u64() as u8,
                    1 => data[at] ^= 1 << rng.below(8),
                    2 => drop(data.remove(at)),
                    _ => data.insert(at, 0xff >> rng.below(8)),
                }
            }
            let Ok(t) = unpack(&data) else { continue };
            accepted += 1;
            let s = super::super::summary(&t);
            assert_eq!(s.allocations + s.resizes, t.objects() as u64);
            let flat = super::super::flat(&t);
            let kinds = flat[8 * (5 + t.threads().clamp(1, 64))..]
                .chunks_exact(16)
                .map(|event| event[15]);
            assert_eq!(kinds.filter(|kind| *kind > 0).count(), t.events.len());
        }
        assert!(accepted > 100, "only {accepted} of them could be read");
    }

    /// A trace of so many events, whose bytes are given.
    fn raw(count: usize, events: &[&[u8]]) -> Vec<u8> {
        let head = format!("hz3t1\nx\n0\n{count}\n").into_bytes();
        [head, events.concat()].concat()
    }

    /// A number as the file has it.
    fn number(v: u64) -> Vec<u8> {
        let mut out = Vec::new();
        varint(&mut out, v);
        out
    }

    #[test]
    fn what_no_program_does_is_refused_with_its_place() {
        const BIG: u8 = 31 << 3;
        let tail = [0xffu8; 9];
        for (events, what) in [
            (
                vec![vec![1 | BIG], number(1 << 48)],
                "an object of 281474976710656 bytes (2^48 and more do not exist) at byte 12",
            ),
            (
                vec![vec![4 | BIG], number(1 << 56 | 24)],
                "an object of 72057594037927960 bytes",
            ),
            (
                vec![vec![5 | 4 << 3], number(u64::MAX)],
                "an object of 18446744073709551615 bytes",
            ),
            (
                vec![vec![5 | BIG], number(48), number(8)],
                "an alignment of 2^48 bytes at byte 12",
            ),
            (
                vec![vec![5 | BIG], number(1 << 40), number(8)],
                "an alignment of 2^1099511627776 bytes",
            ),
            (vec![vec![BIG], number(65536)], "a thread of number 65536 at byte 12"),
            (
                vec![vec![2 | BIG], number(u64::MAX)],
                "an object before the first at byte 12",
            ),
            (vec![vec![2]], "an object before the first at byte 12"),
            (vec![vec![3], number(8)], "an object before the first at byte 12"),
            (vec![vec![6 | BIG], number(1 << 40)], "more than 49 days at byte 12"),
            (
                vec![vec![1 | BIG], tail.to_vec(), vec![2]],
                "a number of more than 64 bits",
            ),
            (
                vec![vec![1 | BIG], tail.to_vec(), tail.to_vec()],
                "a number without end",
            ),
            (
                vec![vec![1, 1]],
                "more than the 1 events that its header names at byte 13",
            ),
        ] {
            let parts: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
            let message = unpack(&raw(1, &parts)).expect_err(what).message;
            assert!(message.contains(what), "{message}");
        }
        // The second event is named by its own place.
        let second = raw(2, &[&[1 | 1 << 3], &[1 | BIG], &number(1 << 50)]);
        assert!(unpack(&second).unwrap_err().message.ends_with("at byte 13"));
        let many = raw(
            70_000,
            &vec![[&[1 | BIG][..], &number((1 << 48) - 1)].concat(); 70_000]
                .iter()
                .map(Vec::as_slice)
                .collect::<Vec<_>>(),
        );
        assert!(unpack(&many).unwrap_err().message.contains("2^62 bytes or more in all"));
        let late = unpack(b"hz3t1\nx\n4611686018427387904\n0\n").unwrap_err().message;
        assert!(late.contains("4611686018427387904 calls after the limit"), "{late}");
        let shown = unpack(b"hz3t1\na\x1b[31mb\r\n0\n0\n").unwrap();
        assert_eq!(shown.command, "a?[31mb?");
    }
}
