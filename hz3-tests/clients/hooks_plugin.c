/* A tracer of mappings, preloaded beside the allocator: it keeps its records in memory from malloc, so its hooks of mmap,
 * munmap, mprotect, madvise, mremap and clock_gettime allocate. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct record {
    struct record *next;
    void *at;
};

static struct record *all;
static __thread int inside;

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void note(void *at)
{
    if (inside)
        return;
    inside = 1;
    struct record *record = malloc(sizeof *record);
    if (record) {
        record->next = all;
        record->at = at;
        all = record;
    }
    void *p = malloc(40000);
    if (p)
        memset(p, 1, 100);
    free(p);
    inside = 0;
}

void *mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    void *(*call)(void *, size_t, int, int, int, off_t) = real("mmap");
    void *p = call(at, bytes, access, flags, file, offset);
    note(p);
    return p;
}

void *mmap64(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    return mmap(at, bytes, access, flags, file, offset);
}

int munmap(void *at, size_t bytes)
{
    int (*call)(void *, size_t) = real("munmap");
    note(at);
    return call(at, bytes);
}

int mprotect(void *at, size_t bytes, int access)
{
    int (*call)(void *, size_t, int) = real("mprotect");
    note(at);
    return call(at, bytes, access);
}

int madvise(void *at, size_t bytes, int advice)
{
    int (*call)(void *, size_t, int) = real("madvise");
    note(at);
    return call(at, bytes, advice);
}

void *mremap(void *at, size_t had, size_t bytes, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    void *where = va_arg(list, void *);
    va_end(list);
    void *(*call)(void *, size_t, size_t, int, ...) = real("mremap");
    note(at);
    return call(at, had, bytes, flags, where);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*call)(clockid_t, struct timespec *) = real("clock_gettime");
    note(time);
    return call(clock, time);
}
