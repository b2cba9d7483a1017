/* Many threads, every entry point, patterned blocks that are checked when they are freed, here or by the neighbour. */
#include "client.h"

#include <stdatomic.h>

#define SLOTS 200
#define RING 128

struct block {
    void *p;
    size_t size;
    uint64_t seed;
};

/* One sender, one receiver. */
struct ring {
    _Alignas(64) atomic_size_t head;
    _Alignas(64) atomic_size_t tail;
    struct block at[RING];
};

static size_t threads, steps;
static struct ring *rings;

static int send_block(struct ring *ring, const struct block *block)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING)
        return 0;
    ring->at[tail % RING] = *block;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return 1;
}

static int receive_block(struct ring *ring, struct block *block)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return 0;
    *block = ring->at[head % RING];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return 1;
}

static struct block allocate(uint64_t *state)
{
    struct block block = {NULL, random_size(state), next_random(state)};
    size_t align = (size_t)16 << random_between(state, 0, 9);
    switch (next_random(state) % 8) {
    case 0:
        block.p = calloc(1, block.size);
        for (size_t i = 0; block.p && i < block.size; i = pattern_next(i, block.size))
            CHECK(((uint8_t *)block.p)[i] == 0, "calloc(%zu): byte %zu is 0x%02x", block.size, i,
                  ((uint8_t *)block.p)[i]);
        break;
    case 1:
        CHECK(posix_memalign(&block.p, align, block.size) == 0, "posix_memalign(%zu, %zu)", align, block.size);
        CHECK((uintptr_t)block.p % align == 0, "posix_memalign(%zu, %zu) = %p", align, block.size, block.p);
        break;
    case 2:
        block.p = memalign(align, block.size);
        CHECK((uintptr_t)block.p % align == 0, "memalign(%zu, %zu) = %p", align, block.size, block.p);
        break;
    default: block.p = malloc(block.size);
    }
    CHECK(block.p, "%zu bytes: errno %d", block.size, errno);
    CHECK(malloc_usable_size(block.p) >= block.size, "%zu bytes have %zu", block.size, malloc_usable_size(block.p));
    fill_block(block.p, block.size, block.seed);
    return block;
}

static void release(struct block *block)
{
    VERIFY(block->p, block->size, block->seed);
    free(block->p);
    block->p = NULL;
}

static void resize(struct block *block, uint64_t *state)
{
    size_t size = random_size(state), kept = size < block->size ? size : block->size;
    uint64_t key = pattern_key(block->p, block->size, block->seed);
    void *p = realloc(block->p, size);
    CHECK(p, "realloc(%zu -> %zu): errno %d", block->size, size, errno);
    verify_key(p, block->size, kept, key, __FILE__, __LINE__);
    block->p = p;
    block->size = size;
    fill_block(p, size, block->seed);
}

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    struct ring *out = &rings[(me + 1) % threads], *in = &rings[me];
    uint64_t state = me * 7919 + 1;
    struct block slot[SLOTS], got;
    memset(slot, 0, sizeof slot);
    for (size_t step = 0; step < steps; step++) {
        while (receive_block(in, &got))
            release(&got);
        struct block *block = &slot[random_between(&state, 0, SLOTS - 1)];
        if (!block->p) {
            *block = allocate(&state);
            continue;
        }
        switch (next_random(&state) % 4) {
        case 0: resize(block, &state); break;
        case 1:
            if (send_block(out, block)) {
                block->p = NULL;
                break;
            }
            release(block);
            break;
        default: release(block);
        }
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (slot[i].p && !(i & 1 && send_block(out, &slot[i])))
            release(&slot[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    threads = argument(argc, argv, 1, 8);
    steps = argument(argc, argv, 2, 60000);
    rings = aligned_alloc(64, threads * sizeof *rings);
    pthread_t *all = calloc(threads, sizeof *all);
    CHECK(rings && all, "the rings");
    memset(rings, 0, threads * sizeof *rings);
    for (size_t i = 0; i < threads; i++)
        all[i] = start_thread(work, (void *)(uintptr_t)i, 0);
    for (size_t i = 0; i < threads; i++)
        join_thread(all[i]);
    struct block got; /* What was still under way when its receiver left. */
    for (size_t i = 0; i < threads; i++)
        while (receive_block(&rings[i], &got))
            release(&got);
    free(all);
    free(rings);
    return 0;
}
