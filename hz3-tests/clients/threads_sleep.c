/* Threads that have allocated and freed, and sleep: what they leave resident, in KiB, is at most what the second argument says. */
#include "client.h"

#define BYTES 800000
#define MOST 400

static pthread_barrier_t meeting;

static void *work(void *number)
{
    uint64_t state = (uintptr_t)number + 1;
    void *mine[MOST];
    size_t count = 0;
    for (size_t bytes = 0; bytes < BYTES && count < MOST; count++) {
        size_t size = random_between(&state, 16, 4000);
        mine[count] = malloc(size);
        CHECK(mine[count], "%zu bytes: errno %d", size, errno);
        memset(mine[count], 1, size);
        bytes += size;
    }
    while (count > 0)
        free(mine[--count]);
    pthread_barrier_wait(&meeting);
    pthread_barrier_wait(&meeting);
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    size_t threads = argument(argc, argv, 1, 300), most = argument(argc, argv, 2, 0);
    pthread_t *all = calloc(threads, sizeof *all);
    CHECK(all, "the threads");
    pthread_barrier_init(&meeting, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++)
        all[i] = start_thread(work, (void *)(uintptr_t)i, 64 * KIB);
    pthread_barrier_wait(&meeting);
    size_t kib = resident_kib();
    CHECK(kib <= most, "%zu threads sleep, and %zu KiB are resident; %zu are allowed", threads, kib, most);
    pthread_barrier_wait(&meeting);
    for (size_t i = 0; i < threads; i++)
        join_thread(all[i]);
    free(all);
    return 0;
}
