/* Short threads one after another, each with a handful of objects: memory stays flat. */
#include "client.h"

#define KEPT 8

static void *kept[KEPT];

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    void *mine[6];
    for (size_t i = 0; i < COUNT(mine); i++) {
        mine[i] = malloc(16 + me % 61 * 8 + i * 300);
        CHECK(mine[i], "malloc in thread %zu", me);
        *(size_t *)mine[i] = me;
    }
    free(kept[me % KEPT]); /* From a thread that is gone. */
    kept[me % KEPT] = mine[0];
    for (size_t i = 1; i < COUNT(mine); i++) {
        CHECK(*(size_t *)mine[i] == me, "an object of thread %zu is overwritten", me);
        free(mine[i]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    size_t threads = argument(argc, argv, 1, 200000), before = 0, peak = 0;
    for (size_t i = 0; i < threads; i += 2) {
        pthread_t one = start_thread(work, (void *)(uintptr_t)i, 0);
        join_thread(one);
        one = start_thread(work, (void *)(uintptr_t)(i + 1), 64 * KIB);
        join_thread(one);
        if (i == threads / 20 * 2)
            before = resident_kib();
        if (i % 1000 == 0 && before && resident_kib() > peak)
            peak = resident_kib();
    }
    printf("%zu threads: %zu KiB at a tenth, %zu at most after that\n", threads, before, peak);
    CHECK(peak <= before + 4 * KIB, "resident grew from %zu to %zu KiB over %zu threads", before, peak, threads);
    for (size_t i = 0; i < KEPT; i++)
        free(kept[i]);
    return 0;
}
