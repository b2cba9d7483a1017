//! A program that says what it asked its allocator for: the preset `histogram` counts every object, by size, lifetime and
//! thread. `cargo run --release --example profile -- words.pb` writes a profile, which `pprof` and `cargo hz3` read.

use std::ffi::CString;

hz3::variant!(
    /// Counts every object.
    pub Alloc = "hz3:histogram"
);

#[global_allocator]
static GLOBAL: Alloc = Alloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = CString::new(std::env::args().nth(1).unwrap_or_else(|| "words.pb".into()))?;
    let mut kept = Vec::new();
    for n in 0..100_000 {
        // Ten thousand stay; the others live for one turn of the loop.
        let word = format!("word {n}");
        if n % 10 == 0 {
            kept.push(word);
        }
    }
    hz3::profile::dump::<Alloc>(&path)?;
    println!("{} words are kept; see {}", kept.len(), path.to_string_lossy());
    Ok(())
}
