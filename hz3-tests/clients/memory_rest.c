/* Bursts of large objects with rests between them: the memory of a burst is not kept through the rests, though nobody allocates or frees
 * then. Argument: how many bursts. */
#include "client.h"

#define BURST (96 * MIB)
/* What more than one rest may leave, in MiB. */
#define LEFT 12

static void burst(uint64_t *state)
{
    static char *object[1024];
    size_t count = 0;
    for (size_t bytes = 0; bytes < BURST;) {
        size_t size = random_between(state, 64 * KIB, MIB);
        CHECK(count < COUNT(object), "more objects than thought");
        char *p = malloc(size);
        CHECK(p, "no memory");
        memset(p, 1, size);
        object[count++] = p;
        bytes += size;
    }
    while (count > 0)
        free(object[--count]);
}

int main(int argc, char **argv)
{
    client_start();
    uint64_t state = 3;
    size_t bursts = argument(argc, argv, 1, 4), before = resident_kib();
    for (size_t i = 0; i < bursts; i++) {
        burst(&state);
        size_t left = (resident_kib() - before) / KIB;
        CHECK(i < 3 || left <= LEFT, "rest %zu: %zu MiB of a burst stay", i, left);
        /* Longer than pages are kept anyway. */
        usleep(1100 * 1000);
    }
    return 0;
}
