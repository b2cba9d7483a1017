/* What a library with an allocator of its own has handed out, and nobody gave back, can still be read when it is gone; all
 * else of its memory is gone. Argument: the library's path. */
#include "plugin.h"

static const size_t sizes[] = {1, 100, 5000, 40000, 700000, 7000000};

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 1, "which library?");
    for (int round = 0; round < 20; round++) {
        size_t before = process_kib(0), sum = 0;
        struct plugin plugin = open_plugin(argv[1]);
        use_plugin(&plugin);
        unsigned char *kept[COUNT(sizes)];
        for (size_t i = 0; i < COUNT(sizes); i++) {
            kept[i] = plugin.give(sizes[i]);
            sum += sizes[i] / KIB;
        }
        use_plugin(&plugin);
        close_plugin(&plugin, argv[1]);
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (size_t at = 0; at < sizes[i]; at++)
                CHECK(kept[i][at] == (unsigned char)sizes[i], "byte %zu of %zu", at, sizes[i]);
        size_t after = process_kib(0);
        CHECK(after <= before + sum + 2 * KIB, "address space grew from %zu to %zu KiB for %zu", before, after, sum);
    }
    return 0;
}
