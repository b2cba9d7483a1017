//! A program with an allocator of its own: `examples/global.toml` says what it is like, one line makes it.
//!
//! It counts words in many threads, which allocate strings, hand them to each other and end, and then asks its allocator
//! what that took. `cargo run --release --example global -- 16` runs it with 16 threads.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::thread;

hz3::variant!(
    /// This program's allocator.
    pub Alloc = "examples/global.toml"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

const TEXT: &str = "a program is made of objects that come and go and an allocator is what makes them come and go";

/// Each thread makes `rounds` copies of the text's words and sends them to a counter, one map of counts each.
pub fn count(threads: usize, rounds: usize) -> BTreeMap<String, usize> {
    let (to, from) = channel::<Vec<String>>();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let to = to.clone();
            thread::spawn(move || {
                for _ in 0..rounds {
                    // The strings are allocated here and freed by whoever counts them.
                    let words = TEXT.split(' ').map(str::to_owned).collect();
                    to.send(words).expect("somebody counts");
                }
            })
        })
        .collect();
    drop(to);
    let mut counts = BTreeMap::new();
    for word in from.into_iter().flatten() {
        *counts.entry(word).or_insert(0) += 1;
    }
    for worker in workers {
        worker.join().expect("no worker failed");
    }
    counts
}

fn main() {
    let threads = std::env::args()
        .nth(1)
        .map_or(8, |n| n.parse().expect("a number of threads"));
    for (word, n) in count(threads, 1000) {
        println!("{n:8} {word}");
    }
    let now = hz3::stats::<Alloc>();
    println!(
        "{threads} threads: {} segments of 2 MiB, {} bytes in use",
        now.segments,
        now.live()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_right_whoever_frees() {
        for threads in [1, 4, 16] {
            let counts = count(threads, 200);
            assert_eq!(counts["go"], 2 * 200 * threads);
            assert_eq!(counts.values().sum::<usize>(), TEXT.split(' ').count() * 200 * threads);
        }
    }

    #[test]
    fn the_allocator_is_the_one_of_the_config() {
        let mut buffer = [0; 16 << 10];
        let text = hz3::stats_json::<Alloc>(&mut buffer);
        assert!(text.starts_with("{\"name\":\"global\","), "{text}");
    }
}
