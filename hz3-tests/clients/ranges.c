/* Objects of some pages to some MiB, taken by many threads at once, aligned and not, handed on, resized, freed by others, while
 * children are forked and everything is given back now and then: nothing is lost, nothing overlaps, and in the end nothing
 * is kept. */
#include "client.h"

#include <stdatomic.h>
#include <stdbool.h>

#define THREADS 6
#define SLOTS 256
#define HELD 24

struct item {
    void *p;
    size_t size;
    uint64_t seed;
};

/* What threads hand on: an item lies in memory of the client's own, so that a slot is a word. */
static struct item items[THREADS * HELD * 2];
static _Atomic(struct item *) shelf[SLOTS];
static atomic_bool running = true;
static size_t steps;

static size_t some_size(uint64_t *state)
{
    switch (next_random(state) % 16) {
    case 0:
        return random_between(state, 1, 4 * KIB);
    case 1:
        return random_between(state, 256 * KIB, 3 * MIB);
    default:
        return random_between(state, 33 * KIB, 300 * KIB);
    }
}

static void take(struct item *item, uint64_t *state)
{
    item->size = some_size(state);
    item->seed = next_random(state);
    size_t align = (size_t)64 << next_random(state) % 13;
    bool zeroed = false;
    switch (next_random(state) % 4) {
    case 0:
        CHECK(posix_memalign(&item->p, align, item->size) == 0, "posix_memalign(%zu, %zu)", align, item->size);
        CHECK((uintptr_t)item->p % align == 0, "%p is not aligned to %zu", item->p, align);
        break;
    case 1:
        item->p = calloc(1, item->size);
        zeroed = true;
        break;
    default:
        item->p = malloc(item->size);
    }
    CHECK(item->p, "%zu bytes", item->size);
    for (size_t i = 0; zeroed && i < item->size; i += 64)
        CHECK(((char *)item->p)[i] == 0, "calloc(%zu): byte %zu is not 0", item->size, i);
    fill_block(item->p, item->size, item->seed);
}

static void give(struct item *item)
{
    VERIFY(item->p, item->size, item->seed);
    free(item->p);
    item->p = NULL;
}

static void resize(struct item *item, uint64_t *state)
{
    size_t size = some_size(state), kept = size < item->size ? size : item->size;
    uint64_t key = pattern_key(item->p, item->size, item->seed);
    void *p = realloc(item->p, size);
    CHECK(p, "realloc to %zu bytes", size);
    /* The last kilobyte of a longer pattern is dense; what is left of it is looked at up to there. */
    verify_key(p, item->size, kept > 1024 && kept < item->size ? 1024 : kept, key, __FILE__, __LINE__);
    item->p = p;
    item->size = size;
    fill_block(item->p, item->size, item->seed);
}

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    uint64_t state = me + 99;
    struct item *mine[HELD];
    for (size_t i = 0; i < HELD; i++)
        mine[i] = &items[me * HELD + i];
    for (size_t n = 0; n < steps; n++) {
        struct item **held = &mine[next_random(&state) % HELD];
        uint64_t what = next_random(&state) % 100;
        if (what < 40) {
            /* Swaps with somebody: what comes is freed here in time. */
            struct item *other = atomic_exchange(&shelf[next_random(&state) % SLOTS], NULL);
            if (!other)
                continue;
            struct item *none = NULL, *old = *held;
            *held = other;
            size_t at = next_random(&state) % SLOTS;
            while (!atomic_compare_exchange_weak(&shelf[at], &none, old)) {
                none = NULL;
                at = (at + 1) % SLOTS;
            }
        } else if (!(*held)->p) {
            take(*held, &state);
        } else if (what < 50) {
            resize(*held, &state);
        } else {
            give(*held);
        }
        if (what == 99 && next_random(&state) % 40 == 0)
            malloc_trim(0);
    }
    return NULL;
}

/* A child has one thread, and whatever the others were in the middle of: it goes on with all that it can see. */
static void *fork_often(void *with)
{
    uint64_t state = 7;
    (void)with;
    while (atomic_load(&running)) {
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: errno %d", errno);
        if (pid == 0) {
            struct item own[HELD] = {{0}};
            for (size_t i = 0; i < 10 * HELD; i++) {
                struct item *item = &own[next_random(&state) % HELD];
                if (item->p)
                    give(item);
                else
                    take(item, &state);
            }
            malloc_trim(0);
            _exit(0);
        }
        wait_for(pid);
        next_random(&state);
        usleep(2000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    steps = argument(argc, argv, 1, 8000);
    /* Half of the items are on the shelf: there is always a free place. */
    for (size_t i = 0; i < SLOTS / 2 && i < THREADS * HELD; i++)
        shelf[i] = &items[THREADS * HELD + i];
    pthread_t thread[THREADS], forker = start_thread(fork_often, NULL, 0);
    for (size_t i = 0; i < THREADS; i++)
        thread[i] = start_thread(work, (void *)(uintptr_t)i, 0);
    for (size_t i = 0; i < THREADS; i++)
        join_thread(thread[i]);
    atomic_store(&running, false);
    join_thread(forker);
    for (size_t i = 0; i < COUNT(items); i++)
        if (items[i].p)
            give(&items[i]);
    size_t kept = hz3_variant() ? kept_kib() : 0;
    CHECK(kept < 40 * KIB, "%zu KiB are kept of nothing", kept);
    CHECK(hz3_stat("large_bytes") < 64 * KIB, "%zu bytes of large objects are left", hz3_stat("large_bytes"));
    return 0;
}
