//! Profiles that variants make by sampling what stays in use: by signal, in the child of a fork, and at exit; in several modes
//! of ownership and tag spaces.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Cleanup, compile, hz3, root};
use hz3_lab::profile::{Level, Profile};
use std::path::{Path, PathBuf};
use std::process::Command;

fn read(path: &Path) -> Profile {
    let data = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Profile::read(&data).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Objects that are in use, of one size.
struct Kept {
    /// Bytes that were asked for.
    bytes: u64,
    /// Sizes that may be told of them: those of their class, whichever variant it is. What is counted and was not sampled has the
    /// size of its class.
    class: std::ops::RangeInclusive<u64>,
    count: u64,
}

impl Kept {
    /// Says what is wrong with what a profile tells of them.
    fn is_told_by(&self, profile: &Profile) -> Result<(), String> {
        let (mut objects, mut samples) = (0, 0);
        for row in &profile.rows {
            if row.live() && self.class.contains(&row.size) {
                objects += row.objects;
                samples += row.samples;
            }
        }
        // An object of so many bytes is sampled as often as an exponential gap of the mean ends in it: where events count, by the
        // bytes of its class. Five standard deviations of the count.
        let mean = |bytes: u64| self.count as f64 * -(-(bytes as f64) / profile.period as f64).exp_m1();
        let (fewest, most) = (mean(self.bytes), mean(*self.class.end()));
        let (fewest, most) = (fewest - 5.0 * fewest.sqrt(), most + 5.0 * most.sqrt());
        if (samples as f64) < fewest || samples as f64 > most {
            return Err(format!("{samples} samples, not {fewest:.0} to {most:.0}"));
        }
        // Samples only say whose the objects are: how many a class has is counted. What is left is rounding. It hands half an object at
        // the most from each row to the next, which may be of another class: five deviations of so many even chances, in and out.
        let off = 1.0 + 5.0 * (samples as f64 * 2.0 / 12.0).sqrt();
        if objects.abs_diff(self.count) as f64 > off {
            return Err(format!("{objects} objects, not {} by {off:.0}", self.count));
        }
        Ok(())
    }
}

/// A variant of `parent` that samples, with these lines more.
struct Sampling {
    folder: tempfile::TempDir,
    name: String,
    library: PathBuf,
    _cleanup: Cleanup,
}

impl Sampling {
    fn new(parent: &str, role: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let name = format!("cli-test-sampling-{role}-{parent}");
        let config = folder.path().join(format!("{name}.toml"));
        let text = format!(
            "name = \"{name}\"\ndescription = \"A test\"\nextends = \"hz3:{parent}\"\n[stats]\nrecord = \"sample\"\n\
             sample_bytes = \"16KiB\"\nsample_pause_us = 0\ndump_signal = 44\ndump_at_exit = true\n{more}"
        );
        std::fs::write(&config, text).expect("a config");
        let library = hz3_project::Place::checkout().library(&name);
        let cleanup = Cleanup(vec![library.clone()]);
        hz3(&root(), &["build", config.to_str().expect("UTF-8")]).with(0);
        Sampling {
            folder,
            name,
            library,
            _cleanup: cleanup,
        }
    }

    fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        compile(self.folder.path(), name, source, flags).expect("cc is needed by these tests")
    }

    /// Runs a program in its folder, under it unless the program loads it. Returns what it prints.
    fn run(&self, program: &Path, preload: bool, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        if preload {
            command.env("LD_PRELOAD", &self.library);
        }
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}: {output:?}", self.name);
        String::from_utf8_lossy(&output.stdout).trim().into()
    }
}

/// Writes all three profiles under a variant with these lines more than its parent.
fn writes(parent: &str, more: &str) {
    let variant = Sampling::new(parent, "kept", more);
    let source = include_str!("sampling/kept.c");
    let program = variant.compile("kept", source, &["-O1", "-g", "-fno-builtin", "-pthread"]);
    let at_exit = format!("hz3.{}.pb", variant.run(&program, true, &[]));
    // Objects in use of 100, 5000, 200000 and 300 bytes; the last ones are half of those that another thread made.
    for (file, [small, middle, large, made]) in [
        ("signal.pb", [40_000, 2000, 20, 10_000]),
        ("child.pb", [0, 2000, 0, 10_000]),
        (&at_exit, [40_000, 0, 20, 10_000]),
    ] {
        let profile = read(&variant.folder.path().join(file));
        assert_eq!(
            (profile.level, profile.period, profile.threads, profile.dropped),
            (Level::InUse, 16 << 10, 2, 0)
        );
        assert_eq!(profile.config, variant.name);
        for (bytes, class, count) in [
            (100, 97..=128, small),
            (5000, 4097..=8192, middle),
            (200_000, 200_000..=200_000, large),
            (300, 289..=320, made),
        ] {
            let kept = Kept { bytes, class, count };
            if let Err(why) = kept.is_told_by(&profile) {
                panic!("{parent}, {file}, objects of {bytes} bytes: {why}");
            }
        }
        let before =
            |row: &&hz3_lab::profile::Row| row.live() && row.samples > 0 && [4800, 199_000].contains(&row.size);
        assert_eq!(
            profile.rows.iter().find(before),
            None,
            "{parent}, {file}: objects that were resized"
        );
        let own = |mapping: &hz3_lab::profile::Mapping| mapping.file.ends_with("/kept");
        let stacks = profile.rows.iter().filter(|row| row.live() && row.samples > 0);
        let ours = stacks.filter(|row| {
            let mut calls = profile.stacks[row.stack].iter().map(|at| &profile.locations[*at]);
            calls.any(|call| call.mapping.is_some_and(|at| own(&profile.mappings[at])))
        });
        assert!(ours.count() > 20, "{parent}, {file}: stacks lead into the program");
    }
}

#[test]
fn threads_adopt_what_others_free() {
    writes("default", "");
}

#[test]
fn owners_of_runs() {
    writes("hz3-fast", "stacks = \"frame-pointers\"\n");
}

#[test]
fn a_flat_table_of_tags() {
    writes("flat", "");
}

/// A signal that asks for a profile is kept from nobody: neither from a handler that was there before the variant, nor from one
/// that the program installs later, which may ask for the profile in turn.
#[test]
fn a_signal_is_kept_from_nobody() {
    // One that a program can load when it runs.
    let variant = Sampling::new("late", "handlers", "");
    let program = variant.compile("handlers", include_str!("sampling/handlers.c"), &["-O1"]);
    for what in ["alone", "later"] {
        let process = variant.run(&program, true, &[what]);
        let profile = read(&variant.folder.path().join(format!("hz3.{process}.pb")));
        assert_eq!(profile.level, Level::InUse);
    }
    let library = variant.library.to_str().expect("UTF-8");
    for what in ["before", "once", "ignored"] {
        variant.run(&program, false, &[what, library]);
    }
}

/// The C library allocates while it has a lock of the thread whose stack it is asked for, as Rust's programs do first of all: then an
/// allocation does not ask it in turn.
#[test]
fn an_allocation_does_not_ask_the_c_library_for_the_stack() {
    let more = "stacks = \"frame-pointers\"\n[hardening]\nguarded_bytes = 2\nguarded_pause_us = 0\n";
    let variant = Sampling::new("default", "stack", more);
    let source = "#define _GNU_SOURCE\n#include <pthread.h>\nint main(void) {\n\tpthread_attr_t known;\n\
                  \treturn pthread_getattr_np(pthread_self(), &known) || pthread_attr_destroy(&known);\n}\n";
    let program = variant.compile("stack", source, &["-O1", "-pthread"]);
    variant.run(&program, true, &[]);
}
