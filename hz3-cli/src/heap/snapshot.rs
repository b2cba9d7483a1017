//! The map of a heap at one moment, as it is kept in files.

use serde::{Deserialize, Serialize};

/// What a file says that it is.
pub const FORMAT: &str = "hz3-heap";
/// Version of the file's format.
pub const VERSION: u64 = 1;

/// A heap. Bytes and addresses are numbers; counts are of objects or pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u64,
    /// The variant's name.
    pub variant: String,
    /// The process.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// When it was read: UTC, as in RFC 3339.
    pub time: String,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Pages of a segment.
    pub segment_pages: u64,
    /// The arena; all zero if there is none.
    pub arena: Arena,
    /// Size classes.
    pub classes: Vec<Class>,
    /// Threads with caches.
    pub threads: u64,
    /// Objects in rings, on their way to their owners; they count as the program's.
    pub ring_objects: u64,
    /// Bytes of freed objects that threads keep from being served again.
    #[serde(default)]
    pub quarantine: u64,
    /// Bytes of freed large objects that the process keeps so: pages without access, none of it memory.
    #[serde(default)]
    pub quarantine_large: u64,
    /// Segments of pages, by address.
    pub segments: Vec<Segment>,
    /// Objects of whole segments, by address.
    pub huge: Vec<Huge>,
    /// Segments of the arena that were used and are free, by address.
    pub free: Vec<Free>,
    /// Segments, threads and table words that could not be read or made no sense: they changed while they were read.
    pub torn: u64,
}

/// The arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arena {
    /// Address of its first segment.
    pub base: u64,
    /// Segments reserved.
    pub segments: u64,
    /// Segments from here on were never used.
    pub high: u64,
}

/// A size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Bytes of an object.
    pub size: u32,
    /// Pages of a run.
    pub run_pages: u16,
    /// Objects of such a run.
    pub objects: u16,
    /// Objects in threads' magazines.
    pub magazines: u64,
    /// Objects in depots.
    pub depots: u64,
}

/// A segment of pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its address.
    pub address: u64,
    /// Whether it lies outside of the arena.
    pub outside: bool,
    /// What its pages are, without gaps, from its first page to its last.
    pub spans: Vec<Span>,
}

/// Consecutive pages with one use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first page's number in its segment.
    pub first: u16,
    /// Pages.
    pub pages: u16,
    /// Pages that the kernel has in memory, where that is known.
    pub resident: Option<u16>,
    /// What they are for.
    #[serde(flatten)]
    pub what: Use,
}

/// What pages are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "kebab-case")]
pub enum Use {
    /// The segment's description of itself.
    Header,
    /// Objects of one class.
    Run(Run),
    /// One large object.
    Large,
    /// Free, and may hold something: backed by memory.
    Dirty,
    /// Free, and zero.
    Clean,
    /// Free, and being given to the kernel.
    Purging,
    /// A guard, which nobody may touch.
    Guard,
    /// Changing hands while they were read.
    Unknown,
}

/// Objects of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Number of the class.
    pub class: u16,
    /// Number of the owner; 0 where runs are nobody's in particular.
    pub owner: u16,
    /// Objects out of the run: the program's, or in a thread's magazines, or in a depot.
    pub out: u16,
    /// Objects that were ever handed out.
    pub carved: u16,
    /// Objects that fit.
    pub capacity: u16,
    /// Pages in which no object in use lies, and which were given back to the kernel.
    #[serde(default)]
    pub given: u16,
}

/// An object of whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Huge {
    /// Its address.
    pub address: u64,
    /// Its bytes, in whole pages.
    pub bytes: u64,
    /// Whether it lies outside of the arena.
    pub outside: bool,
    /// Pages that the kernel has in memory, where that is known.
    pub resident: Option<u64>,
}

/// Free segments next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Free {
    /// Address of the first.
    pub address: u64,
    /// Segments.
    pub segments: u64,
    /// What their pages are.
    pub state: FreeState,
}

/// What the pages of a free segment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreeState {
    /// They may hold something: backed by memory.
    Dirty,
    /// Zero.
    Clean,
    /// Being given to the kernel.
    Purging,
}

impl Snapshot {
    /// Reads a file's text. The error says what it is instead.
    pub fn parse(text: &str) -> Result<Snapshot, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|e| format!("is no snapshot of a heap: {e}"))?;
        if value.get("format").and_then(|f| f.as_str()) != Some(FORMAT) {
            return Err("is no snapshot of a heap".to_owned());
        }
        let version = value.get("version").and_then(|v| v.as_u64()).unwrap_or(0);
        if version != VERSION {
            return Err(format!(
                "is a snapshot of version {version}, and this hz3 reads version {VERSION}"
            ));
        }
        let snapshot: Snapshot = serde_json::from_value(value).map_err(|e| format!("is a damaged snapshot: {e}"))?;
        snapshot.check()?;
        Ok(snapshot)
    }

    /// What those who add up and draw rely upon.
    fn check(&self) -> Result<(), String> {
        let bad = |what: &str| Err(format!("is a damaged snapshot: {what}"));
        if !(1..=1 << 16).contains(&self.page_bytes) || !(1..=1 << 13).contains(&self.segment_pages) {
            return bad("pages or segments of no sensible size");
        }
        for segment in &self.segments {
            let mut at = 0;
            for span in &segment.spans {
                if u64::from(span.first) != at || span.pages == 0 {
                    return bad("pages are missing or double");
                }
                at += u64::from(span.pages);
                if let Use::Run(run) = span.what
                    && (usize::from(run.class) >= self.classes.len() || run.out > run.capacity)
                {
                    return bad("a run that cannot be");
                }
            }
            if at != self.segment_pages {
                return bad("a segment without all of its pages");
            }
        }
        Ok(())
    }

    /// Bytes of a segment.
    pub fn segment_bytes(&self) -> u64 {
        self.page_bytes * self.segment_pages
    }
}
