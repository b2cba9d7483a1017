//! The hot paths as machine code: `malloc` and `free` of every shipped config's library are what is checked in, within
//! the budget, and call nothing. Nothing is loaded here; the library is read as a file.
//!
//! `HZ3_BLESS=1 cargo test --test asm` writes the snapshots anew.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "asm/code.rs"]
mod code;
mod common;

use code::{Code, Path, Steps};
use common::blessed;
use hz3_config::plan::Record;
use hz3_project::build::{Builder, Options};
use hz3_tests::{Allocator, place::PLACE};

/// Instructions of a call that finds an object at hand or room for it, `ret` included, and conditional branches on the
/// way.
struct Budget {
    instructions: usize,
    branches: usize,
}

/// `malloc` up to the fine table's end.
const MALLOC: Budget = Budget {
    instructions: 16,
    branches: 2,
};
/// `malloc` above it, where there is a second table.
const MALLOC_COARSE: Budget = Budget {
    instructions: 20,
    branches: 3,
};
/// More of them where a thread's block is found by a TLS descriptor: the stack aligned and put back, a load, the call, the
/// addition. (What is called takes two more if the library is there at the start of the program.)
const DYNAMIC: usize = 4;
const FREE: Budget = Budget {
    instructions: 15,
    branches: 2,
};
/// More instructions of `malloc` where links have a key in them, a conditional branch among them: the key, the address, the order of
/// bytes, and which bits may be set.
const ENCODING: usize = 6;
/// `malloc` and `free` where slots are processors': a restartable sequence around what is done with the slot.
const MALLOC_CPU: Budget = Budget {
    instructions: 27,
    branches: 4,
};
const FREE_CPU: Budget = Budget {
    instructions: 28,
    branches: 2,
};
/// `malloc` and `free` of `hardened`.
const MALLOC_HARDENED: Budget = Budget {
    instructions: 22,
    branches: 3,
};
const FREE_HARDENED: Budget = Budget {
    instructions: 24,
    branches: 4,
};

const FILE_BYTES: u64 = 224 << 10;
/// The same of a variant whose objects have something on.
const WRAPPING_FILE_BYTES: u64 = 248 << 10;
/// The same of a variant that records, with what reads stacks and writes profiles.
const SAMPLING_FILE_BYTES: u64 = 248 << 10;
/// More instructions of `malloc` where it counts bytes, a conditional branch among them.
const COUNTING: usize = 3;
const TLS_BYTES: u64 = 4 << 10;

fn code(name: &str) -> (Code, hz3_project::Library) {
    let Allocator::Variant(variant) = Allocator::variant(name).unwrap_or_else(|e| panic!("{e}")) else {
        panic!("{name} is no variant");
    };
    let code = Code::read(&variant.path).unwrap_or_else(|e| panic!("{}: {e}", variant.path.display()));
    (code, variant.library.clone())
}

/// The paths of a function that end in its own `ret`, where nothing was missing; those that leave it are events.
fn straight(code: &Code, function: &str) -> Vec<Path> {
    let paths: Vec<Path> = code
        .paths(function)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_iter()
        .filter(|path| path.returns)
        .collect();
    assert!(
        !paths.is_empty(),
        "no way through `{function}` ends in `ret`:\n{}",
        code.listing(function)
    );
    paths
}

fn within(code: &Code, name: &str, function: &str, paths: &[Path], budget: &Budget) {
    for path in paths {
        assert!(
            path.instructions <= budget.instructions && path.branches <= budget.branches,
            "{name}: `{function}` takes {} instructions with {} conditional branches; {} and {} are allowed:\n{}",
            path.instructions,
            path.branches,
            budget.instructions,
            budget.branches,
            code.listing(function)
        );
    }
}

/// Whether a config's thread blocks are found by a TLS descriptor, which is a call.
fn is_dynamic(name: &str) -> bool {
    common::plan(&format!("configs/{name}.toml")).build.tls == hz3_config::plan::Tls::Dynamic
}

/// Whether a config's slots are processors'.
fn is_per_cpu(name: &str) -> bool {
    common::plan(&format!("configs/{name}.toml")).policy.per_cpu()
}

/// Whether a config's objects have anything on.
fn wraps(name: &str) -> bool {
    common::plan(&format!("configs/{name}.toml")).policy.wraps()
}

/// What a config records.
fn records(name: &str) -> Record {
    common::plan(&format!("configs/{name}.toml")).policy.stats.record
}

/// The configs whose calls are told to nobody, and whose objects have nothing on. Where it is otherwise `malloc` and `free` go
/// through that, and are not hot.
fn untold() -> impl Iterator<Item = String> {
    let told = |name: &String| {
        let plan = common::plan(&format!("configs/{name}.toml"));
        plan.stats.tells_calls() || plan.policy.wraps()
    };
    PLACE.config_names().into_iter().filter(move |name| !told(name))
}

/// Hot paths call nobody, but for a TLS descriptor, lock nothing, and loop nowhere.
fn is_hot(code: &Code, name: &str, function: &str) {
    let mut calls = usize::from(is_dynamic(name));
    for step in code.steps(function).unwrap_or_else(|e| panic!("{e}")) {
        let fault = match step {
            Steps::Call if calls > 0 => {
                calls -= 1;
                continue;
            }
            Steps::Call => "a call",
            Steps::Lock => "a locked instruction",
            Steps::Back => "a jump backwards",
            Steps::Plain => continue,
        };
        panic!("{name}: {fault} in `{function}`:\n{}", code.listing(function));
    }
}

#[test]
fn hot_paths_are_what_they_were() {
    let mut faults = Vec::new();
    for name in PLACE.config_names() {
        let (code, _) = code(&name);
        let functions = ["malloc", "free"].into_iter().chain(code.coarse());
        let text = functions
            .map(|function| code.listing(function))
            .collect::<Vec<_>>()
            .join("\n");
        faults.extend(blessed::compare(&format!("tests/snapshots/{name}.txt"), &text, "asm").err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn hot_paths_call_nothing() {
    for name in untold() {
        let (code, library) = code(&name);
        for function in ["malloc", "free"] {
            is_hot(&code, &name, function);
        }
        if let Some(coarse) = code.coarse() {
            is_hot(&code, &name, coarse);
        }
        assert!(
            !library.imports.iter().any(|symbol| symbol == "__tls_get_addr"),
            "{name}: TLS by a call"
        );
    }
}

#[test]
fn default_is_within_its_budget() {
    let (code, _) = code("default");
    within(&code, "default", "malloc", &straight(&code, "malloc"), &MALLOC);
    within(&code, "default", "free", &straight(&code, "free"), &FREE);
}

#[test]
fn hardened_is_within_its_budget() {
    let (code, _) = code("hardened");
    within(
        &code,
        "hardened",
        "malloc",
        &straight(&code, "malloc"),
        &MALLOC_HARDENED,
    );
    within(&code, "hardened", "free", &straight(&code, "free"), &FREE_HARDENED);
}

#[test]
fn lists_of_processors_are_within_their_budget() {
    let (code, _) = code("percpu");
    within(&code, "percpu", "malloc", &straight(&code, "malloc"), &MALLOC_CPU);
    within(&code, "percpu", "free", &straight(&code, "free"), &FREE_CPU);
}

/// An allocation token has slots of its own, and no instruction more: of C, and of C++.
#[test]
fn malloc_of_a_token_is_as_long_as_any_other() {
    let plan = common::plan("tests/fixtures/tokens.toml");
    let library = Builder::open(&PLACE, Options::default(), || ())
        .and_then(|builder| builder.library(&plan))
        .unwrap_or_else(|e| panic!("{e:?}"));
    let code = Code::read(&library.path).unwrap_or_else(|e| panic!("{e}"));
    let longest = |function: &str| {
        let paths = straight(&code, function);
        let most = |of: fn(&Path) -> usize| paths.iter().map(of).max();
        (most(|path| path.instructions), most(|path| path.branches))
    };
    let own = longest("malloc");
    for token in 0..4 {
        for name in ["malloc", "_Znwm"] {
            let function = format!("__alloc_token_{token}_{name}");
            assert_eq!(longest(&function), own, "{}", code.listing(&function));
            is_hot(&code, "default", &function);
        }
    }
}

/// What samples or checks at events has the hot paths of the config that it extends, instruction by instruction.
#[test]
fn what_is_done_at_events_leaves_the_hot_paths_alone() {
    let read = |name: &str| {
        std::fs::read_to_string(common::root().join(format!("tests/snapshots/{name}.txt"))).expect("a snapshot")
    };
    for name in ["profile", "checked"] {
        assert_eq!(read("default"), read(name), "{name}");
    }
}

/// Every variant's `malloc` is one straight piece: a config changes tables or selects a type.
#[test]
fn every_malloc_is_within_the_budget() {
    for name in untold().filter(|name| !is_per_cpu(name)) {
        let (code, _) = code(&name);
        // Prefetching costs the one instruction that it is.
        let prefetch =
            usize::from(common::plan(&format!("configs/{name}.toml")).hot.prefetch != hz3_config::plan::Prefetch::Off);
        let dynamic = if is_dynamic(&name) { DYNAMIC } else { 0 };
        let counting = usize::from(records(&name) == Record::SampleAll);
        let encoding = usize::from(common::plan(&format!("configs/{name}.toml")).hot.encode_links);
        let budget = Budget {
            instructions: MALLOC.instructions + prefetch + dynamic + COUNTING * counting + ENCODING * encoding,
            branches: MALLOC.branches + counting + encoding,
        };
        within(&code, &name, "malloc", &straight(&code, "malloc"), &budget);
        if let Some(coarse) = code.coarse() {
            // The comparison and the jump that lead there belong to the call.
            let budget = Budget {
                instructions: MALLOC_COARSE.instructions + prefetch - 2,
                branches: MALLOC_COARSE.branches - 1,
            };
            within(&code, &name, coarse, &straight(&code, coarse), &budget);
        }
    }
}

#[test]
fn libraries_are_small_and_cannot_panic() {
    for name in PLACE.config_names() {
        let (code, library) = code(&name);
        let panics: Vec<&str> = code.symbols().filter(|symbol| symbol.contains("panic")).collect();
        assert!(panics.is_empty(), "{name}: {panics:?}");
        let most = match records(&name) {
            Record::Off if wraps(&name) => WRAPPING_FILE_BYTES,
            Record::Off => FILE_BYTES,
            _ => SAMPLING_FILE_BYTES,
        };
        assert!(library.file_bytes <= most, "{name}: {} bytes", library.file_bytes);
        let told = hz3_config::cost::Cost::of(&common::plan(&format!("configs/{name}.toml"))).tls_bytes;
        assert_eq!(
            library.tls_bytes, told,
            "{name}: bytes of TLS, and what the cost model says"
        );
        if name == "default" {
            assert!(told <= TLS_BYTES, "{name}: {told} bytes of TLS");
        }
    }
}
