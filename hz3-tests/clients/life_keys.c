/* Destructors of pthread keys that allocate and free, before and after the allocator's own end of the thread. */
#include "client.h"

#define KEYS 6

static pthread_key_t keys[KEYS];
static int rounds_of[KEYS];

/* Comes back up to the fourth (and by POSIX last) round, and allocates each time. */
static void destructor(void *value)
{
    size_t *object = value;
    size_t key = object[0], round = object[1];
    CHECK(key < KEYS && round < 8, "the object of key %zu, round %zu is overwritten", key, round);
    rounds_of[key]++;
    free(object);
    for (size_t size = 1; size < 50000; size = size * 3 + 1) {
        char *p = malloc(size), *q = calloc(1, size);
        CHECK(p && q, "%zu bytes in a destructor", size);
        memset(p, 1, size);
        free(q);
        p = realloc(p, size * 2);
        CHECK(p && p[size - 1] == 1, "realloc in a destructor");
        free(p);
    }
    if (round < 3) {
        object = malloc(16 + round * 500);
        CHECK(object, "malloc in a destructor");
        object[0] = key;
        object[1] = round + 1;
        CHECK(pthread_setspecific(keys[key], object) == 0, "pthread_setspecific");
    }
}

__attribute__((constructor)) static void early(void)
{
    for (int i = 0; i < KEYS / 2; i++)
        CHECK(pthread_key_create(&keys[i], destructor) == 0, "pthread_key_create");
}

static void *work(void *with)
{
    (void)with;
    for (size_t i = 0; i < KEYS; i++) {
        size_t *object = malloc(64);
        CHECK(object, "malloc");
        object[0] = i;
        object[1] = 0;
        CHECK(pthread_setspecific(keys[i], object) == 0, "pthread_setspecific");
    }
    return NULL;
}

/* Never calls malloc itself: the first use of the heap in this thread is in its destructors. */
static size_t *lent;

static void *silent(void *with)
{
    (void)with;
    CHECK(pthread_setspecific(keys[0], lent) == 0, "pthread_setspecific");
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    size_t threads = argument(argc, argv, 1, 6000), before = 0;
    for (int i = KEYS / 2; i < KEYS; i++)
        CHECK(pthread_key_create(&keys[i], destructor) == 0, "pthread_key_create");
    for (size_t i = 0; i < threads; i++) {
        join_thread(start_thread(work, NULL, 0));
        lent = malloc(64);
        CHECK(lent, "malloc");
        lent[0] = lent[1] = 0;
        join_thread(start_thread(silent, NULL, 0));
        if (i == threads / 10)
            before = kept_kib();
    }
    CHECK(rounds_of[0] >= (int)threads * 2, "the destructors ran %d times", rounds_of[0]);
    size_t after = kept_kib();
    printf("%zu KiB at a tenth of %zu threads, %zu after all\n", before, threads, after);
    CHECK(!hz3_variant() || after <= before + KIB, "resident grew from %zu to %zu KiB: destructors after ours leak", before, after);
    return 0;
}
