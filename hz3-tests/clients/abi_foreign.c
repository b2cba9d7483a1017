/* The C library's second names are the same malloc's; pointers of the C library's own malloc, which a program may have from
 * a library that looks there first, are freed, resized and measured by it, or refused, as the config says; and what is nobody's is
 * named in a message. */
#include "client.h"

#include <signal.h>
#include <sys/mman.h>

void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
#ifdef __x86_64__
void old_cfree(void *); /* As programs from before 2017 call it. */
__asm__(".symver old_cfree, cfree@GLIBC_2.2.5");
#else
#define old_cfree free
#endif

static const size_t SIZES[] = {1, 24, 100, 1000, 4000, 20000, 40000, 200000, 3000000};

/* What memset wrote: blocks move, and are looked at in other lengths than they were written in. */
static void verify(const char *p, size_t size, size_t i)
{
    for (size_t at = 0; at < size; at++)
        CHECK(p[at] == (char)(i + 1), "byte %zu of %zu at %p is %d, not %zu", at, size, (const void *)p, p[at], i + 1);
}

static void *again_realloc(size_t size)
{
    return __libc_realloc(NULL, size);
}

static void *again_calloc(size_t size)
{
    return __libc_calloc(size, 1);
}

static void *again_memalign(size_t size)
{
    return __libc_memalign(64, size);
}

static void second_names(void)
{
    void *(*const makers[])(size_t) = {malloc,         __libc_malloc,  again_calloc,  again_realloc,
                                       again_memalign, __libc_valloc, __libc_pvalloc, valloc};
    void (*const breakers[])(void *) = {free, __libc_free, old_cfree};
    for (size_t m = 0; m < COUNT(makers); m++)
        for (size_t b = 0; b < COUNT(breakers); b++)
            for (size_t i = 0; i < COUNT(SIZES); i++) {
                size_t size = SIZES[i];
                char *p = makers[m](size);
                CHECK(p && malloc_usable_size(p) >= size, "maker %zu, %zu bytes: %p", m, size, (void *)p);
                memset(p, (int)i + 1, size);
                p = (b & 1 ? __libc_realloc : realloc)(p, size * 3);
                CHECK(p, "maker %zu, realloc to %zu", m, size * 3);
                verify(p, size, i);
                breakers[b](p);
            }
    old_cfree(NULL);
    __libc_free(NULL);
}

/* The C library's own functions, whoever else exports these names. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void (*free)(void *);
} theirs;

static void find_theirs(void)
{
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    CHECK(library, "no libc.so.6: %s", dlerror());
    *(void **)&theirs.malloc = dlsym(library, "malloc");
    *(void **)&theirs.calloc = dlsym(library, "calloc");
    *(void **)&theirs.memalign = dlsym(library, "memalign");
    *(void **)&theirs.free = dlsym(library, "free");
    CHECK(theirs.malloc && theirs.calloc && theirs.memalign && theirs.free, "libc.so.6 has no malloc");
    CHECK(!hz3_variant() || theirs.malloc != malloc, "libc.so.6's malloc is ours");
}

static void *pointers_of_theirs(void *with)
{
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        size_t size = SIZES[i];
        for (int round = 0; round < 300; round++) {
            free(theirs.malloc(size));
            old_cfree(theirs.calloc(1, size));
            __libc_free(theirs.memalign(256, size));
        }
        char *p = theirs.malloc(size);
        CHECK(p, "%zu bytes of the C library's", size);
        memset(p, (int)i + 1, size);
        CHECK(malloc_usable_size(p) >= size && malloc_usable_size(p) < size + 5000, "%zu bytes can hold %zu", size,
              malloc_usable_size(p));
        memset(p, (int)i + 1, malloc_usable_size(p));
        errno = 77;
        p = realloc(p, size * 5);
        CHECK(p && errno == 77, "realloc of %zu bytes of the C library's: %p, errno %d", size, (void *)p, errno);
        verify(p, size, i);
        memset(p, (int)i + 1, size * 5);
        p = reallocarray(p, size, 2);
        CHECK(p, "reallocarray of the C library's");
        verify(p, size * 2, i);
        errno = 0;
        CHECK(!realloc(p, (size_t)1 << 62) && errno == ENOMEM, "realloc beyond all memory: errno %d", errno);
        CHECK(!reallocarray(p, SIZE_MAX, 2) && errno == ENOMEM, "reallocarray beyond all memory: errno %d", errno);
        verify(p, size * 2, i);
        errno = 77;
        if (with) /* Whose it was it still is. */
            theirs.free(p);
        else
            free(p);
        CHECK(errno == 77, "free changed errno to %d", errno);
        CHECK(!realloc(theirs.malloc(size), 0), "realloc(p, 0) of the C library's");
    }
    return NULL;
}

/* ---- what is nobody's ---- */

static void call_free(void *p)
{
    free(p);
}

static void call_realloc(void *p)
{
    p = realloc(p, 77777);
}

static void call_usable(void *p)
{
    malloc_usable_size(p);
}

/* Calls with a pointer in a child, which must end with a message that has all these words. */
static void told(void (*call)(void *), const char *name, void *p, const char *words)
{
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe: errno %d", errno);
    pid_t child = fork();
    CHECK(child >= 0, "fork: errno %d", errno);
    if (child == 0) {
        dup2(ends[1], 2);
        call(p);
        _exit(0);
    }
    close(ends[1]);
    char text[1000] = "", begin[100];
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(ends[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s(%p), %s: status %x, said: %s", name, p, words, status, text);
    snprintf(begin, sizeof begin, "hz3: %s(0x%zx): not an address that malloc gave: ", name, (size_t)p);
    CHECK(strncmp(text, begin, strlen(begin)) == 0, "%s(%p) said: %s", name, p, text);
    CHECK(strstr(text, words), "%s(%p) lacks \"%s\": %s", name, p, words, text);
}

static void each_told(void *p, const char *words)
{
    told(call_free, "free", p, words);
    told(call_realloc, "realloc", p, words);
    told(call_usable, "malloc_usable_size", p, words);
}

/* Where the config wants no pointers but its own, those of the C library's malloc are as bad as any. */
static void theirs_refused(void)
{
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        char *p = theirs.malloc(SIZES[i]), *aligned = theirs.memalign(256, SIZES[i]);
        CHECK(p && aligned, "%zu bytes of the C library's", SIZES[i]);
        each_told(p, SIZES[i] < 100000 ? "in [heap]" : "in a mapping that is not the heap's");
        each_told(aligned, "");
        theirs.free(p);
        theirs.free(aligned);
    }
}

static void nobodys(void)
{
    static char fixed[64] __attribute__((aligned(64)));
    char local[64] __attribute__((aligned(64)));
    char words[100];
    each_told(fixed + 8, "abi_foreign, and no multiple of 16");
    each_told(local + 8, "on the stack of this thread, and no multiple of 16");
    each_told((void *)24, "nothing is mapped there, and no multiple of 16");
    char *mapping = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapping != MAP_FAILED, "mmap: errno %d", errno);
    each_told(mapping + 4, "and no multiple of 16");
    static const size_t LARGE[] = {70000, 500000, 5000000};
    for (size_t i = 0; i < COUNT(LARGE); i++) {
        char *p = malloc(LARGE[i]);
        CHECK(p, "malloc(%zu)", LARGE[i]);
        for (size_t at = 16; at < LARGE[i]; at = at * 7 + 16) {
            snprintf(words, sizeof words, "%zu bytes behind the beginning of an object of ", at);
            each_told(p + at, words);
        }
        void *segment = (void *)((uintptr_t)p & ~(uintptr_t)(2 * MIB - 1));
        if (segment != p)
            each_told((char *)segment + 64, "among the heap's own records");
        free(p);
        if (i < 2) /* A huge one's place may have another purpose by now. */
            told(call_free, "free", p, "freed before");
    }
}

int main(void)
{
    client_start();
    second_names();
    find_theirs();
    if (config_says("foreign = \"abort\"")) {
        theirs_refused();
    } else {
        pointers_of_theirs(NULL);
        pthread_t threads[4];
        for (size_t i = 0; i < COUNT(threads); i++)
            threads[i] = start_thread(pointers_of_theirs, &threads[i], 0);
        for (size_t i = 0; i < COUNT(threads); i++)
            join_thread(threads[i]);
    }
    if (hz3_variant())
        nobodys();
    return 0;
}
