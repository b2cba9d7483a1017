/* Threads with the smallest stack there is: the allocator's thread-local block and its deepest path have to fit. */
#include "client.h"

#include <limits.h>

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    void *held[48];
    static const size_t sizes[] = {1, 16, 40, 100, 333, 1000, 2049, 3841, 5000, 9000, 20000, 33000, 70000, 300000, 3000000};
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT(held); i++) {
            held[i] = malloc(sizes[i % COUNT(sizes)]);
            CHECK(held[i], "malloc(%zu) in thread %zu", sizes[i % COUNT(sizes)], me);
            memset(held[i], (int)me, sizes[i % COUNT(sizes)] < 40000 ? sizes[i % COUNT(sizes)] : 4096);
        }
        for (size_t i = 0; i < COUNT(held); i++)
            if (i % 4 == 0) {
                held[i] = realloc(held[i], sizes[(i + 5) % COUNT(sizes)]);
                CHECK(held[i], "realloc in thread %zu", me);
            }
        for (size_t i = 0; i < COUNT(held); i++)
            free(held[i]);
        for (size_t i = 0; i < 1500; i++) { /* Past every batch, to reach refill, overflow and reclaim. */
            void *p = calloc(1, 64), *q = memalign(256, 300);
            CHECK(p && q, "calloc or memalign in thread %zu", me);
            *(void **)p = q;
            free(q);
            free(p);
        }
    }
    void *chain = NULL;
    for (size_t i = 0; i < 3000; i++) {
        void **p = malloc(200);
        CHECK(p, "malloc(200) in thread %zu", me);
        *p = chain;
        chain = p;
    }
    while (chain) {
        void *next = *(void **)chain;
        free(chain);
        chain = next;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    size_t rounds = argument(argc, argv, 1, 40);
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN), classic = 16384;
    if ((long)least < (long)classic)
        least = classic;
    for (size_t i = 0; i < rounds; i++) {
        pthread_t four[4];
        for (size_t t = 0; t < COUNT(four); t++)
            four[t] = start_thread(work, (void *)(uintptr_t)(i * 4 + t), t & 1 ? least : classic);
        for (size_t t = 0; t < COUNT(four); t++)
            join_thread(four[t]);
    }
    return 0;
}
