//! The clients of the lab, and the inputs of the rows that run real programs.

use hz3_project::clients::{self, Client};
use hz3_project::{Error, Place, Result};
use std::path::{Path, PathBuf};

/// What all clients include.
pub(crate) const HEADERS: &[(&str, &str)] = &[
    ("lab.h", include_str!("../clients/lab.h")),
    ("tails.h", include_str!("../clients/tails.h")),
    ("draws.h", include_str!("../clients/draws.h")),
    ("counters.h", include_str!("../clients/counters.h")),
];

/// A client of the lab, by its source's name.
macro_rules! client {
    ($file:literal, $source:literal, $shape:ident) => {
        hz3_project::clients::Client {
            name: $file,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/", $source, ".c")),
            headers: $crate::clients::HEADERS,
            cpp: false,
            shape: hz3_project::clients::Shape::$shape,
            flags: $crate::clients::FLAGS,
        }
    };
    ($name:literal) => {
        $crate::clients::client!($name, $name, Program)
    };
}
pub(crate) use client;

/// Replays a trace.
pub const REPLAY: Client = client!("replay");
/// Executes a workload that a file describes.
pub const WORKLOAD: Client = client!("workload");
const TIME: Client = client!("time", "time", Static);
const EMPTY: Client = client!("libempty.so", "empty", Library);
const TRACER: Client = client!("libtracer.so", "tracer", Library);

/// Scripts and inputs of the rows that run real programs.
const FILES: &[(&str, &str)] = &[
    ("python.py", include_str!("../scripts/python.py")),
    ("perl.pl", include_str!("../scripts/perl.pl")),
    ("sqlite.sql", include_str!("../scripts/sqlite.sql")),
    ("redis.sh", include_str!("../scripts/redis.sh")),
    ("gcc.c", include_str!("../scripts/gcc.c")),
];

/// The clients of a project, each compiled when it is first asked for.
#[derive(Debug, Clone)]
pub struct Clients {
    folder: PathBuf,
    note: fn(&str),
}

impl Clients {
    /// Those of a project. `note` hears which source is being compiled.
    pub fn of(place: &Place, note: fn(&str)) -> Result<Self> {
        let folder = place.clients().to_owned();
        std::fs::create_dir_all(&folder).map_err(|e| Error::unfit(format!("{}: {e}", folder.display())))?;
        for (name, text) in FILES {
            clients::provide(&folder.join(name), text.as_bytes())?;
        }
        let clients = Self { folder, note };
        // Everything is run by it.
        clients.timer()?;
        Ok(clients)
    }

    /// The program of a client.
    pub fn program(&self, client: &Client) -> Result<PathBuf> {
        client.build(&self.folder, self.note)
    }
    /// The program of a client's twin: the same source, with every call of the malloc family timed by itself.
    pub fn timed(&self, client: &Client) -> Result<PathBuf> {
        let name = format!("{}-tails", client.name);
        let flags = [client.flags, &["-DLAB_TAILS"]].concat();
        self.program(&Client {
            name: &name,
            flags: &flags,
            ..*client
        })
    }
    /// The wrapper that runs one command and says what it cost.
    pub fn timer(&self) -> Result<PathBuf> {
        self.program(&TIME)
    }
    /// The empty allocator.
    pub fn empty(&self) -> Result<PathBuf> {
        self.program(&EMPTY)
    }
    /// The recording shim.
    pub fn tracer(&self) -> Result<PathBuf> {
        self.program(&TRACER)
    }
    /// The folder: scripts are here, and reports of single executions.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Flags that all sources share. The malloc family must stay calls: a compiler that knows malloc may drop a pair.
pub(crate) const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-O2",
    "-g",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Wno-unused-function",
    "-fno-builtin-malloc",
    "-fno-builtin-free",
    "-fno-builtin-calloc",
    "-fno-builtin-realloc",
    "-fno-builtin-aligned_alloc",
];
