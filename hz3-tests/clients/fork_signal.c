/* fork in the handler of a signal that interrupts malloc and free, in a process of one thread. Children end in the
 * handler, or return from it and go on with what was interrupted. Argument: forks. */
#include "client.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t forks, in_child;

static void on_alarm(int signal)
{
    (void)signal;
    int kept = errno;
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        if (forks % 2)
            _exit(0);
        in_child = 1;
        return;
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child's status is %#x", status);
    forks++;
    errno = kept;
}

static void tick(long micros)
{
    struct itimerval each = {{0, micros}, {0, micros}};
    CHECK(setitimer(ITIMER_REAL, &each, NULL) == 0, "setitimer");
}

int main(int argc, char **argv)
{
    client_start();
    long want = (long)argument(argc, argv, 1, 1000);
    CHECK(signal(SIGALRM, on_alarm) != SIG_ERR, "signal");
    static struct {
        void *p;
        size_t size;
    } held[64];
    uint64_t state = 5;
    tick(700);
    while (forks < want && !in_child) {
        size_t i = random_between(&state, 0, COUNT(held) - 1);
        size_t size = random_between(&state, 1, 99) > 1 ? random_between(&state, 1, 3000)
                                                        : random_between(&state, 1, 400000);
        if (held[i].p) {
            VERIFY(held[i].p, held[i].size < 64 ? held[i].size : 64, i);
            free(held[i].p);
        }
        held[i].p = malloc(size);
        held[i].size = size;
        CHECK(held[i].p, "malloc(%zu)", size);
        fill_block(held[i].p, size < 64 ? size : 64, i);
    }
    tick(0);
    for (size_t i = 0; i < COUNT(held); i++) {
        if (held[i].p)
            VERIFY(held[i].p, held[i].size < 64 ? held[i].size : 64, i);
        free(held[i].p);
    }
    /* A child of a child of one thread, which has one itself. */
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        for (size_t i = 0; i < 1000; i++)
            free(malloc(i * 37));
        _exit(0);
    }
    wait_for(pid);
    _exit(0);
}
