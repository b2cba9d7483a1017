//! The compact file: about two bytes an event.
//!
//! ```text
//! "hz3t1\n"  command "\n"  dropped "\n"  events "\n"  then the events, each a byte: bits 0-2 kind, bits 3-7 a small number
//! kind 0  thread of the following events: the small number, or 31 and a varint
//! kind 1  malloc: size / 8 if that is whole and below 31, else 31 and the size as a varint
//! kind 2  free: objects made since this one was, or 31 and a varint
//! kind 3  realloc: the same for the old object, then the size as a varint
//! kind 4  calloc: as malloc
//! kind 5  aligned: log2 of the alignment, then the size as a varint
//! ```
//! A varint has seven bits a byte, low ones first, the top bit set on all bytes but the last.

use super::{Call, Event, Trace};
use crate::{Error, Result};

const MAGIC: &[u8] = b"hz3t1\n";
const MORE: u64 = 31;

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
    for event in &trace.events {
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
}

impl Bytes<'_> {
    fn fault(&self, what: &str) -> Error {
        Error::input(format!("not a whole trace: {what} at byte {}", self.at))
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
                return Ok(v);
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
        return Err(Error::input("not a trace of hz3 (cargo hz3 trace makes them)"));
    }
    let mut b = Bytes { data, at: MAGIC.len() };
    let command = b.line()?;
    let number = |b: &mut Bytes| -> Result<u64> { b.line()?.parse().map_err(|_| b.fault("no number in the header")) };
    let (dropped, count) = (number(&mut b)?, number(&mut b)?);
    let mut alive: Vec<bool> = Vec::new();
    let mut events = Vec::new();
    let mut thread = 0u16;
    while (events.len() as u64) < count {
        let head = b.byte()?;
        let (kind, low) = (head & 7, u64::from(head >> 3));
        let rest = |b: &mut Bytes, unit: u64| if low < MORE { Ok(low * unit) } else { b.varint() };
        let object = |b: &mut Bytes, alive: &mut Vec<bool>| -> Result<u32> {
            let back = rest(b, 1)?;
            let index = (alive.len() as u64)
                .checked_sub(back + 1)
                .ok_or_else(|| b.fault("an object before the first"))?;
            if !std::mem::replace(&mut alive[index as usize], false) {
                return Err(b.fault("an object that is gone"));
            }
            Ok(index as u32)
        };
        let call = match kind {
            0 => {
                let t = rest(&mut b, 1)?;
                thread = u16::try_from(t).map_err(|_| b.fault("a thread out of range"))?;
                continue;
            }
            1 => Call::Malloc(rest(&mut b, 8)?),
            2 => Call::Free(object(&mut b, &mut alive)?),
            3 => {
                let old = object(&mut b, &mut alive)?;
                Call::Realloc(old, b.varint()?)
            }
            4 => Call::Calloc(rest(&mut b, 8)?),
            5 => {
                let align = u8::try_from(rest(&mut b, 1)?).map_err(|_| b.fault("an alignment out of range"))?;
                Call::Memalign(align, b.varint()?)
            }
            _ => return Err(b.fault("an unknown event")),
        };
        if !matches!(call, Call::Free(_)) {
            alive.push(true);
        }
        events.push(Event { thread, call });
    }
    Ok(Trace {
        command,
        dropped,
        events,
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
                let size = rng.next_u64() >> (16 + rng.below(48));
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
}
