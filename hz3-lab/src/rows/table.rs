//! The table of rows. Quick sizes are set so that a sample takes 0.1 to 0.5 s on a machine of 2025.

use super::{Metric, Program, Row};
use crate::clients::client;
use hz3_project::clients::Client;

const BASE: Row = Row {
    name: "",
    about: "",
    program: Program::Command(&[]),
    args: "",
    quick: "",
    full: "",
    count: "",
    metric: Metric::NsPerOp,
    repeat: 1,
    several: false,
    empty: false,
    groups: &["default"],
};

const MULTI: &[&str] = &["default", "multi"];
const MORE: &[&str] = &["more"];
/// Rows that tell what a growing number of threads takes.
const THREADED: &[&str] = &["more", "threads"];
/// Rows whose single calls are worth a look: threads start and end, memory is purged, threads contend.
const LATENCY: &[&str] = &["default", "multi", "latency"];

const fn of(client: Client<'static>) -> Row {
    Row {
        program: Program::Client(client),
        ..BASE
    }
}

/// Of a client whose threads work together.
const fn together(client: Client<'static>) -> Row {
    Row {
        several: true,
        groups: MULTI,
        ..of(client)
    }
}

const RANDOM: Row = Row {
    full: "--steps 20000000",
    count: "--steps 1000000",
    empty: true,
    groups: &["default", "ssot", "single"],
    ..of(client!("random"))
};
const RING: Row = Row {
    full: "--steps 5000000",
    groups: &["default", "ssot", "multi"],
    ..together(client!("ring"))
};
const PRODCONS: Row = together(client!("prodcons"));
const THREADS: Row = together(client!("threads"));
const SCRATCH: Row = together(client!("scratch"));
const BURSTS: Row = together(client!("bursts"));
const BIG: Row = of(client!("big"));
const PHASE: Row = Row {
    metric: Metric::RssEnd,
    groups: &["memory"],
    ..of(client!("phase"))
};
const PLATEAU: Row = Row {
    program: Program::Client(client!("plateau")),
    ..PHASE
};
const SLEEPERS: Row = Row {
    program: Program::Client(client!("sleepers")),
    several: true,
    ..PHASE
};
const HASH: Row = Row {
    groups: MORE,
    ..of(client!("hash"))
};
const FAMILIES: Row = Row {
    full: "--steps 20000000",
    count: "--steps 500000",
    ..of(client!("families"))
};
const COMMAND: Row = Row {
    metric: Metric::CpuMs,
    ..BASE
};
const APPLICATION: Row = Row {
    groups: &["programs"],
    ..COMMAND
};

/// A kind of row, the name of one, what it is, its arguments, and what is its own.
macro_rules! rows {
    ($($kind:ident $name:literal, $about:literal, $args:literal, { $($field:ident: $value:expr),* };)+) => {
        /// Every row.
        pub const ROWS: &[Row] = &[$(Row { name: $name, about: $about, args: $args, $($field: $value,)* ..$kind }),+];
    };
}

rows! {
    RANDOM "small", "random mixed, uniform 16-2048", "", { quick: "--steps 8000000" };
    RANDOM "medium", "random mixed, uniform 4096-32768", "--min 4096 --max 32768", { quick: "--steps 4000000" };
    RANDOM "mixed", "random mixed, uniform 16-32768", "--max 32768", { quick: "--steps 4000000" };
    RANDOM "app", "random mixed, 80 % 16-256, 15 % 257-2048, 5 % 2049-32768",
        "--dist app", { quick: "--steps 8000000" };
    RANDOM "sub4k", "random mixed, uniform 2049-4095", "--min 2049 --max 4095", { quick: "--steps 6000000" };
    RANDOM "trimix4096", "as app, the third part from 4096 on", "--dist trimix4096", { quick: "--steps 8000000" };
    RING "mt-r0", "threads of their own, 16-2048", "--threads {2c} --remote 0", { quick: "--steps 2500000" };
    RING "mt-r50", "threads in a ring, half of the frees remote, 16-2048",
        "--threads {2c} --remote 50", { quick: "--steps 1200000", groups: &["default", "ssot", "multi", "latency"] };
    RING "mt-r90", "threads in a ring, 90 % of the frees remote, 16-2048",
        "--threads {2c} --remote 90", { quick: "--steps 1000000" };
    RING "mt-mixed-r50", "threads in a ring, half remote, 16-32768",
        "--threads {2c} --remote 50 --max 32768", { quick: "--steps 500000", groups: &["default", "ssot", "multi", "latency"] };
    RING "s47", "32 threads, half remote, long queues, 16-32768",
        "--threads 32 --remote 50 --max 32768 --mode classic --queue 65536",
        { quick: "--steps 40000", full: "--steps 5000000", groups: &["ssot", "multi", "memory"] };
    RING "mt-2", "two threads, half of the frees remote, 16-2048: lists of threads or of processors",
        "--threads 2 --remote 50 --mode classic", { quick: "--steps 2000000", groups: THREADED };
    RING "mt-32", "the same with 32 threads",
        "--threads 32 --remote 50 --mode classic", { quick: "--steps 150000", groups: THREADED };
    RING "mt-1000", "the same with 1,000 threads that are all at work",
        "--threads 1000 --remote 50 --mode classic", { quick: "--steps 6000", full: "--steps 100000", groups: THREADED };
    PRODCONS "prodcons", "one thread only allocates, the other only frees, 64 bytes",
        "", { quick: "--steps 5000000", full: "--steps 200000000", groups: LATENCY };
    PRODCONS "prodcons-mixed", "the same with 16-2048 bytes",
        "--min 16 --max 2048", { quick: "--steps 2000000", full: "--steps 50000000", groups: MORE };
    PRODCONS "handed-64k", "the same with 64 KiB at an alignment of 8 KiB",
        "--min 64K --max 64K --align 8K --queue 256", { quick: "--steps 1000000", full: "--steps 10000000", groups: &["more", "latency"] };
    THREADS "flood", "80 threads, each takes, touches and frees 256 bytes",
        "--mode flood --threads 80", { quick: "--steps 250000", full: "--steps 2000000", groups: LATENCY };
    THREADS "larson", "servers whose objects survive their thread, 16-1024",
        "--mode larson --threads {2c} --min 16 --max 1024 --ws 1000",
        { quick: "--steps 100000 --rounds 20", full: "--steps 100000 --rounds 200", groups: LATENCY };
    THREADS "churn", "short threads of 16 objects one after the other",
        "--mode churn --threads {c} --min 16 --max 1024", { quick: "--steps 3000", full: "--steps 50000", groups: LATENCY };
    BURSTS "own", "threads that free only what they took themselves, in another order, 16-256",
        "--threads {2c} --min 16 --max 256", { quick: "--steps 3000000", full: "--steps 60000000", groups: LATENCY };
    BURSTS "own-16", "the same with 16 bytes: four objects on a cache line",
        "--threads {2c} --min 16 --max 16", { quick: "--steps 3000000", full: "--steps 60000000" };
    BURSTS "own-1", "the same as own with one thread: what several should take",
        "--threads 1 --min 16 --max 256", { quick: "--steps 6000000", full: "--steps 60000000", several: false, groups: MORE };
    BURSTS "rounds", "400 buffers of 100 KB taken, written and given back, in rounds",
        "--threads 1 --objects 400 --min 100000 --max 100000 --stride 4096",
        { quick: "--steps 20000", full: "--steps 400000", several: false, groups: &["default"] };
    BURSTS "rounds-mixed", "1024 slots of up to 64 KiB, filled and emptied in rounds",
        "--threads 1 --objects 1024 --max 64K --stride 4096",
        { quick: "--steps 100000", full: "--steps 2000000", several: false, groups: &["more", "latency"] };
    BIG "realloc", "four buffers that grow by half from 64 bytes to 4 MiB",
        "--mode realloc --min 64 --max 4M --ws 4", { quick: "--steps 30000", full: "--steps 1000000" };
    BIG "realloc-huge", "eight buffers that grow by half from 64 KiB to 64 MiB",
        "--mode realloc --min 64K --max 64M --ws 8", { quick: "--steps 400", full: "--steps 5000", groups: MORE };
    BIG "large", "random mixed, 64 KiB-32 MiB, both ends touched",
        "", { quick: "--steps 100000", full: "--steps 1000000" };
    BIG "large-touch", "random mixed, 64 KiB-1 MiB, every page touched",
        "--max 1M --stride 4096", { quick: "--steps 10000", full: "--steps 200000", groups: MORE };
    BIG "large-mt", "the same as large from several threads, 64 KiB-1 MiB",
        "--threads {2c} --max 1M", { quick: "--steps 400000", full: "--steps 4000000", groups: LATENCY };
    SCRATCH "scratch", "false sharing, passive: objects made by one thread, replaced by the others",
        "--mode passive --threads {c}", { quick: "--steps 60000", full: "--steps 1000000" };
    SCRATCH "scratch-active", "false sharing, active: each thread takes, writes and frees",
        "--mode active --threads {c}", { quick: "--steps 60000", full: "--steps 1000000", groups: MORE };
    PHASE "phase", "small objects, all freed, two idle seconds: resident bytes",
        "", { quick: "--bytes 256M", full: "--bytes 1G" };
    PHASE "phase-tick", "the same with one thread that allocates now and then",
        "--tick 1", { quick: "--bytes 256M", full: "--bytes 1G", groups: &["memory", "latency"] };
    PLATEAU "plateau", "live memory that climbs, stays with churn, falls to a tenth and stays: resident bytes",
        "", { quick: "--bytes 64M --stay-ms 1500", full: "--bytes 1G", groups: &["memory", "latency"] };
    PLATEAU "plateau-mixed", "the same with 16-32768 bytes",
        "--dist uniform", { quick: "--bytes 128M --stay-ms 1500", full: "--bytes 1G" };
    SLEEPERS "sleepers", "threads that took and gave back up to 800 KB each, and sleep: resident bytes",
        "", { quick: "--threads 500", full: "--threads 2000" };
    SLEEPERS "sleepers-mixed", "the same with 16-32768 bytes",
        "--max 32768", { quick: "--threads 500", full: "--threads 2000" };
    HASH "hash", "random look-ups in a hash of nodes of 32 bytes",
        "", { quick: "--bytes 256M --lookups 2000000", full: "--bytes 1G" };
    HASH "hash-build", "such a hash is built",
        "--timed build --lookups 0", { quick: "--bytes 256M", full: "--bytes 1G" };
    FAMILIES "calloc", "random mixed with calloc, 16-8192", "--mode calloc", { quick: "--steps 4000000" };
    FAMILIES "aligned", "random mixed with aligned_alloc, 16-8192, alignment 16-256",
        "--mode aligned --align 256", { quick: "--steps 4000000" };
    FAMILIES "resize", "random realloc of objects of 16-8192",
        "--mode resize", { quick: "--steps 2000000", groups: MORE };
    COMMAND "startup", "/bin/true, start to end", "", { program: Program::Command(&["/bin/true"]), repeat: 100 };
    APPLICATION "python", "python3: dictionaries, text, JSON",
        "", { program: Program::Command(&["{python3}", "{dir}/python.py"]) };
    APPLICATION "perl", "perl: hashes, sorting, text", "", { program: Program::Command(&["perl", "{dir}/perl.pl"]) };
    APPLICATION "sqlite", "sqlite3: a table in memory, indexes, joins",
        "", { program: Program::Command(&["sqlite3", ":memory:", ".read {dir}/sqlite.sql"]) };
    APPLICATION "gcc", "gcc -O2 of a middling source",
        "", { program: Program::Command(&["gcc", "-O2", "-c", "-o", "/dev/null", "{dir}/gcc.c"]) };
    APPLICATION "redis", "redis-server under redis-benchmark (the server's time): set, get, lpush, hset",
        "", { program: Program::Script("redis.sh") };
}
