/* Runs beside a preloaded tracer of mappings whose hooks allocate, loaded before the allocator and after it: the allocator
 * never enters them. The argument is the tracer's library. */
#include "client.h"

static void *work(void *with)
{
    enum { OBJECTS = 3000 };
    void **p = calloc(OBJECTS, sizeof *p);
    CHECK(p, "calloc");
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < OBJECTS; i++) {
            size_t n = 20 + i * 7919u % 60000;
            p[i] = malloc(n);
            CHECK(p[i], "malloc(%zu)", n);
            memset(p[i], 1, n);
        }
        for (size_t i = 0; i < OBJECTS; i++)
            free(p[i]);
        char *big = malloc(30 * MIB);
        CHECK(big, "malloc(30 MiB)");
        big[5] = 7;
        big = realloc(big, 40 * MIB);
        CHECK(big && big[5] == 7, "realloc(40 MiB)");
        free(big);
    }
    free(p);
    return with;
}

/* Starts this program again with both libraries preloaded, in this order. */
static void run(char **argv, const char *first, const char *second)
{
    char both[4096];
    snprintf(both, sizeof both, "%s %s", first, second);
    pid_t child = fork();
    if (child == 0) {
        setenv("LD_PRELOAD", both, 1);
        execl("/proc/self/exe", argv[0], (char *)NULL);
        _exit(9);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "%s: status %d", both, status);
}

int main(int argc, char **argv)
{
    client_start();
    if (argc > 1) {
        const char *allocator = getenv("LD_PRELOAD");
        run(argv, allocator ? allocator : "", argv[1]);
        run(argv, argv[1], allocator ? allocator : "");
        return 0;
    }
    union {
        void *symbol;
        void *(*call)(void *, size_t, int, int, int, long);
    } hook;
    Dl_info info;
    hook.symbol = dlsym(RTLD_DEFAULT, "mmap");
    CHECK(dladdr(hook.symbol, &info) && strstr(info.dli_fname, "hooks_plugin"), "mmap is %s's", info.dli_fname);
    pthread_t thread = start_thread(work, NULL, 256 * KIB);
    work(NULL);
    join_thread(thread);
    malloc_trim(0);
    return 0;
}
