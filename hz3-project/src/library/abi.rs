//! What a malloc library must export, and what a variant may.

use std::collections::BTreeSet;

/// Without these a library is inert or worse: memory of one malloc would be freed by another.
pub const CORE: &[&str] = &["malloc", "free", "calloc", "realloc"];

/// The C surface of a variant.
const C: &str = "\
    malloc calloc realloc reallocarray free free_sized free_aligned_sized memalign posix_memalign aligned_alloc \
    valloc pvalloc malloc_usable_size malloc_trim mallopt mallinfo mallinfo2 malloc_stats malloc_info";

/// The C library's second names of the same functions.
const C_AGAIN: &str = "\
    cfree __libc_malloc __libc_free __libc_calloc __libc_realloc __libc_memalign __libc_valloc __libc_pvalloc \
    __libc_mallopt __posix_memalign";

/// Whether it is a second name of a function of the C library's.
pub fn is_second(name: &str) -> bool {
    C_AGAIN.split_whitespace().any(|other| other == name)
}

/// The function's first name, if this is a second one.
pub fn first(name: &str) -> Option<&str> {
    is_second(name).then(|| match name {
        "cfree" => "free",
        _ => name.trim_start_matches("__libc_").trim_start_matches("__"),
    })
}

/// The variant's own functions.
const OWN: &str = "\
    hz3_version hz3_name hz3_config hz3_stats_json hz3_profile_dump hz3_trim hz3_set_limit hz3_on_error";

/// C++ `new` and `delete`: plain, array, nothrow, aligned, sized.
const CXX: &str = "\
    _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZnwmSt11align_val_t _ZnamSt11align_val_t \
    _ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t _ZdlPv _ZdaPv _ZdlPvm _ZdaPvm \
    _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t _ZdlPvSt11align_val_t _ZdaPvSt11align_val_t _ZdlPvmSt11align_val_t \
    _ZdaPvmSt11align_val_t _ZdlPvSt11align_val_tRKSt9nothrow_t _ZdaPvSt11align_val_tRKSt9nothrow_t";

/// All that a variant must export.
fn required<'a>() -> impl Iterator<Item = &'a str> {
    [C, C_AGAIN, OWN, CXX].into_iter().flat_map(str::split_whitespace)
}

/// What is wrong with a variant's exports, to which `more` belong: names that lack, names that should not be there. Both sorted.
pub fn faults(exports: &BTreeSet<String>, more: &[String]) -> (Vec<String>, Vec<String>) {
    let known: BTreeSet<&str> = required().chain(more.iter().map(String::as_str)).collect();
    let missing = known.iter().filter(|name| !exports.contains(**name));
    let missing = missing.map(|name| (*name).to_owned()).collect();
    let extra = exports
        .iter()
        .filter(|name| !known.contains(name.as_str()) && !name.starts_with("hz3_"))
        .cloned()
        .collect();
    (missing, extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_names_have_first_ones() {
        let firsts: BTreeSet<&str> = C.split_whitespace().collect();
        for name in C_AGAIN.split_whitespace() {
            assert!(first(name).is_some_and(|first| firsts.contains(first)), "{name}");
        }
        assert_eq!(first("malloc"), None);
    }

    #[test]
    fn faults_of_exports() {
        let mut exports: BTreeSet<String> = required().map(str::to_owned).collect();
        assert_eq!(faults(&exports, &[]), (vec![], vec![]));
        let more = ["__alloc_token_malloc".to_owned()];
        assert_eq!(faults(&exports, &more), (more.to_vec(), vec![]));
        exports.remove("malloc");
        exports.insert("hz3_anything".to_owned());
        exports.insert("rust_eh_personality".to_owned());
        assert_eq!(
            faults(&exports, &[]),
            (vec!["malloc".to_owned()], vec!["rust_eh_personality".to_owned()])
        );
    }
}
