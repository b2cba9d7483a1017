/* Every byte that malloc_usable_size promises can be written, and belongs to nobody else. */
#include "client.h"

#define NEIGHBOURS 4

static void size_of(size_t size)
{
    char *held[NEIGHBOURS];
    size_t usable[NEIGHBOURS];
    for (int i = 0; i < NEIGHBOURS; i++) {
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu)", size);
        CHECK((uintptr_t)held[i] % 16 == 0, "malloc(%zu) = %p", size, (void *)held[i]);
        usable[i] = malloc_usable_size(held[i]);
        CHECK(usable[i] >= size, "malloc(%zu) has %zu bytes", size, usable[i]);
        CHECK(usable[i] <= size + size / 2 + 8 * KIB, "malloc(%zu) has %zu bytes", size, usable[i]);
        fill_block(held[i], usable[i], size);
    }
    for (int i = 0; i < NEIGHBOURS; i++)
        VERIFY(held[i], usable[i], size);
    for (int i = 0; i < NEIGHBOURS; i++) {
        CHECK(malloc_usable_size(held[i]) == usable[i], "the usable size of %zu bytes changed", size);
        free(held[i]);
    }
}

int main(void)
{
    client_start();
    for (size_t size = 0; size <= 5000; size++)
        size_of(size);
    for (size_t size = 5001; size <= 70000; size += 13)
        size_of(size);
    for (size_t page = 4096; page <= 32 * MIB; page *= 2)
        for (size_t around = page - 17; around <= page + 17; around += page > MIB ? 17 : 1)
            size_of(around);
    return 0;
}
