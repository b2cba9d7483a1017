/* Fork handlers that allocate, registered before the allocator's and after: by main before it allocates anything, and by
 * a library that is loaded before the allocator or after it. Argument: the library's path. */
#include "client.h"

static void *kept[3][16];

static void use(size_t from)
{
    for (size_t i = 0; i < COUNT(kept[from]); i++) {
        size_t size = 700 + 1900 * i;
        char *p = malloc(size);
        CHECK(p, "malloc(%zu)", size);
        memset(p, (int)from, size);
        free(kept[from][i]);
        kept[from][i] = p;
    }
}

static void before(void)
{
    use(0);
}

static void in_parent(void)
{
    use(1);
}

static void in_child(void)
{
    use(2);
}

static void *fork_often(void *with)
{
    for (size_t n = 0; n < 100; n++) {
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: errno %d", errno);
        if (pid == 0) {
            free(malloc(100 + n));
            _exit(0);
        }
        wait_for(pid);
    }
    return with;
}

/* This program again with the library preloaded, too. */
static void again(char **argv, const char *first, const char *second)
{
    char text[2000];
    if (second)
        snprintf(text, sizeof text, "%s:%s", first, second);
    else
        snprintf(text, sizeof text, "%s", first);
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        setenv("LD_PRELOAD", text, 1);
        char *const arguments[] = {argv[0], NULL};
        execv(argv[0], arguments);
        _exit(9);
    }
    wait_for(pid);
}

int main(int argc, char **argv)
{
    CHECK(pthread_atfork(before, in_parent, in_child) == 0, "pthread_atfork");
    client_start();
    const char *preloaded = getenv("LD_PRELOAD");
    if (argc > 1) {
        again(argv, argv[1], preloaded);
        if (preloaded)
            again(argv, preloaded, argv[1]);
    }
    fork_often(NULL); /* In a process of one thread, then in one of two. */
    join_thread(start_thread(fork_often, NULL, 0));
    CHECK(pthread_atfork(before, in_parent, in_child) == 0, "pthread_atfork");
    fork_often(NULL);
    return 0;
}
