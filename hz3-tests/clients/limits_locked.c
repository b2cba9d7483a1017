/* A program that locks itself into memory, with all that it will ever map: what it does not use is not locked in, and what
 * it frees does not stay. */
#include "client.h"

#include <sys/mman.h>

int main(void)
{
    client_start();
    if (config_says("commit = \"whole\"") || config_says("space = \"flat\"")) {
        puts("such an arena, or table, is mapped as a whole: the config says so");
        return 0;
    }
    enum { OBJECTS = 64 };
    static char *big[OBJECTS];
    static void *small[1000];
    for (size_t i = 0; i < COUNT(small); i++) {
        small[i] = calloc(1, 500);
        CHECK(small[i], "calloc(1, 500)");
    }
    /* An ordinary user's limit is 8 MiB as a rule: that is what the process may have mapped when it locks itself in. */
    size_t mapped = process_kib(0);
    CHECK(mapped <= 7 * 1024, "%zu KiB are mapped", mapped);
    if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
        printf("not allowed here: errno %d\n", errno);
        return 0;
    }
    size_t locked = resident_kib();
    /* The header of a segment, and the tables of free ranges, are longer where segments are. */
    CHECK(locked <= 6 * 1024 + segment_bytes() / KIB / 64, "%zu KiB are resident with half a MiB of objects", locked);
    for (size_t i = 0; i < OBJECTS; i++) {
        big[i] = malloc(MIB);
        if (!big[i]) {
            printf("%zu MiB may be locked here\n", i);
            return 0;
        }
        memset(big[i], 1, MIB);
    }
    size_t used = resident_kib();
    CHECK(used <= locked + OBJECTS * 1024 * 11 / 10, "%zu KiB are resident with %d MiB of objects", used, OBJECTS);
    for (size_t i = 0; i < OBJECTS; i++)
        free(big[i]);
    malloc_trim(0);
    size_t left = resident_kib();
    CHECK(left <= locked + 4 * 1024, "%zu KiB are resident after all was freed, %zu before", left, locked);
    return 0;
}
