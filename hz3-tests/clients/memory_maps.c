/* Tens of thousands of large objects with holes between them: the kernel's limit on mappings must not be what is hit. */
#include "client.h"

#define MANY 36000

static char *held[MANY];

static size_t mappings(void)
{
    size_t lines = 0;
    int c;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file, "/proc/self/maps");
    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void fill(size_t first, size_t step, size_t size)
{
    for (size_t i = first; i < MANY; i += step) {
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu), number %zu: errno %d, %zu mappings", size, i, errno, mappings());
        held[i][0] = (char)i;
        held[i][size - 1] = (char)i;
    }
}

static void drop(size_t first, size_t step, size_t size)
{
    for (size_t i = first; i < MANY; i += step) {
        CHECK(held[i][0] == (char)i && held[i][size - 1] == (char)i, "object %zu is overwritten", i);
        free(held[i]);
    }
}

int main(void)
{
    client_start();
    fill(0, 1, 40 * KIB);
    drop(1, 2, 40 * KIB);
    fill(1, 2, 70 * KIB);
    drop(0, 2, 40 * KIB);
    fill(0, 2, 34 * KIB);
    size_t most = mappings();
    drop(0, 2, 34 * KIB);
    drop(1, 2, 70 * KIB);
    malloc_trim(0);
    printf("%zu mappings with all objects, %zu at the end; %zu KiB\n", most, mappings(), resident_kib());
    CHECK(most < 40000 && mappings() < 40000, "%zu and %zu mappings", most, mappings());
    /* And objects of which the C library would map each one. */
    for (size_t i = 0; i < 600; i++) {
        held[i] = malloc(3 * MIB);
        CHECK(held[i], "malloc(3 MiB), number %zu: errno %d", i, errno);
        held[i][0] = held[i][3 * MIB - 1] = (char)i;
    }
    for (size_t i = 0; i < 600; i += 2) {
        held[i] = realloc(held[i], MIB);
        CHECK(held[i] && held[i][0] == (char)i, "realloc to 1 MiB");
    }
    for (size_t i = 0; i < 600; i++) {
        CHECK(held[i][0] == (char)i, "object %zu is overwritten", i);
        free(held[i]);
    }
    return 0;
}
