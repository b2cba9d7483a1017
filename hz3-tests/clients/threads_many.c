/* Hundreds of threads alive at once, each with objects that another one frees. */
#include "client.h"

#define EACH 40

static size_t threads;
static pthread_barrier_t filled, checked;
static void *(*table)[EACH];

static size_t size_of(size_t thread, size_t i)
{
    return 1 + (thread * 131 + i * 977) % (i % 10 == 9 ? 30000 : 900);
}

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with, next = (me + 1) % threads;
    for (size_t i = 0; i < EACH; i++) {
        table[me][i] = malloc(size_of(me, i));
        CHECK(table[me][i], "malloc(%zu) in thread %zu", size_of(me, i), me);
        fill_block(table[me][i], size_of(me, i), me);
    }
    pthread_barrier_wait(&filled);
    for (size_t i = 0; i < EACH; i++) {
        VERIFY(table[next][i], size_of(next, i), next);
        free(table[next][i]);
        void *p = malloc(size_of(me, i));
        CHECK(p, "malloc(%zu) in thread %zu", size_of(me, i), me);
        fill_block(p, size_of(me, i), me);
        free(p);
    }
    pthread_barrier_wait(&checked);
    free(malloc(100));
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    threads = argument(argc, argv, 1, 600);
    size_t before = 0;
    table = calloc(threads, sizeof *table);
    pthread_t *all = calloc(threads, sizeof *all);
    CHECK(table && all, "the tables");
    for (int round = 0; round < 4; round++) {
        CHECK(pthread_barrier_init(&filled, NULL, (unsigned)threads) == 0, "a barrier");
        CHECK(pthread_barrier_init(&checked, NULL, (unsigned)threads) == 0, "a barrier");
        for (size_t i = 0; i < threads; i++)
            all[i] = start_thread(work, (void *)(uintptr_t)i, 64 * KIB);
        for (size_t i = 0; i < threads; i++)
            join_thread(all[i]);
        pthread_barrier_destroy(&filled);
        pthread_barrier_destroy(&checked);
        if (round == 1)
            before = kept_kib();
    }
    size_t after = kept_kib();
    printf("%zu KiB after two rounds, %zu after four\n", before, after);
    CHECK(!hz3_variant() || after <= before + before / 4 + 2 * KIB, "resident grew from %zu to %zu KiB", before, after);
    free(table);
    free(all);
    return 0;
}
