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

#ifdef __cplusplus
}
#endif

#endif
