//! A running process: its memory, and the variant in it.

use super::decode;
use super::memory::{Block, Fault, ProcessMemory};
use super::snapshot::Snapshot;
use crate::step::maps::{self, Mapping};
use hz3_core::statics::layout::{MAGIC, Numbers, SECTION, VERSION};
use hz3_project::Error;
use hz3_project::peers::PEERS;
use object::read::ReadCache;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ObjectSegment};
use std::fs::File;
use std::io;
use std::path::Path;

/// Most bytes of a section of layouts.
const MOST: u64 = 1 << 16;

/// A process that can be read.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    memory: ProcessMemory,
    maps: Vec<Mapping>,
}

impl Process {
    /// Opens the process `pid`. It is not stopped, and nothing is written.
    pub fn open(pid: u32) -> Result<Process, Error> {
        let file = |name: &str| format!("/proc/{pid}/{name}");
        let maps = mapped(pid)?;
        let mem = File::open(file("mem")).map_err(|e| refused(pid, &e))?;
        let pagemap = File::open(file("pagemap")).ok();
        Ok(Process {
            pid,
            memory: ProcessMemory { mem, pagemap },
            maps,
        })
    }

    /// The heap of the variant in the process; of the one named `wanted` where there are several.
    pub fn snapshot(&self, wanted: Option<&str>) -> Result<Snapshot, Error> {
        let numbers = self.variant(wanted)?;
        let mut snapshot = decode::read(&self.memory, &numbers).map_err(|fault| self.broken(&fault))?;
        snapshot.pid = self.pid;
        snapshot.command = self.command();
        snapshot.time = hz3_lab::record::utc_now();
        Ok(snapshot)
    }

    fn command(&self) -> String {
        let words = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let words = words.strip_suffix(b"\0").unwrap_or(&words);
        String::from_utf8_lossy(words).replace('\0', " ")
    }

    /// The one variant that is in use, or the one that was asked for.
    fn variant(&self, wanted: Option<&str>) -> Result<Numbers, Error> {
        let mut found = Vec::new();
        for numbers in self.layouts() {
            if numbers.version != VERSION as u64 {
                return Err(Error::failed(format!(
                    "the variant in process {} describes its heap in version {}, and this hz3 reads version {VERSION}",
                    self.pid, numbers.version
                ))
                .help("use the hz3 that built the variant, or build it again and restart the program"));
            }
            let name = decode::name(&self.memory, &numbers).map_err(|fault| self.broken(&fault))?;
            let used = decode::in_use(&self.memory, &numbers).map_err(|fault| self.broken(&fault))?;
            found.push((name, used, numbers));
        }
        if found.is_empty() {
            return Err(without_variant(self.pid, &self.maps));
        }
        let names = |list: &[(String, bool, Numbers)]| {
            let names: Vec<String> = list.iter().map(|(name, ..)| format!("`{name}`")).collect();
            names.join(", ")
        };
        if let Some(wanted) = wanted {
            let all = names(&found);
            found.retain(|(name, ..)| name == wanted);
            if found.is_empty() {
                return Err(Error::bad_input(format!(
                    "no variant `{wanted}` in process {}: there is {all}",
                    self.pid
                )));
            }
        }
        let all = names(&found);
        found.retain(|(_, used, _)| *used);
        match found.as_slice() {
            [(_, _, numbers)] => Ok(*numbers),
            [] => Err(Error::failed(format!(
                "{all} is loaded into process {}, but nothing was ever allocated from it",
                self.pid
            ))
            .help("cargo hz3 doctor NAME -- COMMAND says whose malloc the program calls")),
            several => Err(
                Error::bad_input(format!("process {} has several variants: {}", self.pid, names(several)))
                    .help("choose one with --variant NAME"),
            ),
        }
    }

    /// The layouts in the process: from the section of each file that it maps, or, where the file is gone, from what it
    /// mapped of it to write.
    fn layouts(&self) -> Vec<Numbers> {
        let mut found = Vec::new();
        for mapping in self.maps.iter().filter(|m| m.offset == 0) {
            match maps::file(self.pid, mapping).and_then(|path| File::open(path).ok()) {
                Some(file) => found.extend(self.layouts_of(file, mapping.start)),
                None => {
                    let written = self.maps.iter().filter(|m| m.writable && m.path == mapping.path);
                    for piece in written.take_while(|_| likely(&mapping.path)) {
                        found.extend(self.search(piece.start, (piece.end - piece.start).min(MOST * 16)));
                    }
                }
            }
        }
        // A file can be mapped twice from its beginning on.
        found.sort_by_key(|n| n.this);
        found.dedup_by_key(|n| n.this);
        found
    }

    fn layouts_of(&self, file: File, start: u64) -> Vec<Numbers> {
        let cache = ReadCache::new(file);
        let Ok(elf) = ElfFile64::<Endianness, _>::parse(&cache) else {
            return Vec::new();
        };
        let Some(section) = elf.section_by_name(SECTION) else {
            return Vec::new();
        };
        let lowest = elf.segments().map(|s| s.address()).min().unwrap_or(0) & !0xfff;
        let at = start.wrapping_sub(lowest).wrapping_add(section.address());
        self.search(at, section.size().min(MOST))
    }

    /// The layouts in a piece of memory. Each carries its own address, so that copies are told from it.
    fn search(&self, at: u64, bytes: u64) -> Vec<Numbers> {
        let Ok(block) = Block::fetch(&self.memory, at, bytes as usize) else {
            return Vec::new();
        };
        let starts = (0..block.0.len())
            .step_by(8)
            .filter(|&i| block.0[i..].starts_with(&MAGIC));
        starts
            .filter_map(|i| Numbers::read(&block.0[i..]).filter(|n| n.this == at + i as u64))
            .collect()
    }

    fn broken(&self, fault: &Fault) -> Error {
        match fault {
            Fault::Ended => Error::failed(format!("process {} ended while it was read", self.pid)),
            other => Error::failed(format!("the heap of process {} cannot be read: {other}", self.pid))
                .help("it may have ended, or replaced its program, meanwhile; try again"),
        }
    }
}

/// Says whose malloc a process has that has no variant.
pub fn without_variant(pid: u32, maps: &[Mapping]) -> Error {
    let mapped = |file: &str| maps.iter().any(|m| base(&m.path).starts_with(file));
    if let Some(old) = maps.iter().find(|m| base(&m.path).starts_with("libhz3_")) {
        return Error::failed(format!(
            "{} in process {} does not say where its heap is: it was built by an older hz3",
            base(&old.path),
            pid
        ))
        .help("cargo hz3 build NAME, and restart the program");
    }
    let peer = PEERS.iter().find(|peer| {
        let stem = |file: &str| file.split(".so").next().unwrap_or(file).to_owned();
        peer.files.iter().any(|file| mapped(&stem(file)))
    });
    let malloc = match peer {
        Some(peer) => format!("its malloc seems to be {}", peer.name),
        None if mapped("libc.so") || mapped("libc-") => "its malloc seems to be the C library's".to_owned(),
        None if mapped("ld-musl") || mapped("libc.musl") => "its malloc seems to be musl's".to_owned(),
        None => "it is linked statically, or brings its own malloc".to_owned(),
    };
    Error::failed(format!("no variant of hz3 in process {}: {malloc}", pid))
        .help("cargo hz3 run NAME -- COMMAND starts a program under a variant")
}

fn base(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

/// Whether a file that is gone may have been a variant's library.
fn likely(path: &Path) -> bool {
    base(path).contains("hz3")
}

/// What is mapped in a process that exists, and that has memory.
pub fn mapped(pid: u32) -> Result<Vec<Mapping>, Error> {
    let text = std::fs::read(format!("/proc/{pid}/maps")).map_err(|e| refused(pid, &e))?;
    if text.is_empty() {
        return Err(Error::failed(format!(
            "process {pid} has no memory: it has ended, or it is the kernel's own"
        )));
    }
    maps::read(pid).map_err(|e| refused(pid, &e))
}

fn refused(pid: u32, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::bad_input(format!("there is no process {pid}")),
        io::ErrorKind::PermissionDenied => {
            let failure = Error::unfit(format!("process {pid} may not be read: {error}"));
            let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
            match scope.trim() {
                "" | "0" => failure.help("it must be a process of the same user; root may read any, if its container lets it trace"),
                scope => failure.help(format!(
                    "kernel.yama.ptrace_scope is {scope}, which keeps processes of the same user apart: run this as root, or sysctl kernel.yama.ptrace_scope=0"
                )),
            }
        }
        _ if error.raw_os_error() == Some(3) => Error::failed(format!("process {pid} ended while it was read")),
        _ => Error::failed(format!("process {pid} cannot be read: {error}")),
    }
}
