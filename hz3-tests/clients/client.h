/* What every client shares: checks that name file and line, patterns for blocks, a generator, and the resident size.
 *
 * A client is a plain C program on the standard interface. It prints what failed and exits with 1; with 0 otherwise.
 * HZ3_EXPECT in the environment names the variant that must be serving malloc; without it anything may serve. */
#ifndef HZ3_CLIENT_H
#define HZ3_CLIENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linked.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Writes without allocating and leaves without running destructors: the heap may be what is broken. */
__attribute__((format(printf, 4, 5), noreturn, unused)) static void fail_at(const char *file, int line,
                                                                            const char *what, const char *format, ...)
{
    char text[600];
    int used = snprintf(text, sizeof text, "%s:%d: failed: %s: ", file, line, what);
    va_list list;
    va_start(list, format);
    if (used > 0 && (size_t)used < sizeof text)
        used += vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    va_end(list);
    if (used > (int)sizeof text - 2)
        used = (int)sizeof text - 2;
    text[used++] = '\n';
    if (write(2, text, (size_t)used) < 0)
        _exit(2);
    _exit(1);
}

/* CHECK(condition, "format", ...): what has to hold, and the values to look at if it does not. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_at(__FILE__, __LINE__, #condition, __VA_ARGS__);                                                      \
    } while (0)

typedef const char *(*hz3_text_fn)(void);

/* The variant's name, or NULL under another allocator. */
__attribute__((unused)) static const char *hz3_variant(void)
{
    union {
        void *symbol;
        hz3_text_fn call;
    } name;
    name.symbol = dlsym(RTLD_DEFAULT, "hz3_name");
    return name.symbol ? name.call() : NULL;
}

/* Whether the variant's resolved config has a line; false under another allocator. */
__attribute__((unused)) static int config_says(const char *line)
{
    union {
        void *symbol;
        hz3_text_fn call;
    } config;
    config.symbol = dlsym(RTLD_DEFAULT, "hz3_config");
    return config.symbol && strstr(config.call(), line);
}

/* Bytes of a segment of the variant's arena. */
__attribute__((unused)) static size_t segment_bytes(void)
{
    static const size_t lengths[] = {1, 4, 8, 16, 32};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char line[32];
        snprintf(line, sizeof line, "segment = \"%zuMiB\"", lengths[i]);
        if (config_says(line))
            return lengths[i] * MIB;
    }
    return 2 * MIB;
}

/* A number of the variant's statistics by its key; 0 under another allocator. Its own buffer is static: threads take turns. */
__attribute__((unused)) static size_t hz3_stat(const char *key)
{
    static char text[1 << 17];
    char quoted[64];
    union {
        void *symbol;
        size_t (*call)(char *, size_t);
    } stats;
    stats.symbol = dlsym(RTLD_DEFAULT, "hz3_stats_json");
    if (!stats.symbol)
        return 0;
    stats.call(text, sizeof text);
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(text, quoted);
    CHECK(at, "no %s in the statistics", key);
    return (size_t)strtoull(at + strlen(quoted), NULL, 10);
}

/* Proves that malloc is the expected variant's: a library that is not interposed behaves exactly like glibc. */
__attribute__((unused)) static void client_start(void)
{
    const char *expected = getenv("HZ3_EXPECT");
    if (!expected)
        return;
    const char *name = hz3_variant();
    CHECK(name, "no hz3_name: the library %s is not loaded", expected);
    CHECK(strcmp(name, expected) == 0, "the library is %s, not %s", name, expected);
    static const char *const symbols[] = {"malloc", "free", "calloc", "realloc", "posix_memalign"};
    for (size_t i = 0; i < COUNT(symbols); i++) {
        Dl_info info, own;
        void *symbol = dlsym(RTLD_DEFAULT, symbols[i]);
        CHECK(symbol && dladdr(symbol, &info), "%s has no address", symbols[i]);
        CHECK(dladdr(dlsym(RTLD_DEFAULT, "hz3_name"), &own), "hz3_name has no library");
        CHECK(info.dli_fbase == own.dli_fbase, "%s is served by %s", symbols[i], info.dli_fname);
    }
}

/* splitmix64: a step of `state`, well mixed. */
__attribute__((unused)) static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in low..=high. */
__attribute__((unused)) static size_t random_between(uint64_t *state, size_t low, size_t high)
{
    return low + (size_t)(next_random(state) % (high - low + 1));
}

/* Mostly small, sometimes a page or some, seldom large: bytes, at least 1. */
__attribute__((unused)) static size_t random_size(uint64_t *state)
{
    uint64_t kind = next_random(state) % 1000;
    if (kind < 700)
        return random_between(state, 1, 512);
    if (kind < 900)
        return random_between(state, 513, 4200);
    if (kind < 995)
        return random_between(state, 4201, 40000);
    return random_between(state, 40001, 600000);
}

static uint8_t pattern_byte(uint64_t key, size_t index)
{
    return (uint8_t)((key >> ((index & 7) * 8)) ^ (index >> 3));
}

/* A key of address, size and seed: a block that two owners hold, or that moved, does not verify. */
static uint64_t pattern_key(const void *block, size_t size, uint64_t seed)
{
    uint64_t state = (uint64_t)(uintptr_t)block * 31 + size * 0x10001 + seed;
    return next_random(&state);
}

/* Blocks above this are patterned at their ends and at one byte in 509 in between. */
#define DENSE 8192u

static size_t pattern_next(size_t index, size_t size)
{
    if (size <= DENSE || index < 1024 || index + 1024 >= size)
        return index + 1;
    size_t jump = index + 509;
    return jump + 1024 < size ? jump : size - 1024;
}

__attribute__((unused)) static void fill_key(void *block, size_t size, uint64_t key)
{
    uint8_t *bytes = (uint8_t *)block;
    for (size_t i = 0; i < size; i = pattern_next(i, size))
        bytes[i] = pattern_byte(key, i);
}

/* Fills `size` bytes so that verify_block() can tell whose they are. */
__attribute__((unused)) static void fill_block(void *block, size_t size, uint64_t seed)
{
    fill_key(block, size, pattern_key(block, size, seed));
}

/* Checks the first `count` bytes of a pattern laid for a block of `size` bytes with `key`. */
__attribute__((unused)) static void verify_key(const void *block, size_t size, size_t count, uint64_t key,
                                               const char *file, int line)
{
    const uint8_t *bytes = (const uint8_t *)block;
    for (size_t i = 0; i < count; i = pattern_next(i, size))
        if (bytes[i] != pattern_byte(key, i))
            fail_at(file, line, "pattern", "block %p of %zu bytes: byte %zu is 0x%02x, not 0x%02x", block, size, i,
                    bytes[i], pattern_byte(key, i));
}

#define VERIFY(block, size, seed)                                                                                      \
    verify_key((block), (size), (size), pattern_key((block), (size), (seed)), __FILE__, __LINE__)

/* KiB of the address space (0), or of what is resident (1). (/proc/self/statm counts in pages: under an emulator not in the program's.)
 * Nothing where HZ3_TEST_UNMEASURED says that the process has the memory of an emulator, too, which grows with threads and forks. */
__attribute__((unused)) static size_t process_kib(int field)
{
    if (getenv("HZ3_TEST_UNMEASURED"))
        return 0;
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0, "no /proc/self/status (errno %d)", errno);
    ssize_t used = read(file, text, sizeof text - 1);
    close(file);
    CHECK(used > 0, "an empty /proc/self/status");
    text[used] = 0;
    const char *name = field ? "\nVmRSS:" : "\nVmSize:", *at = strstr(text, name);
    CHECK(at, "no %s in /proc/self/status", name + 1);
    return strtoul(at + strlen(name), NULL, 10);
}

/* Without what a recorder has of the calls (stats.record): that grows with what was called. */
__attribute__((unused)) static size_t resident_kib(void)
{
    size_t all = process_kib(1);
    size_t recorder = config_says("record = \"histogram\"") ? hz3_stat("recorder_bytes") / KIB : 0;
    return all > recorder ? all - recorder : 0;
}

/* What is kept for good; asked of hz3 only, as glibc's threads find this or that arena free, and keep what they find there.
 * Pages that wait for their purge are counted as what they are, given back, as it comes when the clock
 * says. */
__attribute__((unused)) static size_t kept_kib(void)
{
    malloc_trim(0);
    return resident_kib();
}

/* The n-th argument as a number, or `otherwise`. */
__attribute__((unused)) static size_t argument(int argc, char **argv, int n, size_t otherwise)
{
    return n < argc ? (size_t)strtoull(argv[n], NULL, 10) : otherwise;
}

/* A thread that has to start; `stack` bytes, or the least that the C library takes if they are too few; or 0 for the default. */
__attribute__((unused)) static pthread_t start_thread(void *(*run)(void *), void *with, size_t stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0, "pthread_attr_init");
    if (stack) {
        int refused = pthread_attr_setstacksize(&attributes, stack);
        long least = sysconf(_SC_THREAD_STACK_MIN);
        if (refused == EINVAL && least > 0 && stack < (size_t)least)
            refused = pthread_attr_setstacksize(&attributes, (size_t)least);
        CHECK(refused == 0, "a stack of %zu bytes is refused: %s", stack, strerror(refused));
    }
    int refused = pthread_create(&thread, &attributes, run, with);
    CHECK(refused == 0, "pthread_create with a stack of %zu bytes: %s", stack, strerror(refused));
    pthread_attr_destroy(&attributes);
    return thread;
}

__attribute__((unused)) static void *join_thread(pthread_t thread)
{
    void *result = NULL;
    int refused = pthread_join(thread, &result);
    CHECK(refused == 0, "pthread_join: %s", strerror(refused));
    return result;
}

/* Waits for a child that must leave with 0. */
__attribute__((unused)) static void wait_for(pid_t child)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == child, "waitpid: errno %d", errno);
    CHECK(!WIFSIGNALED(status), "child %d died of signal %d", (int)child, WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d left with %d", (int)child, WEXITSTATUS(status));
}

#endif
