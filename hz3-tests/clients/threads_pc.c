/* Producers that only allocate, consumers that only free, for long: memory stays bounded. */
#include "client.h"

#include <stdatomic.h>

#define RING 2048
#define PAIRS 4

struct item {
    unsigned char *p;
    size_t size;
};

struct ring {
    _Alignas(64) atomic_size_t head;
    _Alignas(64) atomic_size_t tail;
    struct item at[RING];
};

static struct ring rings[PAIRS];
static size_t objects, fixed_size;

static void *produce(void *with)
{
    struct ring *ring = with;
    uint64_t state = (uint64_t)(ring - rings) + 5;
    for (size_t i = 0; i < objects; i++) {
        size_t size = fixed_size ? fixed_size : random_between(&state, 8, 1500);
        if (!fixed_size && i % 1000 == 0)
            size = random_between(&state, 30000, 200000);
        struct item item = {malloc(size), size};
        CHECK(item.p, "malloc(%zu)", size);
        item.p[0] = (unsigned char)i;
        item.p[size - 1] = (unsigned char)i;
        while (atomic_load_explicit(&ring->tail, memory_order_relaxed) -
                   atomic_load_explicit(&ring->head, memory_order_acquire) ==
               RING)
            sched_yield();
        ring->at[i % RING] = item;
        atomic_store_explicit(&ring->tail, i + 1, memory_order_release);
    }
    return NULL;
}

static void *consume(void *with)
{
    struct ring *ring = with;
    for (size_t i = 0; i < objects; i++) {
        while (atomic_load_explicit(&ring->tail, memory_order_acquire) == i)
            sched_yield();
        struct item item = ring->at[i % RING];
        atomic_store_explicit(&ring->head, i + 1, memory_order_release);
        CHECK(item.p[0] == (unsigned char)i && item.p[item.size - 1] == (unsigned char)i, "object %zu is overwritten", i);
        free(item.p);
    }
    return NULL;
}

static size_t run(size_t pairs)
{
    pthread_t thread[2 * PAIRS];
    memset(rings, 0, sizeof rings);
    for (size_t i = 0; i < pairs; i++) {
        thread[2 * i] = start_thread(produce, &rings[i], 0);
        thread[2 * i + 1] = start_thread(consume, &rings[i], 0);
    }
    for (size_t i = 0; i < 2 * pairs; i++)
        join_thread(thread[i]);
    return resident_kib();
}

/* The peak, in KiB: what a producer hoards is seen even if the threads' end gives it back. */
static size_t peak_kib(void)
{
    char line[256];
    size_t peak = 0;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file, "/proc/self/status");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtoull(line + 6, NULL, 10);
    fclose(file);
    return peak;
}

int main(int argc, char **argv)
{
    client_start();
    size_t total = argument(argc, argv, 1, 2000000);
    fixed_size = argument(argc, argv, 2, 0);
    objects = total / 8;
    run(1);
    size_t first = peak_kib();
    objects = total;
    run(1);
    size_t later = peak_kib();
    printf("peak %zu KiB after an eighth of the objects, %zu after all\n", first, later);
    CHECK(later <= first + first / 4 + 8 * KIB, "the peak grew from %zu to %zu KiB: one side hoards", first, later);
    objects = total / 8;
    run(PAIRS);
    first = peak_kib();
    for (int i = 0; i < 4; i++)
        run(PAIRS);
    later = peak_kib();
    printf("%d pairs: %zu KiB, then %zu\n", PAIRS, first, later);
    CHECK(later <= first + first / 2 + 16 * KIB, "the peak of %d pairs grew from %zu to %zu KiB", PAIRS, first, later);
    return 0;
}
