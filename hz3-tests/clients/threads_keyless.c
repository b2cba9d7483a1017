/* Threads whose end nobody can report, as the process has no pthread key left when its first allocation is made: each of
 * them leaves nothing behind, neither objects nor mappings, whoever made what it frees.
 *
 * This program defines what the allocator calls for a key. With UNARMED there is a key, but no memory to set it. */
#include "client.h"

#define LENT 300

#ifdef UNARMED
int pthread_setspecific(pthread_key_t key, const void *value)
{
    (void)key, (void)value;
    return ENOMEM;
}
#else
int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    (void)key, (void)destructor;
    return EAGAIN;
}
#endif

/* Objects for the next thread, one of whose makers is the main thread and the other the thread before. */
static void *lent[LENT], *passed[LENT];

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    void *held[LENT];
    for (size_t i = 0; i < LENT; i++) {
        size_t size = 1 + (i * 37 + me) % 3000;
        held[i] = i % 7 ? malloc(size) : calloc(1, size * 20);
        CHECK(held[i], "%zu bytes in thread %zu", size, me);
        memset(held[i], (int)me, size);
    }
    for (size_t i = 0; i < LENT; i++) {
        free(lent[i]);
        free(passed[i]);
        if (i % 3)
            free(held[i]);
        passed[i] = i % 3 ? NULL : held[i];
    }
    return NULL;
}

/* One that does nothing but free what others made. */
static void *only_frees(void *with)
{
    (void)with;
    for (size_t i = 0; i < LENT; i++) {
        free(passed[i]);
        passed[i] = NULL;
    }
    return NULL;
}

static size_t mapped_kib(void)
{
    return process_kib(0);
}

int main(int argc, char **argv)
{
    client_start();
    size_t threads = argument(argc, argv, 1, 2000), kept = 0, mapped = 0;
    for (size_t i = 0; i < threads; i++) {
        for (size_t k = 0; k < LENT; k++)
            lent[k] = malloc(16 + k * 8);
        join_thread(start_thread(work, (void *)(uintptr_t)i, 0));
        join_thread(start_thread(only_frees, NULL, 0));
        if (i == threads / 10) {
            kept = kept_kib();
            mapped = mapped_kib();
        }
    }
    printf("%zu KiB kept and %zu mapped at a tenth of %zu threads, %zu and %zu after all\n", kept, mapped, threads, kept_kib(),
           mapped_kib());
    CHECK(!hz3_variant() || kept_kib() <= kept + KIB, "kept grew from %zu to %zu KiB", kept, kept_kib());
    CHECK(!hz3_variant() || mapped_kib() <= mapped + 8 * KIB, "mapped grew from %zu to %zu KiB", mapped, mapped_kib());
    return 0;
}
