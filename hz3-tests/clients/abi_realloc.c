/* realloc across every class boundary, up and down, and of large objects: what was written stays. */
#include "client.h"

/* The pattern's key does not depend on the address here: blocks move. */
static void *resized(void *p, size_t from, size_t to, uint64_t key)
{
    char *q = realloc(p, to);
    CHECK(q, "realloc(%zu -> %zu): errno %d", from, to, errno);
    CHECK((uintptr_t)q % 16 == 0, "realloc(%zu -> %zu) = %p", from, to, (void *)q);
    CHECK(malloc_usable_size(q) >= to, "realloc(%zu -> %zu) has %zu bytes", from, to, malloc_usable_size(q));
    size_t kept = from < to ? from : to;
    for (size_t i = 0; i < kept; i++)
        if ((uint8_t)q[i] != pattern_byte(key, i))
            fail_at(__FILE__, __LINE__, "contents", "realloc(%zu -> %zu) at %p: byte %zu is 0x%02x, not 0x%02x", from, to,
                    (void *)q, i, (uint8_t)q[i], pattern_byte(key, i));
    for (size_t i = kept; i < to; i++)
        q[i] = (char)pattern_byte(key, i);
    return q;
}

/* One block through all sizes; a second one follows it, so that growing in place is sometimes impossible. */
static void walk(size_t step)
{
    const size_t top = 40000;
    void *p = NULL, *q = NULL;
    size_t last = 0;
    for (size_t size = 1; size <= top; last = size, size += step) {
        p = resized(p, last, size, 0x1122334455667788);
        q = resized(q, last, size, 0x99aabbccddeeff00);
    }
    for (size_t size = last; size > step; last = size, size -= step) {
        p = resized(p, last, size, 0x1122334455667788);
        q = resized(q, last, size, 0x99aabbccddeeff00);
    }
    free(p);
    free(q);
}

/* Every size to sizes near and far. */
static void jumps(void)
{
    static const size_t targets[] = {1, 16, 17, 100, 1024, 2048, 2049, 3840, 3841, 4095, 4096, 4097, 16384, 32768, 32769, 70000};
    for (size_t from = 1; from <= 40000; from += 1 + from / 29)
        for (size_t t = 0; t < COUNT(targets); t++) {
            void *p = resized(NULL, 0, from, from * 77);
            p = resized(p, from, targets[t], from * 77);
            p = resized(p, targets[t], from, from * 77);
            free(p);
        }
}

/* A marker at each page: enough to see a page that was lost or moved. */
static void mark(char *p, size_t from, size_t to)
{
    for (size_t i = from / 4096 * 4096; i < to; i += 4096)
        if (i >= from)
            *(uint32_t *)(p + i) = (uint32_t)(i / 4096 * 2654435761u);
}

static void marked(const char *p, size_t size, size_t before)
{
    for (size_t i = 0; i + 4 <= size; i += 4096)
        if (*(const uint32_t *)(p + i) != (uint32_t)(i / 4096 * 2654435761u))
            fail_at(__FILE__, __LINE__, "contents", "realloc(%zu -> %zu) at %p: page %zu is lost", before, size,
                    (const void *)p, i / 4096);
}

static void large(size_t first, size_t top, size_t numerator, size_t denominator)
{
    size_t size = first, last = first;
    char *p = malloc(size);
    CHECK(p, "malloc(%zu)", size);
    mark(p, 0, size - 4);
    while (size < top) {
        last = size;
        size = size * numerator / denominator / 8 * 8 + 4096;
        p = realloc(p, size);
        CHECK(p, "realloc(%zu -> %zu): errno %d", last, size, errno);
        marked(p, last - 4, last);
        mark(p, last - 4, size - 4);
        marked(p, size - 4, last);
    }
    while (size > first) {
        last = size;
        size = size * denominator / numerator / 8 * 8;
        p = realloc(p, size);
        CHECK(p, "realloc(%zu -> %zu): errno %d", last, size, errno);
        marked(p, size - 4, last);
        CHECK(malloc_usable_size(p) >= size, "realloc(%zu -> %zu) has %zu bytes", last, size, malloc_usable_size(p));
    }
    free(p);
}

/* A buffer that grows by little, as a reader of a long stream does it. */
static void stepwise(void)
{
    size_t size = 64 * KIB;
    char *p = malloc(size);
    CHECK(p, "malloc(%zu)", size);
    mark(p, 0, size - 4);
    for (int i = 0; i < 1500; i++) {
        size_t last = size;
        size += 8 * KIB;
        p = realloc(p, size);
        CHECK(p, "realloc(%zu -> %zu)", last, size);
        mark(p, last - 4, size - 4);
    }
    marked(p, size - 4, size);
    free(p);
}

int main(void)
{
    client_start();
    walk(7);
    walk(1013);
    jumps();
    large(64 * KIB, 512 * MIB, 2, 1);
    large(50000, 64 * MIB, 9, 8);
    stepwise();
    /* Blocks that were shrunk far must not hold on to what they had. */
    enum { MANY = 64 };
    static char *held[MANY];
    for (int i = 0; i < MANY; i++) {
        held[i] = malloc(8 * MIB);
        CHECK(held[i], "malloc(8 MiB)");
        memset(held[i], i, 8 * MIB);
        held[i] = realloc(held[i], 100);
        CHECK(held[i] && held[i][99] == (char)i, "realloc(8 MiB -> 100)");
    }
    CHECK(resident_kib() < 256 * KIB, "%d blocks of 100 bytes that once were larger keep %zu KiB", MANY, resident_kib());
    for (int i = 0; i < MANY; i++)
        free(held[i]);
    return 0;
}
