/* A program limits its own address space after it has started: it is held to the limit, and within the limit it can still
 * map, load a library, start a thread and a process. */
#include "client.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void *in_thread(void *with)
{
    char *p = malloc(100000);
    CHECK(p, "malloc in a thread");
    memset(p, 1, 100000);
    free(p);
    return with;
}

/* Bytes of blocks of `size` that can be had before NULL, up to `most`; all are touched and freed. */
static size_t fill(size_t size, size_t most)
{
    struct block {
        struct block *next;
    } *list = NULL;
    size_t bytes = 0;
    for (; bytes < most; bytes += size) {
        errno = 0;
        struct block *block = malloc(size);
        if (!block) {
            CHECK(errno == ENOMEM, "malloc(%zu) = NULL with errno %d", size, errno);
            break;
        }
        memset(block, 1, size);
        block->next = list;
        list = block;
    }
    while (list) {
        struct block *next = list->next;
        free(list);
        list = next;
    }
    return bytes;
}

static void limit(size_t bytes)
{
    struct rlimit with;
    CHECK(getrlimit(RLIMIT_AS, &with) == 0, "getrlimit: errno %d", errno);
    with.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_AS, &with) == 0, "setrlimit: errno %d", errno);
}

int main(void)
{
    client_start();
    if (config_says("space = \"flat\"") || config_says("commit = \"whole\"")) {
        puts("such a table, or arena, is address space of its own: the config says so");
        return 0;
    }
    char *p = malloc(10 * MIB);
    CHECK(p, "malloc(10 MiB)");
    memset(p, 1, 10 * MIB);

    /* In a child each: what the limit leaves behind must not show in the next. */
    pid_t child = fork();
    if (child == 0) {
        limit(4096 * MIB);
        join_thread(start_thread(in_thread, NULL, 256 * KIB));
        void *map = mmap(NULL, 1 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(map != MAP_FAILED, "mmap: errno %d", errno);
        CHECK(dlopen("libm.so.6", RTLD_NOW), "dlopen: %s", dlerror());
        void *large = malloc(100 * MIB);
        CHECK(large, "malloc(100 MiB): errno %d", errno);
        pid_t other = fork();
        if (other == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(9);
        }
        int status = 0;
        CHECK(waitpid(other, &status, 0) == other && status == 0, "/bin/true ended with %d", status);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "under 4 GiB: status %d", status);

    static const size_t SIZES[] = {64, 1000, 20000, 100000, 1048576, 5000000};
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        child = fork();
        if (child == 0) {
            size_t room = 200 * MIB;
            limit(process_kib(0) * KIB + room);
            size_t first = fill(SIZES[i], 16 * room), again = fill(SIZES[i], 16 * room);
            CHECK(first <= room + 12 * MIB, "%zu MiB of blocks of %zu within 200 MiB", first / MIB, SIZES[i]);
            /* glibc has 200 of them; with links between them blocks of 64 bytes take 80 there. */
            /* Behind each object a canary takes eight, and so the next class. Guards are address space, too. */
            int guards = config_says("guards = \"large\"") || config_says("guards = \"runs\"");
            size_t least = guards ? room / 2 : config_says("canary = true") ? room - room / 3 : room - room / 10;
            CHECK(!hz3_variant() || config_says("on_full = \"fail\"") || first >= least,
                  "only %zu MiB of blocks of %zu within 200 MiB", first / MIB, SIZES[i]);
            CHECK(again >= first - first / 10, "%zu MiB at first, then %zu MiB of %zu", first / MIB, again / MIB, SIZES[i]);
            /* What was freed does not keep others from their share. */
            if (SIZES[i] >= MIB) {
                malloc_trim(0);
                void *map = mmap(NULL, room / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                CHECK(map != MAP_FAILED, "mmap after %zu MiB of blocks of %zu were freed", first / MIB, SIZES[i]);
            }
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0, "blocks of %zu: status %d", SIZES[i], status);
    }
    return 0;
}
