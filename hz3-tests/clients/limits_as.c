/* A limit on the address space: allocates until NULL with ENOMEM, frees, and goes on.
 *
 * Arguments: the limit in MiB; the smallest and the largest block in bytes; `data` to limit writable memory (ulimit -d)
 * and not all address space (ulimit -v). The limit is set before the allocator starts, so that its reservation has to
 * give way. */
#include "client.h"

#include <sys/resource.h>

struct link {
    struct link *next;
    size_t size;
    uint64_t check;
};

static size_t low, high;

static uint64_t check_of(const struct link *link)
{
    return ((uint64_t)(uintptr_t)link * 0x9e3779b97f4a7c15u) ^ link->size;
}

/* Bytes that fit before malloc says no; the list is kept in the blocks themselves. */
static size_t fill(struct link **list, uint64_t seed)
{
    size_t bytes = 0;
    for (;;) {
        size_t size = random_between(&seed, low, high);
        errno = 0;
        struct link *link = malloc(size);
        if (!link) {
            CHECK(errno == ENOMEM, "malloc(%zu) = NULL with errno %d", size, errno);
            return bytes;
        }
        CHECK(malloc_usable_size(link) >= size, "malloc(%zu) has %zu bytes", size, malloc_usable_size(link));
        link->next = *list;
        link->size = size;
        link->check = check_of(link);
        ((char *)link)[size - 1] = (char)size;
        *list = link;
        bytes += size;
    }
}

static void empty(struct link **list)
{
    while (*list) {
        struct link *link = *list;
        CHECK(link->check == check_of(link), "the block at %p is overwritten", (void *)link);
        CHECK(link->size == sizeof *link || ((char *)link)[link->size - 1] == (char)link->size,
              "the end of the block at %p is overwritten", (void *)link);
        *list = link->next;
        free(link);
    }
}

/* Other entry points at the limit: NULL and ENOMEM from each, and nothing is lost. */
static void others(size_t limit)
{
    void *p = malloc(64);
    CHECK(!p || malloc_usable_size(p) >= 64, "malloc(64)");
    errno = 0;
    CHECK(!calloc(1, limit) && errno == ENOMEM, "calloc(%zu): errno %d", limit, errno);
    errno = 0;
    CHECK(!realloc(p, limit) && errno == ENOMEM, "realloc(%zu): errno %d", limit, errno);
    errno = 0;
    CHECK(!memalign(4096, limit) && errno == ENOMEM, "memalign(%zu): errno %d", limit, errno);
    void *q = NULL;
    CHECK(posix_memalign(&q, 64, limit) == ENOMEM && !q, "posix_memalign(%zu)", limit);
    free(p);
}

/* Nothing is taken from outside of the arena, which a limit makes as small as it must be. */
static int arena_only(void)
{
    return config_says("on_full = \"fail\"");
}

static void *in_thread(void *with)
{
    struct link *list = NULL;
    size_t *bytes = with;
    *bytes = fill(&list, 3);
    empty(&list);
    return NULL;
}

int main(int argc, char **argv)
{
    size_t limit = argument(argc, argv, 1, 256) * MIB;
    if (!getenv("HZ3_CLIENT_LIMITED")) {
        struct rlimit with = {limit, limit};
        int kind = argc > 4 && strcmp(argv[4], "data") == 0 ? RLIMIT_DATA : RLIMIT_AS;
        CHECK(setenv("HZ3_CLIENT_LIMITED", "1", 1) == 0, "setenv: errno %d", errno);
        CHECK(setrlimit(kind, &with) == 0, "setrlimit: errno %d", errno);
        execv("/proc/self/exe", argv);
        CHECK(0, "execv: errno %d", errno);
    }
    client_start();
    low = argument(argc, argv, 2, 64);
    high = argument(argc, argv, 3, 4000);
    CHECK(low >= sizeof(struct link), "blocks hold a link");
    if (arena_only() && limit < 64 * MIB) { /* Hardly an arena at all: not even a thread's block may fit. */
        struct link *list = NULL;
        fill(&list, 1);
        empty(&list);
        return 0;
    }
    /* A thread of its own first: its stack must fit beside what the allocator reserves. */
    size_t in_first = 0, first = 0;
    join_thread(start_thread(in_thread, &in_first, 256 * KIB));
    for (int round = 0; round < 4; round++) {
        struct link *list = NULL;
        size_t bytes = fill(&list, (uint64_t)round);
        others(limit);
        empty(&list);
        if (round == 0)
            first = bytes;
        CHECK(bytes >= first - first / 4, "%zu MiB fit at first, %zu MiB in round %d", first / MIB, bytes / MIB, round);
    }
    printf("%zu MiB of %zu fit (%zu MiB in a thread)\n", first / MIB, limit / MIB, in_first / MIB);
    /* The bytes that were asked for: some configs round a half of these sizes up by a quarter. Of a small limit, the
     * program itself takes a good part. */
    size_t least = arena_only() ? 0 : hz3_variant() && limit >= 48 * MIB ? limit * 7 / 10 : limit / 3;
    CHECK(first >= least, "%zu MiB of %zu fit", first / MIB, limit / MIB);
    size_t in_last = 0;
    join_thread(start_thread(in_thread, &in_last, 256 * KIB));
    /* What one thread freed, another must be able to use; glibc keeps it in the first one's arena. */
    CHECK(!hz3_variant() || in_last >= first / 2, "%zu MiB fit in a last thread, %zu before", in_last / MIB, first / MIB);
    return 0;
}
