//! Plays programs with the malloc that this process got: preloaded, or the C library's.
//!
//! What the model needs comes from an allocator of its own, so that a fault of the one under test cannot hide itself.

use clap::Parser;
use hz3_fuzz::allocator::{Entries, Program, Promise, faulty, play};
use hz3_fuzz::dice::Dice;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[global_allocator]
static OWN: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[derive(Parser)]
struct Arguments {
    /// Programs that are files.
    files: Vec<PathBuf>,
    /// So many programs that are made up.
    #[arg(long, default_value_t = 0)]
    count: usize,
    /// As many as can be played in this time.
    #[arg(long, default_value_t = 0.0)]
    seconds: f64,
    /// What they are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whether the allocator is a variant of hz3, which promises more than C does.
    #[arg(long)]
    variant: bool,
    /// Whether requests may fail as memory is limited.
    #[arg(long)]
    limited: bool,
    /// A fault to plant, by its number: the process must fail.
    #[arg(long)]
    fault: Option<usize>,
    /// Where the program that is being played is kept, so that it is there when the process dies.
    #[arg(long)]
    now: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    dlmalloc_after_fork();
    let promise = Promise {
        strict: arguments.variant,
        serves: !arguments.limited,
    };
    let entries = match arguments.fault.and_then(|number| faulty::FAULTS.get(number)) {
        None => Entries::of_process(),
        Some(fault) => {
            faulty::plant(*fault);
            faulty::entries()
        }
    };
    let (mut programs, mut operations) = (0, 0);
    let mut one = |data: &[u8]| {
        if let Some(now) = &arguments.now {
            std::fs::write(now, data).expect("the program is written");
        }
        let program = Program::decode(data);
        play(&program, &entries, promise);
        programs += 1;
        operations += program.ops.iter().map(|op| op.count).sum::<usize>();
    };
    for file in &arguments.files {
        one(&std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
    }
    let (mut dice, started) = (Dice::new(arguments.seed), Instant::now());
    let mut made = 0;
    while made < arguments.count || started.elapsed() < Duration::from_secs_f64(arguments.seconds) {
        let length = 1 + dice.below(1200);
        one(&dice.bytes(length));
        made += 1;
    }
    println!("{programs} programs, {operations} operations");
}

/// Children of forks go on with the same memory.
fn dlmalloc_after_fork() {
    // SAFETY: called once, before any thread is started.
    unsafe { dlmalloc::enable_alloc_after_fork() };
}
