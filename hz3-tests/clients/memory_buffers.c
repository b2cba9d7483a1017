/* Buffers a little longer than a MiB, all written: what is resident is what is live, huge pages or not; when every other
 * one is freed, about a half of it. */
#include "client.h"

int main(void)
{
    client_start();
    enum { BUFFERS = 200 };
    static const size_t SIZE = 1150000;
    static char *p[BUFFERS];
    size_t before = resident_kib();
    for (size_t i = 0; i < BUFFERS; i++) {
        p[i] = malloc(SIZE);
        CHECK(p[i], "malloc(%zu)", SIZE);
        memset(p[i], 1, SIZE);
    }
    size_t live = BUFFERS * SIZE / KIB, full = resident_kib() - before;
    CHECK(full <= live + live / 10, "%zu KiB are resident, %zu live", full, live);
    for (size_t i = 0; i < BUFFERS; i += 2)
        free(p[i]);
    for (size_t i = 0; i < 100000; i++)
        free(malloc(100));
    malloc_trim(0);
    size_t half = resident_kib() - before;
    CHECK(half <= live / 2 + live / 10, "%zu KiB are resident, %zu live", half, live / 2);
    return 0;
}
