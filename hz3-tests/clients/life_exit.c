/* A process that ends while its threads run: by return, exit, quick_exit, exec, or main's own pthread_exit. */
#include "client.h"

#include <sched.h>
#include <stdatomic.h>

static atomic_int going;

static void *busy(void *with)
{
    uint64_t state = (uint64_t)(uintptr_t)with;
    void *held[64];
    memset(held, 0, sizeof held);
    atomic_fetch_add(&going, 1);
    for (;;) {
        size_t i = random_between(&state, 0, COUNT(held) - 1);
        free(held[i]);
        held[i] = malloc(random_size(&state));
        CHECK(held[i], "malloc");
    }
}

static void *last(void *with)
{
    (void)with;
    for (int i = 0; i < 2000; i++) {
        char *p = malloc(1000);
        CHECK(p, "malloc after main has ended");
        memset(p, 1, 1000);
        free(p);
    }
    exit(0);
}

static void at_end(void)
{
    for (size_t i = 1; i < 2000; i++) {
        void *p = malloc(i * 10);
        CHECK(p, "malloc in a handler");
        free(p);
    }
}

static void detached(void *(*run)(void *), void *with)
{
    pthread_t thread = start_thread(run, with, 0);
    CHECK(pthread_detach(thread) == 0, "pthread_detach");
}

static int end_by(int way, char **argv)
{
    atexit(at_end);
    at_quick_exit(at_end);
    if (way == 3) { /* main's thread ends first. */
        detached(last, NULL);
        free(malloc(100));
        pthread_exit(NULL);
    }
    for (uintptr_t i = 1; i <= 3; i++)
        detached(busy, (void *)i);
    while (atomic_load(&going) < 3)
        sched_yield();
    switch (way) {
    case 0: return 0;
    case 1: exit(0);
    case 2: quick_exit(0);
    default:
        execl(argv[0], argv[0], "done", NULL);
        CHECK(0, "exec: errno %d", errno);
    }
}

int main(int argc, char **argv)
{
    client_start();
    if (argc > 1 && strcmp(argv[1], "done") == 0)
        return 0;
    if (argc > 2)
        return end_by(atoi(argv[2]), argv);
    for (int i = 0; i < 100; i++) {
        char way[2] = {(char)('0' + i % 5), 0};
        char self[] = "/proc/self/exe";
        char *const arguments[] = {argv[0], "end", way, NULL};
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: errno %d", errno);
        if (pid == 0) {
            execv(self, arguments);
            _exit(9);
        }
        wait_for(pid);
    }
    return 0;
}
