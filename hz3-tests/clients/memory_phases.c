/* Phases of one size after another: memory of one class must serve the next, and go back when all is freed. */
#include "client.h"

#define PHASE (64 * MIB)

int main(void)
{
    client_start();
    static const size_t sizes[] = {32, 48, 100, 250, 600, 1000, 2100, 3000, 3900, 5000, 9000, 20000, 33000, 200000, 64};
    void **held = malloc(PHASE / 32 * sizeof *held);
    CHECK(held, "the table");
    memset(held, 0, PHASE / 32 * sizeof *held);
    size_t table = resident_kib(), peak = 0;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t many = PHASE / sizes[s];
        for (size_t i = 0; i < many; i++) {
            held[i] = malloc(sizes[s]);
            CHECK(held[i], "malloc(%zu)", sizes[s]);
            for (size_t at = 0; at < sizes[s]; at += 4096)
                ((char *)held[i])[at] = 1;
            ((char *)held[i])[sizes[s] - 1] = 1;
        }
        size_t now = resident_kib() - table;
        if (now > peak)
            peak = now;
        for (size_t i = 0; i < many; i++) /* Not in the order in which they came. */
            if (i % 2)
                free(held[i]);
        for (size_t i = many; i-- > 0;)
            if (i % 2 == 0)
                free(held[i]);
    }
    malloc_trim(0);
    size_t rest = resident_kib() - table;
    printf("peak %zu KiB for phases of %zu KiB, %zu KiB at the end\n", peak, PHASE / KIB, rest);
    CHECK(peak <= 5 * PHASE / 2 / KIB, "phases of %zu KiB take %zu KiB: pages do not change class", PHASE / KIB, peak);
    CHECK(rest <= PHASE / 2 / KIB, "%zu KiB stay resident after all was freed and trimmed", rest);
    free(held);
    return 0;
}
