/* Limits that a program sets on itself, after its allocator has started: nothing crashes, and NULL means ENOMEM. */
#include "client.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void *held[200000];

/* MiB of the address space that are writable: what mlockall makes resident at once. */
static size_t writable_mib(void)
{
    char line[512];
    size_t bytes = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file, "/proc/self/maps");
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to;
        char access[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3 && access[1] == 'w')
            bytes += to - from;
    }
    fclose(file);
    return bytes / MIB;
}

int main(void)
{
    client_start();
    for (size_t i = 0; i < 2000; i++) {
        held[i] = malloc(100 + i);
        CHECK(held[i], "malloc before the limit");
    }
    for (size_t i = 0; i < 2000; i++)
        free(held[i]);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0, "getrlimit");
    rlim_t open = limit.rlim_cur;
    /* From here on the address space may not grow at all; what is reserved already may still serve. */
    limit.rlim_cur = process_kib(0) * KIB;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit: errno %d", errno);
    size_t many = 0, refused = 0;
    for (size_t i = 0; i < COUNT(held); i++) {
        size_t size = i % 500 == 0 ? 300000 : 50 + i % 3000;
        errno = 0;
        held[i] = malloc(size);
        if (held[i]) {
            fill_block(held[i], size, i);
            many++;
        } else {
            CHECK(errno == ENOMEM, "malloc(%zu) = NULL with errno %d", size, errno);
            refused++;
        }
    }
    for (size_t i = 0; i < COUNT(held); i++)
        if (held[i]) {
            VERIFY(held[i], i % 500 == 0 ? 300000 : 50 + i % 3000, i);
            free(held[i]);
        }
    limit.rlim_cur = open;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit: errno %d", errno);
    void *p = malloc(64 * MIB);
    CHECK(p, "malloc(64 MiB) after the limit is lifted");
    memset(p, 1, 64 * MIB);
    free(p);
    printf("%zu blocks while the address space could not grow, %zu refused\n", many, refused);

    /* All pages locked: the reservation must not be faulted in. A table over the whole address space would be. */
    size_t writable = writable_mib();
    if (writable > 2048) {
        printf("%zu MiB are writable: pages are not locked\n", writable);
    } else if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) {
        CHECK(resident_kib() < 1024 * KIB, "mlockall made %zu KiB resident", resident_kib());
        for (size_t size = 1; size < 20 * MIB; size = size * 2 + 1) {
            void *locked = malloc(size);
            CHECK(locked || errno == ENOMEM, "malloc(%zu) with locked pages: errno %d", size, errno);
            free(locked);
        }
    } else {
        printf("mlockall is refused here (errno %d): not tried\n", errno);
    }
    return 0;
}
