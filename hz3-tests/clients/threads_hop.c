/* Threads that move from processor to processor, are interrupted by signals, fork and come and go, while memory is asked back: each
 * object has its pattern when it is freed, by whomever. */
#include "client.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#define SLOTS 64
#define PLACES 1024

struct block {
    uint64_t seed;
    size_t size;
};

static size_t threads, steps;
static _Atomic(struct block *) places[PLACES];
static atomic_size_t signals, running;
static cpu_set_t allowed;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

static struct block *make(uint64_t *state)
{
    size_t size = sizeof(struct block) + random_between(state, 0, next_random(state) % 16 ? 600 : 30000);
    struct block *block = malloc(size);
    CHECK(block, "%zu bytes: errno %d", size, errno);
    block->size = size;
    block->seed = next_random(state);
    fill_block(block + 1, size - sizeof *block, block->seed);
    return block;
}

static void check(struct block *block)
{
    VERIFY(block + 1, block->size - sizeof *block, block->seed);
    memset(block, 0xdd, sizeof *block);
    free(block);
}

/* To one of the processors that the process may use. */
static void hop(uint64_t *state)
{
    int nth = (int)(next_random(state) % (uint64_t)CPU_COUNT(&allowed));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
}

static void *short_life(void *block)
{
    uint64_t state = (uintptr_t)block;
    struct block *mine[40];
    check(block);
    for (size_t i = 0; i < 40; i++)
        mine[i] = make(&state);
    for (size_t i = 0; i < 40; i++)
        check(mine[i]);
    return NULL;
}

static void *work(void *number)
{
    uint64_t state = (uintptr_t)number * 7919 + 1;
    struct block *mine[SLOTS] = {NULL};
    for (size_t step = 0; step < steps; step++) {
        size_t at = next_random(&state) % SLOTS;
        if (!mine[at]) {
            mine[at] = make(&state);
        } else if (next_random(&state) % 4) {
            check(mine[at]);
            mine[at] = NULL;
        } else {
            struct block *other = atomic_exchange(&places[next_random(&state) % PLACES], mine[at]);
            mine[at] = NULL;
            if (other)
                check(other);
        }
        if (step % 64 == 0)
            hop(&state);
        if (step % 8192 == 8191)
            malloc_trim(0);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (mine[i])
            check(mine[i]);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* Forks, and has threads start and end, as long as the others work. */
static void *disturb(void *unused)
{
    uint64_t state = 99;
    (void)unused;
    do {
        pthread_t thread;
        pid_t child = fork();
        CHECK(child >= 0, "fork: errno %d", errno);
        if (child == 0) {
            struct block *mine[200];
            for (size_t round = 0; round < 5; round++) {
                for (size_t i = 0; i < 200; i++)
                    mine[i] = make(&state);
                for (size_t i = 0; i < 200; i++)
                    check(mine[i]);
            }
            malloc_trim(0);
            _exit(0);
        }
        int status = 0;
        while (waitpid(child, &status, 0) < 0)
            CHECK(errno == EINTR, "waitpid: errno %d", errno);
        CHECK(status == 0, "a child ended with %#x", (unsigned)status);
        CHECK(pthread_create(&thread, NULL, short_life, make(&state)) == 0, "a thread");
        pthread_join(thread, NULL);
    } while (atomic_load(&running) > 0);
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    threads = argument(argc, argv, 1, 8);
    steps = argument(argc, argv, 2, 40000);
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "affinity: errno %d", errno);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    pthread_t all[threads + 1];
    atomic_store(&running, threads);
    setitimer(ITIMER_REAL, &often, NULL);
    for (size_t i = 0; i < threads; i++)
        CHECK(pthread_create(&all[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0, "thread %zu", i);
    CHECK(pthread_create(&all[threads], NULL, disturb, NULL) == 0, "a thread");
    for (size_t i = 0; i <= threads; i++)
        pthread_join(all[i], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    for (size_t i = 0; i < PLACES; i++) {
        struct block *left = atomic_load(&places[i]);
        if (left)
            check(left);
    }
    return 0;
}
