//! The table of rows. Quick sizes are set so that a sample takes 0.1 to 0.5 s on a machine of 2025.

use super::{Metric, Program, Row};

const BASE: Row = Row {
    name: "",
    about: "",
    program: Program::Client("random"),
    args: &[],
    quick: &[],
    full: &[],
    count: &[],
    metric: Metric::NsPerOp,
    repeat: 1,
    empty: false,
    groups: &["default"],
};

const fn random(
    name: &'static str,
    about: &'static str,
    args: &'static [&'static str],
    quick: &'static [&'static str],
) -> Row {
    Row {
        name,
        about,
        args,
        quick,
        full: &["--steps", "20000000"],
        count: &["--steps", "1000000"],
        empty: true,
        groups: &["default", "ssot", "single"],
        ..BASE
    }
}

const fn ring(
    name: &'static str,
    about: &'static str,
    args: &'static [&'static str],
    quick: &'static [&'static str],
) -> Row {
    Row {
        name,
        about,
        program: Program::Client("ring"),
        args,
        quick,
        full: &["--steps", "5000000"],
        groups: &["default", "ssot", "multi"],
        ..BASE
    }
}

const PROGRAMS: &[&str] = &["programs"];
const THREADS: &[&str] = &["default", "multi"];
const EXTRA: &[&str] = &["more"];

/// Every row.
pub const ROWS: &[Row] = &[
    random("small", "random mixed, uniform 16-2048", &[], &["--steps", "8000000"]),
    random(
        "medium",
        "random mixed, uniform 4096-32768",
        &["--min", "4096", "--max", "32768"],
        &["--steps", "4000000"],
    ),
    random(
        "mixed",
        "random mixed, uniform 16-32768",
        &["--max", "32768"],
        &["--steps", "4000000"],
    ),
    random(
        "app",
        "random mixed, 80 % 16-256, 15 % 257-2048, 5 % 2049-32768",
        &["--dist", "app"],
        &["--steps", "8000000"],
    ),
    random(
        "sub4k",
        "random mixed, uniform 2049-4095",
        &["--min", "2049", "--max", "4095"],
        &["--steps", "6000000"],
    ),
    random(
        "trimix4096",
        "as app, the third part from 4096 on",
        &["--dist", "trimix4096"],
        &["--steps", "8000000"],
    ),
    ring(
        "mt-r0",
        "threads of their own, 16-2048",
        &["--threads", "{2c}", "--remote", "0"],
        &["--steps", "2500000"],
    ),
    ring(
        "mt-r50",
        "threads in a ring, half of the frees remote, 16-2048",
        &["--threads", "{2c}", "--remote", "50"],
        &["--steps", "1200000"],
    ),
    ring(
        "mt-r90",
        "threads in a ring, 90 % of the frees remote, 16-2048",
        &["--threads", "{2c}", "--remote", "90"],
        &["--steps", "1000000"],
    ),
    ring(
        "mt-mixed-r50",
        "threads in a ring, half remote, 16-32768",
        &["--threads", "{2c}", "--remote", "50", "--max", "32768"],
        &["--steps", "500000"],
    ),
    Row {
        groups: &["ssot", "multi", "memory"],
        full: &["--steps", "5000000"],
        ..ring(
            "s47",
            "32 threads, half remote, long queues, 16-32768",
            &[
                "--threads",
                "32",
                "--remote",
                "50",
                "--max",
                "32768",
                "--mode",
                "classic",
                "--queue",
                "65536",
            ],
            &["--steps", "40000"],
        )
    },
    Row {
        name: "prodcons",
        about: "one thread only allocates, the other only frees, 64 bytes",
        program: Program::Client("prodcons"),
        quick: &["--steps", "5000000"],
        full: &["--steps", "200000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "prodcons-mixed",
        about: "the same with 16-2048 bytes",
        program: Program::Client("prodcons"),
        args: &["--min", "16", "--max", "2048"],
        quick: &["--steps", "2000000"],
        full: &["--steps", "50000000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "flood",
        about: "80 threads, each takes, touches and frees 256 bytes",
        program: Program::Client("threads"),
        args: &["--mode", "flood", "--threads", "80"],
        quick: &["--steps", "250000"],
        full: &["--steps", "2000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "larson",
        about: "servers whose objects survive their thread, 16-1024",
        program: Program::Client("threads"),
        args: &[
            "--mode",
            "larson",
            "--threads",
            "{2c}",
            "--min",
            "16",
            "--max",
            "1024",
            "--ws",
            "1000",
        ],
        quick: &["--steps", "100000", "--rounds", "20"],
        full: &["--steps", "100000", "--rounds", "200"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "churn",
        about: "short threads of 16 objects one after the other",
        program: Program::Client("threads"),
        args: &["--mode", "churn", "--threads", "{c}", "--min", "16", "--max", "1024"],
        quick: &["--steps", "3000"],
        full: &["--steps", "50000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "realloc",
        about: "four buffers that grow by half from 64 bytes to 4 MiB",
        program: Program::Client("big"),
        args: &["--mode", "realloc", "--min", "64", "--max", "4M", "--ws", "4"],
        quick: &["--steps", "30000"],
        full: &["--steps", "1000000"],
        ..BASE
    },
    Row {
        name: "realloc-huge",
        about: "eight buffers that grow by half from 64 KiB to 64 MiB",
        program: Program::Client("big"),
        args: &["--mode", "realloc", "--min", "64K", "--max", "64M", "--ws", "8"],
        quick: &["--steps", "400"],
        full: &["--steps", "5000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "large",
        about: "random mixed, 64 KiB-32 MiB, both ends touched",
        program: Program::Client("big"),
        quick: &["--steps", "100000"],
        full: &["--steps", "1000000"],
        ..BASE
    },
    Row {
        name: "large-touch",
        about: "random mixed, 64 KiB-1 MiB, every page touched",
        program: Program::Client("big"),
        args: &["--max", "1M", "--stride", "4096"],
        quick: &["--steps", "10000"],
        full: &["--steps", "200000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "large-mt",
        about: "the same as large from several threads, 64 KiB-1 MiB",
        program: Program::Client("big"),
        args: &["--threads", "{2c}", "--max", "1M"],
        quick: &["--steps", "40000"],
        full: &["--steps", "1000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "scratch",
        about: "false sharing, passive: objects made by one thread, replaced by the others",
        program: Program::Client("scratch"),
        args: &["--mode", "passive", "--threads", "{c}"],
        quick: &["--steps", "60000"],
        full: &["--steps", "1000000"],
        groups: THREADS,
        ..BASE
    },
    Row {
        name: "scratch-active",
        about: "false sharing, active: each thread takes, writes and frees",
        program: Program::Client("scratch"),
        args: &["--mode", "active", "--threads", "{c}"],
        quick: &["--steps", "60000"],
        full: &["--steps", "1000000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "phase",
        about: "small objects, all freed, two idle seconds: resident bytes",
        program: Program::Client("phase"),
        quick: &["--bytes", "256M"],
        full: &["--bytes", "1G"],
        metric: Metric::RssEnd,
        groups: &["memory"],
        ..BASE
    },
    Row {
        name: "phase-tick",
        about: "the same with one thread that allocates now and then",
        program: Program::Client("phase"),
        args: &["--tick", "1"],
        quick: &["--bytes", "256M"],
        full: &["--bytes", "1G"],
        metric: Metric::RssEnd,
        groups: &["memory"],
        ..BASE
    },
    Row {
        name: "calloc",
        about: "random mixed with calloc, 16-8192",
        program: Program::Client("families"),
        args: &["--mode", "calloc"],
        quick: &["--steps", "4000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        ..BASE
    },
    Row {
        name: "aligned",
        about: "random mixed with aligned_alloc, 16-8192, alignment 16-256",
        program: Program::Client("families"),
        args: &["--mode", "aligned", "--align", "256"],
        quick: &["--steps", "4000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        ..BASE
    },
    Row {
        name: "resize",
        about: "random realloc of objects of 16-8192",
        program: Program::Client("families"),
        args: &["--mode", "resize"],
        quick: &["--steps", "2000000"],
        full: &["--steps", "20000000"],
        count: &["--steps", "500000"],
        groups: EXTRA,
        ..BASE
    },
    Row {
        name: "startup",
        about: "/bin/true, start to end",
        program: Program::Command(&["/bin/true"]),
        metric: Metric::CpuMs,
        repeat: 100,
        ..BASE
    },
    Row {
        name: "python",
        about: "python3: dictionaries, text, JSON",
        program: Program::Command(&["{python3}", "{dir}/python.py"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "perl",
        about: "perl: hashes, sorting, text",
        program: Program::Command(&["perl", "{dir}/perl.pl"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "sqlite",
        about: "sqlite3: a table in memory, indexes, joins",
        program: Program::Command(&["sqlite3", ":memory:", ".read {dir}/sqlite.sql"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "gcc",
        about: "gcc -O2 of a middling source",
        program: Program::Command(&["gcc", "-O2", "-c", "-o", "/dev/null", "{dir}/gcc.c"]),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
    Row {
        name: "redis",
        about: "redis-server under redis-benchmark (the server's time): set, get, lpush, hset",
        program: Program::Script("redis.sh"),
        metric: Metric::CpuMs,
        groups: PROGRAMS,
        ..BASE
    },
];
