//! The table of clients: one row a test, run under every config.

/// Where a case is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Under glibc too: what it expects is the standard's or the manual's.
    Everywhere,
    /// Under the variants only: glibc differs, for the reason beside the row.
    Variants,
}

/// One client with its arguments.
pub struct Case {
    /// The test's name after the allocator's.
    pub name: &'static str,
    /// The stem of its file in `clients/`.
    pub client: &'static str,
    /// A library of `clients/` whose path is the first argument.
    pub plugin: Option<&'static str>,
    /// The other arguments, by the allocator's name.
    pub arguments: fn(&str) -> Vec<String>,
    /// A program that runs the client, if the case needs one.
    pub tool: Option<&'static str>,
    /// That program's arguments.
    pub tool_arguments: &'static [&'static str],
    /// Whether the process may not reserve 64 GiB of address space: what a variant with a flat tag table cannot do without.
    pub confined: bool,
    /// Bytes that it holds at once, if they are so many that an arena with a hard end may be too small.
    pub holds: u64,
    /// Whether it counts pages and page faults, which some variants have more of: see `touches_more`.
    pub counts_pages: bool,
    /// Where it is run.
    pub scope: Scope,
    /// Whether it takes little time, and runs under configs too that differ from others in numbers only.
    pub short: bool,
    /// Whether it is about objects: what each call gives, keeps and says of one, who frees it, and what is said of pointers that are
    /// none. Runs under configs too that differ from others in defences only, as those have to do with objects alone.
    pub objects: bool,
}

const PLAIN: Case = Case {
    name: "",
    client: "",
    plugin: None,
    arguments: |_| Vec::new(),
    tool: None,
    tool_arguments: &[],
    confined: false,
    holds: 0,
    counts_pages: false,
    scope: Scope::Everywhere,
    short: false,
    objects: false,
};

const fn short(name: &'static str) -> Case {
    Case {
        short: true,
        ..plain(name)
    }
}

const fn objects(case: Case) -> Case {
    Case { objects: true, ..case }
}

const fn plain(name: &'static str) -> Case {
    Case {
        name,
        client: name,
        ..PLAIN
    }
}

const fn with(name: &'static str, client: &'static str, arguments: fn(&str) -> Vec<String>) -> Case {
    Case {
        name,
        client,
        arguments,
        ..PLAIN
    }
}

const fn confined(name: &'static str, client: &'static str, arguments: fn(&str) -> Vec<String>) -> Case {
    Case {
        confined: true,
        ..with(name, client, arguments)
    }
}

/// Valgrind grants no large reservation, so the arena has to make do with what it gets.
const fn valgrind(name: &'static str, client: &'static str, arguments: fn(&str) -> Vec<String>) -> Case {
    let tool_arguments = &["--tool=none", "--quiet", "--error-exitcode=9"];
    Case {
        name,
        client,
        arguments,
        tool: Some("valgrind"),
        tool_arguments,
        confined: true,
        ..PLAIN
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Threads of `threads_churn`: a million under `default` (half a minute), fewer where the config only differs in its
/// tables. `HZ3_TEST_THREADS` sets another number for all.
fn churned_threads(allocator: &str) -> Vec<String> {
    let threads = match std::env::var("HZ3_TEST_THREADS") {
        Ok(given) => given,
        Err(_) if allocator == "default" => "1000000".to_owned(),
        Err(_) => "20000".to_owned(),
    };
    vec![threads]
}

/// When `memory_holes` looks: after a trim, or, under those that stand for others, when time has passed.
fn holes(allocator: &str) -> Vec<String> {
    let waits = ["default", "compact", "hz3-scale"].contains(&allocator);
    vec![if waits { "age" } else { "trim" }.to_owned()]
}

/// Bursts of `memory_rest`: none but under `default`, as it is made of rests.
fn rests(allocator: &str) -> Vec<String> {
    words(if allocator == "default" { "4" } else { "0" })
}

/// Whether a config stands for a way of owning or finding objects: others repeat things less often.
fn stands_for_others(allocator: &str) -> bool {
    ["default", "compact", "hz3-fast", "hz3-scale", "flat"].contains(&allocator)
}

/// Forks of `fork_matrix`.
fn forks(allocator: &str, kind: &str) -> Vec<String> {
    let forks = if stands_for_others(allocator) { "1000" } else { "150" };
    vec![kind.to_owned(), forks.to_owned()]
}

/// Rounds of `threads_orphans_long`.
fn rounds(allocator: &str) -> Vec<String> {
    words(if stands_for_others(allocator) { "400" } else { "100" })
}

/// Rounds of `threads_orphans`, which `threads_orphans_long` repeats.
fn few_rounds(allocator: &str) -> Vec<String> {
    words(if stands_for_others(allocator) { "60" } else { "24" })
}

/// Which calls `limits_refused` refuses: each third one where a config stands for no other.
fn refused_calls(allocator: &str) -> Vec<String> {
    words(if stands_for_others(allocator) { "1" } else { "3" })
}

/// Forks of `fork_storm`: fewer where a config stands for no other, and fewer still where it has defences of its own, as what these
/// have to do in a fork is the same each time.
fn storms(allocator: &str) -> Vec<String> {
    words(match allocator {
        _ if super::has_defences(allocator) => "20",
        _ if stands_for_others(allocator) => "120",
        _ => "40",
    })
}

/// All of them.
pub const CASES: &[Case] = &[
    objects(short("abi_surface")),
    objects(short("abi_edges")),
    objects(short("abi_align")),
    objects(short("abi_usable")),
    objects(short("abi_foreign")),
    objects(short("abi_realloc")),
    objects(short("abi_calloc")),
    plain("abi_large"),
    objects(short("cxx_new")),
    plain("cxx_oom"),
    confined("cxx_oom_limited", "cxx_oom", |_| words("256")),
    Case {
        plugin: Some("cxx_late_plugin"),
        ..short("cxx_late")
    },
    objects(short("cxx_replaced")),
    objects(short("threads_pattern")),
    with("threads_pattern_two", "threads_pattern", |_| words("2 150000")),
    with("threads_pattern_sixty", "threads_pattern", |_| words("60 5000")),
    Case {
        arguments: few_rounds,
        ..objects(short("threads_orphans"))
    },
    with("threads_orphans_long", "threads_orphans", rounds),
    plain("threads_pc"),
    with("threads_pc_64", "threads_pc", |_| words("2000000 64")),
    plain("ranges"),
    plain("threads_many"),
    with("threads_churn", "threads_churn", churned_threads),
    plain("threads_minstack"),
    short("threads_keyless"),
    short("threads_unarmed"),
    Case {
        arguments: storms,
        ..objects(short("fork_storm"))
    },
    plain("fork_many"),
    plain("fork_spawn"),
    plain("fork_chain"),
    Case {
        plugin: Some("fork_handlers_plugin"),
        ..plain("fork_handlers")
    },
    plain("fork_signal"),
    with("fork_allocates", "fork_matrix", |name| forks(name, "handlers")),
    with("fork_registration", "fork_matrix", |name| forks(name, "registration")),
    with("fork_streams", "fork_matrix", |name| forks(name, "streams")),
    Case {
        plugin: Some("life_plugin"),
        ..with("fork_library", "fork_matrix", |name| forks(name, "library"))
    },
    with("fork_threads", "fork_matrix", |name| forks(name, "threads")),
    with("fork_destructors", "fork_matrix", |name| forks(name, "destructors")),
    with("fork_pipes", "fork_matrix", |name| forks(name, "pipes")),
    with("fork_locales", "fork_matrix", |name| forks(name, "locales")),
    with("fork_names", "fork_matrix", |name| forks(name, "names")),
    with("fork_exits", "fork_matrix", |name| forks(name, "exits")),
    with("helper_end", "helper", |_| words("end")),
    with("helper_trim", "helper", |_| words("trim")),
    with("helper_keep", "helper", |_| words("keep")),
    with("helper_filter", "helper", |_| words("filter")),
    with("helper_idle", "helper", |_| words("idle")),
    with("helper_rights", "helper", |_| words("rights")),
    plain("life_keys"),
    plain("life_cxx"),
    plain("life_atexit"),
    Case {
        plugin: Some("life_plugin"),
        ..plain("life_dlopen")
    },
    Case {
        plugin: Some("life_foreign_plugin"),
        ..objects(short("life_foreign"))
    },
    plain("life_exit"),
    plain("life_sandbox"),
    confined("limits_as_24m", "limits_as", |_| words("24 32 4000")),
    confined("limits_as_64m", "limits_as", |_| words("64 32 4000")),
    confined("limits_as_256m", "limits_as", |_| words("256 64 4000")),
    confined("limits_as_1g", "limits_as", |_| words("1024 4096 65536")),
    confined("limits_as_4g", "limits_as", |_| words("4096 100000 2000000")),
    with("limits_data_256m", "limits_as", |_| words("256 64 4000 data")),
    plain("limits_self"),
    Case {
        counts_pages: true,
        ..plain("limits_later")
    },
    short("limits_locked"),
    short("limits_more"),
    with("limits_data_48m", "limits_as", |_| words("48 1024 1024 data")),
    with("limits_data_64m", "limits_as", |_| words("64 100000 1000000 data")),
    plain("memory_dump"),
    Case {
        holds: 3 << 28,
        ..plain("memory_buffers")
    },
    Case {
        plugin: Some("hooks_plugin"),
        ..plain("hooks")
    },
    plain("memory_phases"),
    plain("memory_many"),
    Case {
        holds: 64 << 20,
        ..plain("memory_refused")
    },
    // glibc writes sizes in front of its objects.
    Case {
        scope: Scope::Variants,
        counts_pages: true,
        ..plain("memory_untouched")
    },
    Case {
        scope: Scope::Variants,
        counts_pages: true,
        holds: 64 << 20,
        ..with("memory_holes", "memory_holes", holes)
    },
    Case {
        scope: Scope::Variants,
        holds: 128 << 20,
        ..with("memory_rest", "memory_rest", rests)
    },
    Case {
        holds: 5 << 29,
        ..plain("memory_maps")
    },
    valgrind("valgrind_edges", "abi_edges", |_| Vec::new()),
    valgrind("valgrind_threads", "threads_pattern", |_| words("4 3000")),
    valgrind("valgrind_fork", "fork_storm", |_| words("5")),
    // glibc's malloc reaches the kernel by names of its own.
    Case {
        scope: Scope::Variants,
        arguments: refused_calls,
        ..plain("limits_refused")
    },
    // glibc works with any page.
    Case {
        scope: Scope::Variants,
        plugin: Some("page_size_plugin"),
        ..plain("page_size")
    },
    // glibc finds other things, and says so in other words.
    Case {
        scope: Scope::Variants,
        ..objects(plain("faults"))
    },
    // glibc writes no JSON.
    Case {
        scope: Scope::Variants,
        ..short("preload_reports")
    },
    // glibc 2.36 has neither hz3's functions nor a bound on what vanished threads cached.
    Case {
        scope: Scope::Variants,
        ..with("fork_chain_long", "fork_chain", |_| words("150"))
    },
];
