/* What malloc hands out for the first time it does not touch: the fault is the program's, for the pages that it writes to. So
 * no call pays for pages that nobody asked for, and what is never written to takes no memory. */
#include "client.h"
#include <sys/resource.h>

static long faults(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0, "errno %d", errno);
    return usage.ru_minflt;
}

int main(void)
{
    client_start();
    static const struct {
        size_t bytes, count;
    } kinds[] = {{300, 4000}, {1000, 2000}, {2000, 1000}, {5000, 600}, {9000, 500}, {32768, 400}};
    static void *held[4000];
    memset(held, 1, sizeof held);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        /* After a pause the next event looks for what is old, everywhere where something may be. */
        if (i == 1 && config_says("mode = \"owner-"))
            usleep(1200 * 1000);
        free(malloc(kinds[i].bytes));
        long within = 0, before = faults();
        for (size_t k = 0; k < kinds[i].count; k++) {
            long start = faults();
            char *p = malloc(kinds[i].bytes);
            within += faults() - start;
            CHECK(p, "errno %d", errno);
            memset(p, 1, kinds[i].bytes);
            held[k] = p;
        }
        long all = faults() - before, pages = (long)(kinds[i].bytes * kinds[i].count / 4096);
        /* Headers of segments, tags, and what else the allocator has of its own. */
        CHECK(within < pages / 4, "%zu bytes: %ld faults in malloc, %ld with the program's, for %ld pages", kinds[i].bytes,
              within, all, pages);
        for (size_t k = 0; k < kinds[i].count; k++)
            free(held[k]);
    }
    /* Nor is anything of the allocator's own touched to find that nothing was ever there. */
    long before = faults();
    malloc_trim(0);
    CHECK(faults() - before < 64, "%ld faults in malloc_trim", faults() - before);
    return 0;
}
