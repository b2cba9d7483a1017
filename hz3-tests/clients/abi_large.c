/* Objects from 64 KiB to 512 MiB: apart from one another, whole, and given back. */
#include "client.h"

static void touch(char *p, size_t size, uint64_t seed)
{
    size_t step = size <= 64 * MIB ? 4096 : 64 * KIB;
    for (size_t i = 0; i < size; i += step)
        *(uint64_t *)(p + i / 8 * 8) = seed ^ i;
    p[size - 1] = (char)seed;
}

static void touched(char *p, size_t size, uint64_t seed)
{
    size_t step = size <= 64 * MIB ? 4096 : 64 * KIB;
    CHECK(p[size - 1] == (char)seed, "the last byte of %zu is overwritten", size);
    for (size_t i = 0; i + 16 < size; i += step)
        CHECK(*(uint64_t *)(p + i / 8 * 8) == (seed ^ i), "%zu bytes at %p: offset %zu is overwritten", size, (void *)p, i);
}

static void each_size(void)
{
    for (size_t size = 64 * KIB; size <= 512 * MIB; size *= 2)
        for (int delta = -1; delta <= 1; delta++) {
            size_t bytes = size + (size_t)(delta * 8);
            int many = bytes <= 16 * MIB ? 3 : 1;
            char *held[3];
            for (int i = 0; i < many; i++) {
                held[i] = malloc(bytes);
                CHECK(held[i], "malloc(%zu): errno %d", bytes, errno);
                CHECK((uintptr_t)held[i] % 16 == 0, "malloc(%zu) = %p", bytes, (void *)held[i]);
                touch(held[i], bytes, (uint64_t)i + bytes);
            }
            for (int i = 0; i < many; i++)
                touched(held[i], bytes, (uint64_t)i + bytes);
            for (int i = 0; i < many; i++)
                free(held[i]);
        }
}

/* Sizes mixed at random, a bounded number alive: they must not run over one another, and memory must stay bounded. */
static void churn(void)
{
    enum { SLOTS = 24 };
    struct {
        char *p;
        size_t size;
        uint64_t seed;
    } slot[SLOTS];
    memset(slot, 0, sizeof slot);
    uint64_t state = 42;
    for (int step = 0; step < 6000; step++) {
        size_t i = random_between(&state, 0, SLOTS - 1);
        if (slot[i].p) {
            touched(slot[i].p, slot[i].size, slot[i].seed);
            free(slot[i].p);
            slot[i].p = NULL;
            continue;
        }
        size_t top = step % 64 == 0 ? 16 * MIB : MIB;
        slot[i].size = random_between(&state, 33 * KIB, top);
        slot[i].seed = next_random(&state);
        slot[i].p = malloc(slot[i].size);
        CHECK(slot[i].p, "malloc(%zu) at step %d: errno %d", slot[i].size, step, errno);
        touch(slot[i].p, slot[i].size, slot[i].seed);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (slot[i].p) {
            touched(slot[i].p, slot[i].size, slot[i].seed);
            free(slot[i].p);
        }
}

int main(void)
{
    client_start();
    each_size();
    churn();
    /* One large object after another: nothing may pile up. */
    for (int i = 0; i < 300; i++) {
        size_t size = (size_t)(1 + i % 40) * MIB;
        char *p = malloc(size);
        CHECK(p, "malloc(%zu)", size);
        p[0] = p[size - 1] = p[size / 2] = 1;
        free(p);
    }
    malloc_trim(0);
    CHECK(resident_kib() < 128 * KIB, "%zu KiB are resident after all was freed and trimmed", resident_kib());
    return 0;
}
