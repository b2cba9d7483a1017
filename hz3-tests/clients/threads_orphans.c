/* Threads that die with live objects, which others check and free: nothing is stranded with the dead. */
#include "client.h"

#define MAKERS 8
#define EACH 3000

struct block {
    void *p;
    size_t size;
};

static struct block table[MAKERS][EACH];
static size_t round_now;

static void *make(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    uint64_t state = round_now * 1000 + me;
    for (size_t i = 0; i < EACH; i++) {
        struct block *block = &table[me][i];
        block->size = i % 50 == 0 ? random_size(&state) : random_between(&state, 1, 700);
        block->p = malloc(block->size);
        CHECK(block->p, "malloc(%zu)", block->size);
        fill_block(block->p, block->size, me + round_now);
        if (i % 3 == 0) /* Some of its own frees, so that its caches are not empty when it dies. */
            free(malloc(random_between(&state, 1, 3000)));
    }
    return NULL;
}

static void *take(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    for (size_t i = 0; i < EACH; i++) {
        VERIFY(table[me][i].p, table[me][i].size, me + round_now);
        free(table[me][i].p);
    }
    return NULL;
}

static void all(void *(*run)(void *))
{
    pthread_t thread[MAKERS];
    for (size_t i = 0; i < MAKERS; i++)
        thread[i] = start_thread(run, (void *)(uintptr_t)i, 0);
    for (size_t i = 0; i < MAKERS; i++)
        join_thread(thread[i]);
}

int main(int argc, char **argv)
{
    client_start();
    size_t rounds = argument(argc, argv, 1, 60), before = 0;
    for (round_now = 0; round_now < rounds; round_now++) {
        all(make);
        if (round_now & 1)
            all(take); /* Freed by other threads, which die in their turn. */
        else
            for (size_t i = 0; i < MAKERS; i++)
                take((void *)(uintptr_t)i); /* Freed by the one thread that stays. */
        if (round_now == rounds / 4)
            before = kept_kib();
    }
    /* Where runs have owners, all but this thread's are without threads now and have no object out. So what is in use
     * is what this one thread keeps, of all that the dead had: a few MiB. */
    size_t used = hz3_stat("pages_used_bytes");
    if (config_says("mode = \"owner-"))
        CHECK(used <= 12 * MIB, "runs and large objects hold %zu KiB, and nothing is live", used / KIB);
    size_t after = kept_kib();
    printf("%zu KiB after a quarter of the rounds, %zu after all\n", before, after);
    CHECK(!hz3_variant() || after <= before + before / 4 + KIB, "resident grew from %zu to %zu KiB over dying threads", before, after);
    return 0;
}
