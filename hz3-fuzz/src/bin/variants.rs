//! Makes up configs, builds each as a library, and plays programs under it: until the time is over, or something fails.

use clap::Parser;
use hz3_fuzz::dice::Dice;
use hz3_fuzz::variants::{Player, made_up};
use hz3_project::Place;
use hz3_project::build::{Builder, Options, Shape};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What they are made from; a failure names its own.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Programs under each.
    #[arg(long, default_value_t = 60)]
    programs: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let place = Place::checkout();
    let program = std::env::current_exe()
        .expect("this program")
        .with_file_name("hz3-fuzz-play");
    let player = Player::new(&program);
    let found = hz3_project::place::target(&place.root).join("fuzz/found");
    std::fs::create_dir_all(&found).expect("a folder");
    let (started, mut seed, mut faults) = (Instant::now(), arguments.seed, 0);
    while started.elapsed() < Duration::from_secs(arguments.seconds) {
        let mut dice = Dice::new(seed);
        let (text, plan) = made_up(&mut dice);
        let outcome = Builder::open(&place, Options::default(), || ())
            .and_then(|builder| builder.compile(&plan, Shape::Shared))
            .map_err(|error| error.message)
            .and_then(|library| {
                let count = arguments.programs.to_string();
                player.plays(&library, &plan, ["--count", &count, "--seed", &seed.to_string()])
            });
        if let Err(fault) = outcome {
            faults += 1;
            let to = found.join(format!("variant-{seed}"));
            std::fs::write(to.with_extension("toml"), &text).expect("the config is kept");
            let _ = std::fs::copy(player.now(), &to);
            eprintln!(
                "seed {seed}:\n{text}\n{fault}kept: {}.toml and the program {0}",
                to.display()
            );
        }
        seed += 1;
    }
    println!(
        "{} variants, seeds {} to {}, {faults} failed",
        seed - arguments.seed,
        arguments.seed,
        seed - 1
    );
    ExitCode::from(u8::from(faults > 0))
}
