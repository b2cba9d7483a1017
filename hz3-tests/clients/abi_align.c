/* Alignments from 8 bytes to 32 MiB, every way of asking, several blocks alive at a time. */
#include "client.h"

#define HELD 6

static void *ask(int way, size_t align, size_t size)
{
    void *p = NULL;
    switch (way) {
    case 0: return memalign(align, size);
    case 1: return aligned_alloc(align, size);
    default: CHECK(posix_memalign(&p, align, size) == 0, "posix_memalign(%zu, %zu)", align, size); return p;
    }
}

/* Only ends are touched above 1 MiB: aligned address space may be large, memory need not be. */
static void touch(char *p, size_t size, char with)
{
    if (size <= MIB) {
        memset(p, with, size);
        return;
    }
    memset(p, with, 4096);
    memset(p + size - 4096, with, 4096);
}

static void touched(const char *p, size_t size, char with, size_t align)
{
    size_t step = size <= MIB ? 1 : size - 1;
    for (size_t i = 0; i < size; i += step)
        CHECK(p[i] == with, "byte %zu of a block of %zu bytes at alignment %zu is %d, not %d", i, size, align, p[i],
              with);
}

static void sizes_at(size_t align)
{
    const size_t sizes[] = {1, 8, 100, align - 1, align, align + 1, 2 * align, 3 * align + 5, 5000, 40000, 200000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t size = sizes[s];
        char *held[HELD];
        for (int i = 0; i < HELD; i++) {
            held[i] = ask(i % 3, align, size);
            CHECK(held[i], "way %d: alignment %zu, %zu bytes: NULL, errno %d", i % 3, align, size, errno);
            CHECK((uintptr_t)held[i] % align == 0, "way %d: alignment %zu, %zu bytes: %p", i % 3, align, size,
                  (void *)held[i]);
            size_t usable = malloc_usable_size(held[i]);
            CHECK(usable >= size, "way %d: alignment %zu, %zu bytes: %zu usable", i % 3, align, size, usable);
            touch(held[i], usable, (char)(i + 1));
        }
        for (int i = 0; i < HELD; i++)
            touched(held[i], malloc_usable_size(held[i]), (char)(i + 1), align);
        /* An aligned block can be resized like any other; what it held stays. */
        char *grown = realloc(held[0], size + size / 2 + 33);
        CHECK(grown, "realloc of an aligned block to %zu bytes", size + size / 2 + 33);
        touched(grown, size < 4096 ? size : 4096, 1, align);
        free(grown);
        for (int i = HELD - 1; i > 0; i--)
            free(held[i]);
    }
}

/* What a program with cache-line aligned objects does: they must not cost a page or a mapping each. */
static void many_small(size_t align, size_t size)
{
    enum { MANY = 20000 };
    static char *held[MANY];
    /* What was freed before would go back to the kernel meanwhile. */
    malloc_trim(0);
    size_t before = resident_kib();
    for (int i = 0; i < MANY; i++) {
        held[i] = memalign(align, size);
        CHECK(held[i] && (uintptr_t)held[i] % align == 0, "memalign(%zu, %zu) = %p", align, size, (void *)held[i]);
        memset(held[i], i, size);
    }
    size_t used = resident_kib() - before;
    size_t each = size < align ? align : (size + align - 1) / align * align;
    size_t bound = 3 * each * MANY / KIB + 4096;
    CHECK(used <= bound, "%d objects of %zu bytes at alignment %zu take %zu KiB, more than %zu", MANY, size, align, used,
          bound);
    for (int i = 0; i < MANY; i++) {
        CHECK(held[i][0] == (char)i && held[i][size - 1] == (char)i, "object %d is overwritten", i);
        free(held[i]);
    }
}

int main(void)
{
    client_start();
    for (size_t align = 8; align <= 32 * MIB; align *= 2)
        sizes_at(align);
    for (size_t align = 16; align <= 1024; align *= 4) {
        many_small(align, align);
        many_small(align, align / 2 + 1);
        many_small(align, align * 3);
    }
    /* Large alignments come and go without using up the address space or the mappings. */
    for (int round = 0; round < 20000; round++) {
        size_t align = (size_t)1 << (12 + round % 14);
        char *p = memalign(align, 10000);
        CHECK(p && (uintptr_t)p % align == 0, "round %d: memalign(%zu, 10000) = %p", round, align, (void *)p);
        p[0] = p[9999] = 1;
        free(p);
    }
    CHECK(resident_kib() < 256 * KIB, "%zu KiB are resident after all was freed", resident_kib());
    return 0;
}
