//! How small a variant is: its file, its thread-local block, and what the smallest process costs.

use hz3_tests::place;
use hz3_tests::{Allocator, Run, client};
use libtest_mimic::{Failed, Trial};

/// Bytes of thread-local storage that no variant may exceed: more, and `dlopen` and small stacks fail.
const TLS_BYTES: u64 = 8 << 10;
/// The same for `default`.
const TLS_BYTES_DEFAULT: u64 = 4 << 10;
/// Bytes of the library's file.
const FILE_BYTES: u64 = 224 << 10;
/// The same of a variant with defences that the program's calls go through.
const WRAPPING_FILE_BYTES: u64 = 248 << 10;
/// The same of a variant that samples, with what reads stacks and writes profiles.
const SAMPLING_FILE_BYTES: u64 = 248 << 10;
/// KiB by which the peak of `/bin/true` under `default` may exceed that under glibc.
const TRUE_KIB: u64 = 300;

pub fn trials(name: &str) -> Vec<Trial> {
    let (one, two) = (name.to_owned(), name.to_owned());
    vec![
        Trial::test(format!("{name}::footprint_library"), move || {
            library(&Allocator::variant(&one)?)
        }),
        Trial::test(format!("{name}::footprint_process"), move || {
            process(&Allocator::variant(&two)?)
        }),
    ]
}

fn library(allocator: &Allocator) -> Result<(), Failed> {
    let Allocator::Variant(variant) = allocator else {
        return Err("not a variant".into());
    };
    let (tls, file) = (variant.library.tls_bytes, variant.library.file_bytes);
    let bound = if variant.name == "default" {
        TLS_BYTES_DEFAULT
    } else {
        TLS_BYTES
    };
    if tls > bound {
        return Err(format!("{tls} bytes of thread-local storage, more than {bound}").into());
    }
    let bound = match hz3_config::load(&place::config(&variant.name)) {
        Ok(plan) if plan.policy.samples() || plan.stats.tells_calls() => SAMPLING_FILE_BYTES,
        Ok(plan) if plan.policy.wraps() => WRAPPING_FILE_BYTES,
        _ => FILE_BYTES,
    };
    if file > bound {
        return Err(format!("{file} bytes of library, more than {bound}").into());
    }
    Ok(())
}

/// The least of several runs, as the kernel's own share varies.
fn process(allocator: &Allocator) -> Result<(), Failed> {
    let peak = |allocator: &Allocator| -> Result<u64, Failed> {
        let mut least = u64::MAX;
        for _ in 0..9 {
            let outcome = Run::new(client::build("peak")?, allocator).arg("/bin/true").success()?;
            let kib = outcome
                .text()
                .trim()
                .parse()
                .map_err(|e| format!("{e}: {}", outcome.describe()))?;
            least = least.min(kib);
        }
        Ok(least)
    };
    let (own, control) = (peak(allocator)?, peak(&Allocator::Glibc)?);
    // Other configs may trade start-up for something else, within reason.
    let allowance = if allocator.name() == "default" {
        TRUE_KIB
    } else {
        4 * TRUE_KIB
    };
    if own > control + allowance {
        return Err(format!("/bin/true peaks at {own} KiB, {control} under glibc: more than {allowance} apart").into());
    }
    Ok(())
}
