//! `stats.record = "histogram"`: every object is counted, whatever the ownership and the tags, in a program and in a library.
#![cfg(target_os = "linux")]

mod common;

use common::compile;
use hz3_lab::profile::{FreedBy, Level, Profile, Row, Which};
use hz3_tests::Allocator as Library;
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

hz3::variant!(Adopt = "hz3:histogram");
hz3::variant!(Bank = "tests/fixtures/counted-bank.toml");
hz3::variant!(Ring = "tests/fixtures/counted-ring.toml");
hz3::variant!(Flat = "tests/fixtures/counted-flat.toml");

/// An object that another thread may get.
struct Object(*mut u8);
// SAFETY: whoever has the object is the only one who uses it.
unsafe impl Send for Object {}

fn layout(bytes: usize, align: usize) -> Layout {
    Layout::from_size_align(bytes, align).expect("a layout")
}

fn make<A: hz3::Allocator>(a: &A, count: usize, bytes: usize, align: usize) -> Vec<Object> {
    // SAFETY: no layout here has size 0.
    let objects = (0..count).map(|_| Object(unsafe { a.alloc(layout(bytes, align)) }));
    objects.inspect(|object| assert!(!object.0.is_null())).collect()
}

fn end<A: hz3::Allocator>(a: &A, objects: Vec<Object>, bytes: usize, align: usize) {
    // SAFETY: the objects are this function's, and were made with this layout.
    objects
        .into_iter()
        .for_each(|object| unsafe { a.dealloc(object.0, layout(bytes, align)) });
}

fn read(file: &Path) -> Profile {
    Profile::read(&std::fs::read(file).expect("a profile")).expect("a sound profile")
}

/// Objects by how they ended.
fn ends<'a>(rows: impl Iterator<Item = &'a Row>) -> BTreeMap<Option<FreedBy>, u64> {
    let mut ends = BTreeMap::new();
    for row in rows {
        *ends.entry(row.ended.and_then(|end| end.freed_by)).or_insert(0) += row.objects;
    }
    ends
}

/// What a variant counts that nobody else uses is exactly what is done here.
fn counts<A: hz3::Allocator + Sync>(a: &'static A) {
    let mut all = make(a, 100, 24, 8);
    end(a, all.split_off(40), 24, 8);
    let other = all.split_off(15);
    std::thread::spawn(move || {
        end(a, other, 24, 8);
        // They stay: nothing ends with what points to them.
        drop(make(a, 7, 40_000, 8));
    })
    .join()
    .expect("it ends");
    let wide = make(a, 5, 1000, 64);
    let huge = make(a, 3, 5 << 20, 8);
    end(a, huge, 5 << 20, 8);
    for object in make(a, 10, 48, 8) {
        // SAFETY: the object is this function's, and was made with this layout.
        assert!(!unsafe { a.realloc(object.0, layout(48, 8), 5000) }.is_null());
    }
    // SAFETY: the size is not 0.
    let zeroes = unsafe { a.alloc_zeroed(layout(333, 1)) };
    // SAFETY: the object is this function's; nobody has so many bytes, and what is refused is as it was.
    assert!(unsafe { a.realloc(zeroes, layout(333, 1), 1 << 46) }.is_null());

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("made.pb");
    let path = CString::new(file.as_os_str().as_bytes()).expect("no zero");
    hz3::profile::dump::<A>(&path).expect("it records");
    let p = read(&file);
    assert_eq!((p.level, p.period, p.threads, p.dropped), (Level::Exact, 1, 2, 0));
    let expected = BTreeMap::from([
        (24, 100),
        (40_000, 7),
        (1000, 5),
        (5 << 20, 3),
        (48, 10),
        (5000, 10),
        (333, 1),
    ]);
    assert_eq!(p.sizes(Which::Allocated), expected);
    let live = BTreeMap::from([(24, 15), (40_000, 7), (1000, 5), (5000, 10), (333, 1)]);
    assert_eq!(p.sizes(Which::InUse), live);
    let bytes = live.iter().map(|(size, count)| size * count).sum();
    assert_eq!(p.live_bytes, Some(bytes));
    assert!(
        p.peak_live_bytes.is_some_and(|peak| peak >= 15 << 20),
        "{:?}",
        p.peak_live_bytes
    );
    let of = |size| p.rows.iter().filter(move |row| row.size == size);
    let same = BTreeMap::from([(None, 15), (Some(FreedBy::Same), 60), (Some(FreedBy::Other), 25)]);
    assert_eq!(ends(of(24)), same);
    assert!(of(1000).all(|row| row.align == 64) && of(24).all(|row| row.align == 16));
    assert!(of(24).all(|row| row.thread == 1) && of(40_000).all(|row| row.thread == 2));
    for row in &p.rows {
        assert!(
            row.samples == row.objects && row.bytes == row.objects * row.size,
            "{row:?}"
        );
        let least = row
            .ended
            .map_or(0, |end| if end.lifetime > 1 { end.lifetime } else { 0 })
            * row.objects;
        assert!(
            row.lived >= least as f64 && row.born <= p.duration,
            "{row:?} of {}",
            p.duration
        );
    }

    let mut again = Vec::new();
    hz3::profile::write::<A, std::convert::Infallible>(|bytes| {
        again.extend_from_slice(bytes);
        Ok(())
    })
    .expect("it records");
    assert_eq!(
        Profile::read(&again).expect("a sound profile").sizes(Which::InUse),
        live
    );
    let stopped = hz3::profile::write::<A, _>(|_| Err("no more"));
    assert_eq!(stopped, Err(hz3::profile::WriteError::Writer("no more")));
    end(a, wide, 1000, 64);
}

#[test]
fn every_object_is_counted_by_whoever_frees() {
    counts(&Adopt);
}

#[test]
fn every_object_is_counted_with_owners_that_have_banks() {
    counts(&Bank);
}

#[test]
fn every_object_is_counted_with_owners_that_have_rings() {
    counts(&Ring);
}

#[test]
fn every_object_is_counted_with_tags_of_the_whole_address_space() {
    counts(&Flat);
}

hz3::variant!(Exit = "tests/fixtures/counted-exit.toml");

/// What the test below runs.
#[test]
fn child() {
    if std::env::var_os("HZ3_COUNTED").is_some() {
        std::mem::forget(make(&Exit, 9, 77, 1));
    }
}

#[test]
fn a_program_tells_when_it_ends() {
    // This process itself tells, too, beside what is built.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [own, target] = ["own", "target"].map(|name| folder.path().join(name));
    for path in [&own, &target] {
        std::fs::create_dir(path).expect("a folder");
    }
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child"])
        .env("HZ3_COUNTED", "1")
        .current_dir(own)
        .output()
        .expect("it starts");
    assert!(child.status.success(), "{}", child.status);
    let files: Vec<_> = std::fs::read_dir(target).expect("the folder").flatten().collect();
    assert_eq!(files.len(), 1);
    assert_eq!(read(&files[0].path()).sizes(Which::InUse), BTreeMap::from([(77, 9)]));
}

#[test]
fn what_records_nothing_says_so() {
    let error = hz3::profile::dump::<hz3::Hz3>(c"/dev/null").expect_err("it records nothing");
    assert_eq!(error, hz3::profile::Error::NOTHING_RECORDED);
    assert!(error.to_string().contains("stats.record"), "{error}");
}

/// Threads that allocate without a pause, while signals ask for profiles and children are forked, which tell of themselves.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern int hz3_profile_dump(const char *) __attribute__((weak));
static volatile int stop;

static void *busy(void *arg)
{
    static __thread void *kept[4096];
    while (!stop) {
        for (int i = 0; i < 4096; i++)
            kept[i] = malloc(i * 7919 % 3000);
        for (int i = 0; i < 4096; i++)
            free(kept[i]);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[2];
    if (!hz3_profile_dump)
        return 9;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, busy, NULL);
    for (int i = 0; i < 30; i++) {
        pthread_kill(threads[i % 2], SIGRTMIN + 10);
        if (i % 10 == 5) {
            pid_t child = fork();
            if (child == 0) {
                for (int k = 0; k < 5; k++)
                    malloc(77777);
                exit(hz3_profile_dump(NULL));
            }
            int status;
            waitpid(child, &status, 0);
            if (status)
                return 8;
        }
        raise(SIGRTMIN + 10);
        if (hz3_profile_dump("asked.pb"))
            return 7;
    }
    /* A handler that writes may have interrupted whoever holds what the fork waits for. */
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 2; k++)
            pthread_kill(threads[k], SIGRTMIN + 10);
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int k = 0; k < 11; k++)
        malloc(88888);
    return hz3_profile_dump(NULL);
}
"#;

#[test]
fn profiles_are_written_on_request_and_by_signals_in_parents_and_children() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = ["-O1", "-fno-builtin", "-pthread"];
    let program = compile(folder.path(), "busy", PROGRAM, &flags).expect("cc is needed by this test");
    let library = Library::variant("histogram").expect("a library");
    let output = Command::new(program)
        .current_dir(folder.path())
        .envs(library.environment())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
    let mut profiles = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("the folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.contains("unfinished"), "{name}");
        if name.ends_with(".pb") {
            profiles.push((name, read(&entry.path())));
        }
    }
    // One that was asked for, and one for each process.
    assert_eq!(profiles.len(), 5);
    let live = |size| {
        profiles
            .iter()
            .filter(move |(_, p)| p.sizes(Which::InUse).contains_key(&size))
    };
    assert_eq!((live(77_777).count(), live(88_888).count()), (3, 1));
    for (name, p) in &profiles {
        let sizes = p.sizes(Which::InUse);
        let counts = [77_777, 88_888].map(|size| sizes.get(&size).copied().unwrap_or(0));
        assert!([[0, 0], [5, 0], [0, 11]].contains(&counts), "{name}: {counts:?}");
        assert!(
            p.level == Level::Exact && p.dropped == 0,
            "{name}: {} were dropped",
            p.dropped
        );
        assert!(
            p.config == "histogram" && p.config_hash.len() == 16,
            "{name}: {} {}",
            p.config,
            p.config_hash
        );
    }
    let (_, last) = live(88_888).next().expect("the parent's");
    let busy: u64 = last
        .rows(Which::InUse)
        .filter(|row| row.thread == 2 || row.thread == 3)
        .map(|row| row.objects)
        .sum();
    assert_eq!(busy, 0, "what the threads had is freed");
}
