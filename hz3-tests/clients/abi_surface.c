/* Every entry of glibc's malloc interface exists, comes from the same library as malloc, and does what its manual says. */
#include "client.h"

#include <math.h>

static const char *const SURFACE[] = {
    "malloc",         "calloc",         "realloc",      "reallocarray", "free",
    "memalign",       "posix_memalign", "aligned_alloc", "valloc",      "pvalloc",
    "malloc_usable_size", "malloc_trim", "mallopt",     "mallinfo",     "mallinfo2",
    "malloc_stats",   "malloc_info",
};

/* In C23 but not in every glibc; glibc's second names, some of them of old versions only, which a static program has if it
 * asks for them; and the C++ operators, mangled. */
static const char *const BEYOND[] = {
    "free_sized",         "free_aligned_sized",
#ifndef HZ3_LINKED
    "cfree",              "__libc_malloc",       "__libc_free",             "__libc_calloc",
    "__libc_realloc",     "__libc_memalign",     "__libc_valloc",           "__libc_pvalloc",
    "__libc_mallopt",     "__posix_memalign",
#endif
    "_Znwm",              "_Znam",               "_ZnwmRKSt9nothrow_t",     "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv",             "_ZdaPv",              "_ZdlPvm",                 "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
};

static void one_library(const char *const *names, size_t count)
{
    Dl_info own;
    CHECK(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &own), "malloc has no library");
    for (size_t i = 0; i < count; i++) {
        Dl_info info;
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        CHECK(symbol, "%s is not there", names[i]);
        CHECK(dladdr(symbol, &info), "%s has no library", names[i]);
        CHECK(info.dli_fbase == own.dli_fbase, "%s is served by %s, malloc by %s", names[i], info.dli_fname,
              own.dli_fname);
    }
}

static void plain(void)
{
    char *text = malloc(100);
    CHECK(text, "malloc(100)");
    memset(text, 'x', 100);
    text = realloc(text, 200);
    CHECK(text && text[99] == 'x', "realloc lost bytes");
    text = reallocarray(text, 100, 7);
    CHECK(text && text[99] == 'x', "reallocarray lost bytes");
    CHECK(malloc_usable_size(text) >= 700, "usable %zu", malloc_usable_size(text));
    free(text);
    free(NULL);
    CHECK(malloc_usable_size(NULL) == 0, "usable size of NULL");
}

static void page_aligned(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t size = 0; size < 5 * page; size += 511) {
        char *v = valloc(size), *p = pvalloc(size);
        CHECK(v && (uintptr_t)v % page == 0, "valloc(%zu) = %p", size, (void *)v);
        CHECK(p && (uintptr_t)p % page == 0, "pvalloc(%zu) = %p", size, (void *)p);
        size_t rounded = (size + page - 1) / page * page;
        CHECK(malloc_usable_size(p) >= rounded, "pvalloc(%zu) has %zu bytes", size, malloc_usable_size(p));
        memset(v, 1, size);
        memset(p, 2, rounded);
        free(v);
        free(p);
    }
}

static void sized_free(void)
{
    union {
        void *symbol;
        void (*sized)(void *, size_t);
        void (*aligned)(void *, size_t, size_t);
    } plain_free, aligned_free;
    plain_free.symbol = dlsym(RTLD_DEFAULT, "free_sized");
    aligned_free.symbol = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    CHECK(!hz3_variant() || (plain_free.symbol && aligned_free.symbol), "free_sized or free_aligned_sized is missing");
    if (!plain_free.symbol || !aligned_free.symbol)
        return;
    plain_free.sized(NULL, 0);
    aligned_free.aligned(NULL, 64, 0);
    size_t before = 0;
    for (int round = 0; round < 30; round++) {
        for (size_t size = 0; size < 70000; size += 1 + size / 7) {
            void *p = malloc(size);
            CHECK(p, "malloc(%zu)", size);
            memset(p, 3, size);
            plain_free.sized(p, size);
            p = calloc(1, size);
            CHECK(p, "calloc(1, %zu)", size);
            plain_free.sized(p, size);
            p = realloc(malloc(5), size ? size : 1);
            CHECK(p, "realloc(5 -> %zu)", size);
            plain_free.sized(p, size ? size : 1);
            for (size_t align = 8; align <= 16384; align *= 4) {
                size_t rounded = (size + align - 1) / align * align;
                p = aligned_alloc(align, rounded);
                CHECK(p && (uintptr_t)p % align == 0, "aligned_alloc(%zu, %zu) = %p", align, rounded, p);
                memset(p, 4, rounded);
                aligned_free.aligned(p, align, rounded);
            }
        }
        if (round == 10)
            before = resident_kib();
    }
    size_t after = resident_kib();
    CHECK(after <= before + 4096, "resident grew from %zu to %zu KiB: sized frees leak", before, after);
}

static void introspection(void)
{
    enum { HELD = 1000 };
    static void *held[HELD];
    for (int i = 0; i < HELD; i++) {
        held[i] = malloc(1000);
        CHECK(held[i], "malloc(1000)");
        memset(held[i], 5, 1000);
    }
    errno = 0;
    struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
    CHECK(wide.uordblks + wide.hblkhd >= HELD * 1000, "mallinfo2 says %zu + %zu bytes are in use, %d are",
          wide.uordblks, wide.hblkhd, HELD * 1000);
    CHECK(narrow.uordblks >= 0, "mallinfo says %d bytes", narrow.uordblks);
    CHECK(wide.arena + wide.hblkhd >= HELD * 1000, "mallinfo2 says an arena of %zu bytes", wide.arena);

    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK(stream, "open_memstream");
    CHECK(malloc_info(0, stream) == 0, "malloc_info refused: errno %d", errno);
    CHECK(fclose(stream) == 0, "fclose");
    CHECK(length > 20 && strstr(text, "<malloc") && strstr(text, "</malloc>"), "malloc_info wrote: %.200s", text);
    free(text);
    stream = fopen("/dev/null", "w");
    CHECK(stream, "/dev/null");
    CHECK(malloc_info(1, stream) != 0, "malloc_info takes options that mean nothing");
    fclose(stream);

    fflush(stderr);
    malloc_stats(); /* To stderr: the harness shows it if something fails. */

    for (int i = 0; i < HELD; i++)
        free(held[i]);
    int trimmed = malloc_trim(0);
    CHECK(trimmed == 0 || trimmed == 1, "malloc_trim = %d", trimmed);
    CHECK(mallopt(M_MMAP_THRESHOLD, 256 * 1024) == 1, "mallopt refuses what every glibc takes");
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
    mallopt(-12345, 0);
    void *p = malloc(300 * KIB);
    CHECK(p, "malloc after mallopt");
    free(p);
}

int main(void)
{
    client_start();
    one_library(SURFACE, COUNT(SURFACE));
    if (hz3_variant())
        one_library(BEYOND, COUNT(BEYOND));
    plain();
    page_aligned();
    sized_free();
    introspection();
    return 0;
}
