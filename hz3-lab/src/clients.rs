//! The clients of the lab, and the inputs of the rows that run real programs.

use crate::{Error, Result};
use hz3_project::Place;
use hz3_project::clients::{self, Client, Shape};
use std::path::{Path, PathBuf};

/// Header that all clients share.
const HEADER: &str = include_str!("../clients/lab.h");

macro_rules! client {
    ($file:literal, $source:literal, $shape:ident) => {
        Client {
            name: $file,
            text: include_str!(concat!("../clients/", $source, ".c")),
            headers: &[("lab.h", HEADER)],
            cpp: false,
            shape: Shape::$shape,
            flags: FLAGS,
        }
    };
    ($name:literal) => {
        client!($name, $name, Program)
    };
}

/// Every client of the lab.
const CLIENTS: &[Client] = &[
    client!("random"),
    client!("ring"),
    client!("prodcons"),
    client!("threads"),
    client!("big"),
    client!("scratch"),
    client!("phase"),
    client!("families"),
    client!("replay"),
    client!("time", "time", Static),
    client!("libempty.so", "empty", Library),
    client!("libtracer.so", "tracer", Library),
];

/// Scripts and inputs of the rows that run real programs.
const FILES: &[(&str, &str)] = &[
    ("python.py", include_str!("../scripts/python.py")),
    ("perl.pl", include_str!("../scripts/perl.pl")),
    ("sqlite.sql", include_str!("../scripts/sqlite.sql")),
    ("redis.sh", include_str!("../scripts/redis.sh")),
    ("gcc.c", include_str!("../scripts/gcc.c")),
];

/// The built clients of a project.
#[derive(Debug, Clone)]
pub struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// Builds what is not there yet. `note` hears which source is being built.
    pub fn build(place: &Place, mut note: impl FnMut(&str)) -> Result<Self> {
        let folder = place.clients().to_owned();
        std::fs::create_dir_all(&folder).map_err(|e| Error::unfit(format!("{}: {e}", folder.display())))?;
        for (name, text) in FILES {
            clients::provide(&folder.join(name), text.as_bytes())?;
        }
        for client in CLIENTS {
            client.build(&folder, &mut note)?;
        }
        Ok(Self { folder })
    }

    /// The program of a client.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
    /// The wrapper that runs one command and says what it cost.
    pub fn timer(&self) -> PathBuf {
        self.folder.join("time")
    }
    /// The empty allocator.
    pub fn empty(&self) -> PathBuf {
        self.folder.join("libempty.so")
    }
    /// The recording shim.
    pub fn tracer(&self) -> PathBuf {
        self.folder.join("libtracer.so")
    }
    /// The folder: scripts are here, and reports of single executions.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Flags that all sources share. The malloc family must stay calls: a compiler that knows malloc may drop a pair.
const FLAGS: &[&str] = &[
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
