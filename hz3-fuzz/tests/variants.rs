//! Programs under libraries of variants, one of each kind of code; and under the C library, as the control.

use hz3_fuzz::variants::Player;
use hz3_tests::Allocator;
use std::path::Path;

fn plays(name: &str) {
    let player = Player::new(Path::new(env!("CARGO_BIN_EXE_hz3-fuzz-play")));
    let library = match Allocator::variant(name) {
        Ok(Allocator::Variant(variant)) => variant.path.clone(),
        Ok(_) => panic!("{name} is a variant"),
        Err(why) => panic!("{why}"),
    };
    let plan = hz3_config::load(&hz3_tests::place::config(name)).expect("a config");
    player
        .plays(&library, &plan, ["--count", "8", "--seed", "14"])
        .unwrap_or_else(|fault| panic!("{name}: {fault}"));
}

macro_rules! variants {
    ($($test:ident $name:literal)*) => {
        $(#[test]
        fn $test() {
            plays($name);
        })*
    };
}

variants! {
    default "default"
    flat "flat"
    owner_bank "hz3-fast"
    owner_ring "hz3-scale"
    histogram "histogram"
    profile_all "profile-all"
    relief "s47-quarantine"
    late "late"
    compact "compact"
    segment "segment-8m"
}

/// A library with a fault is told of, with the program that shows it.
#[test]
fn a_fault_is_told() {
    let player = Player::new(Path::new(env!("CARGO_BIN_EXE_hz3-fuzz-play")));
    let fault = player
        .plays_alone(["--count", "20", "--fault", "0"])
        .expect_err("a fault");
    assert!(fault.contains("where somebody has"), "{fault}");
    assert!(player.now().is_file(), "the program is kept");
    assert!(player.plays_alone(["--count", "4"]).is_ok());
}
