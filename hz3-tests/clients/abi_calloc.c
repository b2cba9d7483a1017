/* calloc is zero, whatever the memory held before. */
#include "client.h"

static void zeroed(const unsigned char *p, size_t size, const char *how)
{
    for (size_t i = 0; i < size; i++)
        CHECK(p[i] == 0, "%s: byte %zu of %zu is 0x%02x", how, i, size, p[i]);
}

/* Dirties memory of a size, frees it, and asks for it again in every shape. */
static void after_dirty(size_t size, int many)
{
    static unsigned char *held[512];
    for (int i = 0; i < many; i++) {
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu)", size);
        memset(held[i], 0xff, malloc_usable_size(held[i]));
    }
    for (int i = 0; i < many; i++)
        free(held[i]);
    for (int i = 0; i < many; i++) {
        held[i] = i & 1 ? calloc(1, size) : calloc(size, 1);
        CHECK(held[i], "calloc(%zu)", size);
        zeroed(held[i], size, "after dirty frees of the same size");
        memset(held[i], 0xee, size);
    }
    for (int i = 0; i < many; i++)
        free(held[i]);
}

int main(void)
{
    client_start();
    for (size_t size = 1; size <= 2100; size++)
        after_dirty(size, 12);
    for (size_t size = 2101; size <= 70000; size += 61)
        after_dirty(size, 6);
    for (size_t size = 70000; size <= 64 * MIB; size = size * 7 / 4)
        after_dirty(size, 2);

    /* Pages that went from one class to another, through the page heap. */
    static void *held[40000];
    for (int round = 0; round < 6; round++) {
        static const size_t sizes[] = {64, 1000, 4096, 48, 10000, 300};
        size_t size = sizes[round], many = 16 * MIB / size < COUNT(held) ? 16 * MIB / size : COUNT(held);
        for (size_t i = 0; i < many; i++) {
            held[i] = calloc(1, size);
            CHECK(held[i], "calloc(1, %zu)", size);
            zeroed(held[i], size, "pages of another class");
            memset(held[i], 0xdd, size);
        }
        for (size_t i = 0; i < many; i++)
            free(held[i]);
    }

    /* Elements that do not divide anything. */
    for (size_t count = 1; count < 400; count += 7)
        for (size_t each = 1; each < 300; each += 13) {
            unsigned char *p = calloc(count, each);
            CHECK(p && malloc_usable_size(p) >= count * each, "calloc(%zu, %zu)", count, each);
            zeroed(p, count * each, "odd elements");
            memset(p, 0xcc, count * each);
            free(p);
        }
    return 0;
}
