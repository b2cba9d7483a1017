//! A program on the allocator of the preset `default`: no TOML, one line. It fills memory, frees it, and says each time
//! where its memory is. `cargo run --release --example default` runs it.

use hz3::Hz3;

#[global_allocator]
static GLOBAL: Hz3 = Hz3;

/// Prints where memory is, in KiB.
fn tell(when: &str) {
    let now = hz3::stats::<Hz3>();
    println!(
        "{when:12} {:7} taken, {:7} in use, {:7} in caches, {:7} free but still backed",
        now.taken >> 10,
        now.live() >> 10,
        (now.magazines + now.depots) >> 10,
        now.pages_dirty >> 10,
    );
}

fn main() {
    tell("at first");
    let words: Vec<String> = (0..500_000).map(|n| format!("word {n}")).collect();
    tell("with words");
    drop(words);
    tell("without");
    println!("{} KiB given back", hz3::trim::<Hz3>() >> 10);
    tell("trimmed");
}
