/* hz3: what a program can ask of the malloc library that it runs on.
 *
 * Beside these functions the library has the C library's malloc interface and its second names (cfree, __libc_malloc,
 * __libc_free, __libc_calloc, __libc_realloc, __libc_memalign, __libc_valloc, __libc_pvalloc, __libc_mallopt,
 * __posix_memalign): all of them are one malloc, and what one gave another may free. Pointers that the C library's own
 * malloc gave, which a program can still get from libc.so.6's handle, are freed, resized and measured as
 * `hardening.foreign` of the config says; by default by the C library.
 *
 * The functions exist only when an hz3 library is loaded; a program that also runs without one looks them up with
 * dlsym(RTLD_DEFAULT, "hz3_name") or declares them weak, as done here when HZ3_WEAK is defined.
 */
#ifndef HZ3_H
#define HZ3_H

#include <stddef.h>

#ifdef HZ3_WEAK
#define HZ3_API __attribute__((weak))
#else
#define HZ3_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the generator, such as "0.1.0". Never freed. */
HZ3_API const char *hz3_version(void);

/* Name of the variant: the `name` of its config. Never freed. */
HZ3_API const char *hz3_name(void);

/* The variant's config as TOML, with parents merged and defaults written out. Never freed. */
HZ3_API const char *hz3_config(void);

/* Writes the statistics as one JSON object: at most `room` bytes with the final zero. Returns the length of the whole
 * text without its zero, so that a result >= room says how much room it takes. Allocates nothing. */
HZ3_API size_t hz3_stats_json(char *out, size_t room);

/* Writes a profile of the heap in pprof's format to the file, or to the config's `stats.profile_path` if `path` is null. The
 * file is replaced when the profile is whole. Returns 0, or an errno: ENOSYS if the variant's `stats.record` is "off".
 * Allocates nothing. Not for signal handlers: `stats.dump_signal` is. */
HZ3_API int hz3_profile_dump(const char *path);

/* Gives this thread's caches, the depots and free pages back. Returns the bytes that the kernel got. */
HZ3_API size_t hz3_trim(void);

/* Sets the limits of the heap, in bytes; 0 is none. They replace `arena.soft_limit` and `arena.hard_limit`; those of the control
 * group hold besides, if the config asks for them. What counts is `committed_bytes` of the statistics: every page of the heap
 * that may hold something. Above the soft limit caches and free pages are given back; above the hard one there is no memory.
 * Returns 0, or EINVAL if the soft limit is above the hard one. */
HZ3_API int hz3_set_limit(size_t soft, size_t hard);

/* What is found wrong with the heap, or with a pointer. */
enum hz3_fault {
    HZ3_FOREIGN = 1,        /* a pointer that no malloc of this process gave */
    HZ3_DOUBLE_FREE = 2,    /* an object was freed that was free */
    HZ3_WRITTEN_LINK = 3,   /* a free object was written to: what it says of the next one cannot be */
    HZ3_INTERIOR = 4,       /* a pointer to something else than the beginning of an object */
    HZ3_OVERFLOW = 5,       /* bytes behind an object were written to */
    HZ3_UNDERFLOW = 6,      /* bytes before an object were written to */
    HZ3_USE_AFTER_FREE = 7, /* a freed object was read or written */
    HZ3_WRONG_SIZE = 8,     /* an object was freed with a size or an alignment that is not its own */
    HZ3_COUNTS = 9          /* what the heap counts does not agree */
};

/* What was found. It lives until the function returns that is told of it. */
struct hz3_error {
    unsigned fault;      /* an enum hz3_fault; there may be more in later versions */
    const char *name;    /* its name, such as "double free" */
    const void *pointer; /* the pointer that was passed, or that was found */
    const void *object;  /* where the object begins that it is in; null if that is not known */
    size_t size;         /* bytes that the object can hold; 0 if that is not known */
    const char *text;    /* the report, which is on standard error already: one line without its end */
};

/* Has a function told of each error, or nobody if it is null. Where `hardening.on_error` is "abort" the process ends when the
 * function returns; where it is "continue" it goes on. It may be called in any thread that frees or allocates, and in a handler
 * of SIGSEGV. It may allocate; errors that it causes itself are reported and not told. */
HZ3_API void hz3_on_error(void (*told)(const struct hz3_error *));

#ifdef __cplusplus
}
#endif

#endif
