/* Forks while another thread is in the middle of something that takes locks of the C library and allocates under them.
 * Fork handlers allocate, too. Each child uses its heap, and some do what the other thread was at. Arguments: what the
 * other thread does, the number of forks, and for `library` a plugin's path in front. */
#include "client.h"

#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <stdatomic.h>

static atomic_int stop;
static const char *plugin;

static void use_heap(size_t seed)
{
    void *held[8];
    for (size_t i = 0; i < COUNT(held); i++) {
        size_t size = 24 + (seed * 131 + i * 977) % (i % 8 ? 3000 : 90000);
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu)", size);
        memset(held[i], (int)i, size);
    }
    for (size_t i = 0; i < COUNT(held); i++)
        free(held[i]);
}

/* Fork handlers as a library's, which was registered after the allocator's, and as one that is registered late. */

static size_t calls[3];

static void before(void)
{
    use_heap(calls[0]++);
}

static void in_parent(void)
{
    use_heap(calls[1]++);
}

static void in_child(void)
{
    use_heap(calls[2]++);
}

/* What the other thread does. */

static void handlers(size_t n)
{
    use_heap(n);
}

static void registration(size_t n)
{
    /* Each costs every fork to come three calls. */
    if (n < 60)
        CHECK(pthread_atfork(before, NULL, NULL) == 0, "pthread_atfork");
    use_heap(n);
}

static ssize_t take(void *cookie, const char *text, size_t size)
{
    (void)text;
    use_heap((size_t)(uintptr_t)cookie + size);
    return (ssize_t)size;
}

static void streams(size_t n)
{
    static FILE *kept;
    cookie_io_functions_t functions = {.write = take};
    if (!kept)
        kept = fopencookie(NULL, "w", functions);
    FILE *brief = fopencookie((void *)(uintptr_t)n, "w", functions);
    CHECK(kept && brief, "fopencookie");
    fprintf(kept, "line %zu\n", n);
    fprintf(brief, "line %zu\n", n);
    fflush(NULL);
    fclose(brief);
}

static void library(size_t n)
{
    (void)n;
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    CHECK(handle, "dlopen: %s", dlerror());
    CHECK(dlsym(handle, "plugin_text"), "dlsym: %s", dlerror());
    dlclose(handle);
}

static void *brief_thread(void *with)
{
    use_heap((size_t)(uintptr_t)with);
    return NULL;
}

static void threads(size_t n)
{
    join_thread(start_thread(brief_thread, (void *)(uintptr_t)n, 0));
}

static pthread_key_t key;

static void destroy(void *value)
{
    free(value);
    use_heap((size_t)(uintptr_t)value >> 4);
}

/* glibc's. Static programs of 2.36 end in it. */
#if defined(__GLIBC__) && !defined(HZ3_LINKED)
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;
#define AT_THREAD_EXIT(f, with) __cxa_thread_atexit_impl(f, with, __dso_handle)
#else
#define AT_THREAD_EXIT(f, with) (f(with), 0)
#endif

static void *thread_with_destructors(void *with)
{
    void *one = malloc(100), *two = malloc(200);
    CHECK(one && two, "malloc");
    CHECK(pthread_setspecific(key, one) == 0, "pthread_setspecific");
    CHECK(AT_THREAD_EXIT(destroy, two) == 0, "__cxa_thread_atexit_impl");
    return with;
}

static void destructors(size_t n)
{
    join_thread(start_thread(thread_with_destructors, (void *)(uintptr_t)n, 0));
}

static void pipes(size_t n)
{
    (void)n;
    FILE *first = popen("true", "re"), *second = popen("true", "re");
    CHECK(first && second, "popen");
    pclose(first);
    pclose(second);
}

static void locales(size_t n)
{
    setlocale(LC_ALL, n % 2 ? "C" : "C.UTF-8");
    locale_t made = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (made)
        freelocale(made);
}

static void names(size_t n)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICSERV};
    if (getaddrinfo(n % 2 ? "127.0.0.1" : "localhost", "80", &hints, &found) == 0)
        freeaddrinfo(found);
    getpwuid(0);
}

static void nothing(void)
{
}

static void exits(size_t n)
{
    /* The list of functions grows by a block that is allocated under its lock. */
    if (n < 20000)
        atexit(nothing);
    else
        use_heap(n);
}

static const struct {
    const char *name;
    void (*step)(size_t);
    /* Whether a child may do it, too, under glibc: its fork leaves some of its own locks as they were. */
    int in_child;
} kinds[] = {
    {"handlers", handlers, 1}, {"registration", registration, 0}, {"streams", streams, 1}, {"library", library, 0},
    {"threads", threads, 1},   {"destructors", destructors, 1},   {"pipes", pipes, 0},     {"locales", locales, 0},
    {"names", names, 0},       {"exits", exits, 0},
};

static void (*step)(size_t);

static void *go_on(void *with)
{
    for (size_t n = 0; !atomic_load(&stop); n++)
        step(n);
    return with;
}

int main(int argc, char **argv)
{
    CHECK(pthread_atfork(before, in_parent, in_child) == 0, "pthread_atfork");
    client_start();
    int at = 1, in_own_child = 0;
    if (argc > at && strchr(argv[at], '/'))
        plugin = argv[at++];
    const char *kind = argc > at ? argv[at] : "handlers";
    size_t forks = argument(argc, argv, at + 1, 1000);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kind, kinds[i].name) == 0) {
            step = kinds[i].step;
            in_own_child = kinds[i].in_child;
        }
    CHECK(step, "no kind %s", kind);
    CHECK(pthread_key_create(&key, destroy) == 0, "pthread_key_create");
    CHECK(pthread_atfork(before, in_parent, in_child) == 0, "pthread_atfork");
    pthread_t other = start_thread(go_on, NULL, 0);
    for (size_t n = 0; n < forks; n++) {
        use_heap(n);
        pid_t pid = fork();
        CHECK(pid >= 0, "fork %zu: errno %d", n, errno);
        if (pid == 0) {
            use_heap(n);
            if (in_own_child && n % 8 == 0)
                step(n);
            _exit(0);
        }
        wait_for(pid);
    }
    atomic_store(&stop, 1);
    join_thread(other);
    return 0;
}
