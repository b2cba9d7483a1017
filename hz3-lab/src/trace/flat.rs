//! The form that the replay client runs: fixed-size events, sorted by thread, sizes of freed objects filled in.

use super::{Call, Trace};

/// The client starts at most this many threads; further ones share.
const THREADS: u16 = 64;

/// A trace for the client: see `replay.c`. Sizes and alignments have the bounds of [`Call`], so that they fit their fields.
pub fn flat(trace: &Trace) -> Vec<u8> {
    let threads = trace.threads().clamp(1, usize::from(THREADS));
    let mut by_thread: Vec<Vec<u8>> = vec![Vec::new(); threads];
    let mut sizes: Vec<u64> = Vec::new();
    for event in &trace.events {
        let out = &mut by_thread[usize::from(event.thread % THREADS)];
        let new = sizes.len() as u32;
        let mut put = |object: u32, old: u32, what: u64| {
            out.extend_from_slice(&object.to_le_bytes());
            out.extend_from_slice(&old.to_le_bytes());
            out.extend_from_slice(&what.to_le_bytes());
        };
        match event.call.of_c() {
            Call::Malloc(n) => put(new, 0, n | 1 << 56),
            Call::Free(o) => put(o, 0, sizes[o as usize] | 2 << 56),
            Call::Realloc(o, n) => {
                put(new, o, n | 3 << 56);
                put(0, 0, sizes[o as usize]);
            }
            Call::Calloc(n) => put(new, 0, n | 4 << 56),
            Call::Memalign(a, n) => put(new, 0, n | u64::from(a) << 48 | 5 << 56),
        }
        sizes.extend(event.call.made());
    }
    let mut out = b"hz3flat\0".to_vec();
    for n in [threads as u64, trace.events.len() as u64, sizes.len() as u64] {
        out.extend_from_slice(&n.to_le_bytes());
    }
    let mut first = 0u64;
    for t in &by_thread {
        out.extend_from_slice(&first.to_le_bytes());
        first += t.len() as u64 / 16;
    }
    out.extend_from_slice(&first.to_le_bytes());
    by_thread.iter().for_each(|t| out.extend_from_slice(t));
    out
}
