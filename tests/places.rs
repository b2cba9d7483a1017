//! Where things lie, in many processes: what is to be random is so in as many bits as is promised.

use hz3::core::policy::Shape;
use hz3::core::statics::ThreadBlock;
use hz3::core::{Variant, hot};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

hz3::variant!(Claimed = "tests/fixtures/base.toml");
hz3::variant!(Spread = "tests/fixtures/spread.toml");
hz3::variant!(Whole = "tests/fixtures/spread-whole.toml");
hz3::variant!(Flat = "tests/fixtures/spread-flat.toml");
hz3::variant!(Random = "tests/fixtures/random.toml");
hz3::variant!(RandomRing = "tests/fixtures/random-ring.toml");

/// Set in the processes that are looked at.
const CHILD: &str = "HZ3_PLACES";
/// How many there are.
const PROCESSES: usize = 256;
/// Bits below a page's and a segment's address.
const PAGE: u32 = 12;
const SEGMENT: u32 = 21;
/// Where the windows begin that places are drawn in: addresses are counted from there, so that no bit follows from others.
const ARENAS: u64 = 0x1000_0000_0000;
const OTHERS: u64 = 0x6000_0000_0000;

unsafe extern "C" {
    /// A function of the C library, for its address.
    safe fn getpid() -> i32;
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

fn base<V: Variant>() -> usize {
    // SAFETY: allocations have no conditions.
    let p = unsafe { hot::malloc::<V>(64) };
    assert!(!p.is_null());
    V::arena_base().load(Ordering::Relaxed)
}

/// Prints where things lie in this process.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    println!("at: libc {:x}", getpid as *const () as usize);
    println!("at: claimed {:x}", base::<Claimed>());
    println!("at: spread {:x}", base::<Spread>());
    println!("at: whole {:x}", base::<Whole>());
    println!("at: flat {:x}", base::<Flat>());
    println!("at: table {:x}", Flat::flat_table().load(Ordering::Relaxed) as usize);
    // More than the arena has.
    // SAFETY: allocations have no conditions.
    println!("at: outside {:x}", unsafe { hot::malloc::<Flat>(40 << 20) } as usize);
    // SAFETY: the block is this thread's, which has started.
    let bank = unsafe { (*<Flat as Variant>::Thread::meta(Flat::thread())).body };
    println!("at: bank {:x}", bank as usize);
    orders::<Claimed>("in-order");
    orders::<Random>("random");
    orders::<RandomRing>("random-ring");
}

/// Allocates objects of a size, and says in which order they lie: a number that stands for that, and how many of them lie right
/// behind the one before.
fn order<V: Variant>(size: usize) -> (u64, usize) {
    // SAFETY: allocations have no conditions.
    let objects: Vec<usize> = (0..64).map(|_| unsafe { hot::malloc::<V>(size) } as usize).collect();
    let first = objects.iter().min().copied().unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    objects.iter().for_each(|p| (p - first).hash(&mut hasher));
    let side_by_side = objects.windows(2).filter(|pair| pair[0] + size == pair[1]).count();
    (hasher.finish(), side_by_side)
}

/// Prints in which order objects lie: in this process, and in two that were one.
fn orders<V: Variant>(name: &str) {
    for (size, what) in [(64, "small"), (4096, "pages")] {
        let (order, side_by_side) = order::<V>(size);
        println!("at: {name}-{what} {order:x}");
        println!("at: {name}-{what}-side-by-side {side_by_side:x}");
    }
    std::io::stdout().flush().expect("a pipe");
    // SAFETY: the child uses the allocator, whose handlers ran, and the output that nobody else uses.
    unsafe {
        let child = fork();
        println!(
            "at: {name}-{} {:x}",
            if child == 0 { "child" } else { "parent" },
            order::<V>(128).0
        );
        std::io::stdout().flush().expect("a pipe");
        if child == 0 {
            _exit(0);
        }
        let mut status = 0;
        assert_eq!((waitpid(child, &raw mut status, 0), status), (child, 0));
    }
}

/// What so many processes print, by name.
fn look() -> &'static BTreeMap<String, Vec<u64>> {
    static LOOKED: OnceLock<BTreeMap<String, Vec<u64>>> = OnceLock::new();
    LOOKED.get_or_init(look_once)
}

fn look_once() -> BTreeMap<String, Vec<u64>> {
    let program = std::env::current_exe().expect("this program");
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for _ in 0..PROCESSES {
        let output = Command::new(&program)
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, "1")
            .stderr(Stdio::inherit())
            .output()
            .expect("it starts");
        assert!(output.status.success());
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            // The first one stands behind what the harness says of the test.
            let Some((_, told)) = line.split_once("at: ") else {
                continue;
            };
            let (name, at) = told.split_once(' ').expect("a name and an address");
            let at = u64::from_str_radix(at, 16).expect("an address");
            places.entry(name.to_owned()).or_default().push(at);
        }
    }
    places
}

/// How many bits of randomness are in a bit that is set in this share of cases.
fn entropy(share: f64) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    part(share) + part(1.0 - share)
}

/// How many bits of these addresses are random from bit `from` on. No two of the bits that are counted say the same.
fn random_bits(places: &[u64], from: u32) -> f64 {
    let share = |f: &dyn Fn(u64) -> u64| places.iter().map(|&at| f(at) & 1).sum::<u64>() as f64 / places.len() as f64;
    let of = |bit: u32| entropy(share(&|at| at >> bit));
    let bits: Vec<u32> = (from..47).filter(|&bit| of(bit) > 0.3).collect();
    for (i, &one) in bits.iter().enumerate() {
        for &other in &bits[..i] {
            let both = entropy(share(&|at| at >> one ^ at >> other));
            assert!(both > 0.3, "bits {one} and {other} say the same");
        }
    }
    bits.into_iter().map(of).sum()
}

/// The arena's base has 24 random bits above those of a segment, however it is held, and wherever the tags are. Nothing follows
/// from an address of the C library: 20 bits of the distance would have to be guessed. (There are 24.6 for an arena of 64 GiB.
/// A fair bit counts for 0.997 in 256 processes on average, and the two that tell thirds apart for a quarter of a bit too much.)
#[test]
fn arenas_and_all_else_lie_at_random_far_from_the_c_library() {
    let places = look();
    let libc = &places["libc"];
    for (name, bits) in [
        ("claimed", 24.0),
        ("spread", 24.0),
        ("whole", 24.0),
        ("flat", 24.0),
        ("outside", 22.0),
    ] {
        let at = &places[name];
        assert_eq!(at.len(), PROCESSES, "{name}");
        let window = if name == "outside" { OTHERS } else { ARENAS };
        let at: Vec<u64> = at.iter().map(|at| at - window).collect();
        let found = random_bits(&at, SEGMENT);
        println!("{name}: {found:.1} random bits");
        assert!(found >= bits, "{name}: {found:.1} random bits");
    }
    for name in ["claimed", "spread", "whole", "flat", "outside", "table", "bank"] {
        let distances: Vec<u64> = places[name]
            .iter()
            .zip(libc)
            .map(|(&at, &libc)| libc.abs_diff(at))
            .collect();
        let found = random_bits(&distances, SEGMENT);
        println!("{name}: {found:.1} random bits of distance");
        assert!(found >= 20.0, "{name}: {found:.1} random bits of distance");
    }
    let tables = random_bits(&places["table"], PAGE);
    assert!(tables >= 28.0, "{tables:.1} random bits");
}

/// Under `hardening.random` no two processes place objects alike, nor do those that a fork makes of one.
#[test]
fn objects_lie_in_another_order_in_each_process() {
    let places = look();
    let distinct = |name: &str| places[name].iter().collect::<BTreeSet<_>>().len();
    let side_by_side = |name: &str| {
        let counts = &places[&format!("{name}-side-by-side")];
        counts.iter().sum::<u64>() as f64 / (63 * counts.len()) as f64
    };
    // What there is without: the looks below would find it.
    for what in ["small", "pages", "parent", "child"] {
        assert_eq!(distinct(&format!("in-order-{what}")), 1, "{what}");
    }
    assert!(side_by_side("in-order-small") > 0.9);
    for name in ["random", "random-ring"] {
        for what in ["small", "pages", "parent", "child"] {
            let name = format!("{name}-{what}");
            assert_eq!(distinct(&name), PROCESSES, "{name}");
        }
        let alike = places[&format!("{name}-parent")]
            .iter()
            .zip(&places[&format!("{name}-child")])
            .filter(|(parent, child)| parent == child);
        assert_eq!(alike.count(), 0, "{name}");
        let shares = ["small", "pages"].map(|what| side_by_side(&format!("{name}-{what}")));
        println!("{name}: {shares:.3?} side by side");
        assert!(shares.iter().all(|&share| share < 0.15), "{name}: {shares:?}");
    }
}
