/* Objects of many sizes, of which one in twenty stays, at random: pages that none of these lies in go back to the kernel, also where
 * they lie between such that do. First argument: "trim", at once by malloc_trim, or "age", by what happens anyway. */
#include "client.h"

#include <sys/mman.h>

#define BYTES (24 * MIB)
#define LEAST 16
#define MOST 512
#define KEPT 20
#define OBJECTS (BYTES / ((LEAST + MOST) / 2))
/* Percent of such pages that have to go back. */
#define WANTED 90

static struct object {
    char *at;
    size_t size;
} * object;

/* Numbers of pages, sorted and without doubles. */
struct pages {
    size_t *number, count;
};

static struct pages touched, used;

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED, "mmap: errno %d", errno);
    return at;
}

static int by_number(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The pages of all objects that are there. */
static struct pages pages_of_objects(void)
{
    struct pages all = {map(2 * OBJECTS * sizeof(size_t)), 0};
    size_t count = 0;
    for (size_t i = 0; i < OBJECTS; i++)
        if (object[i].at) {
            all.number[count++] = (size_t)object[i].at / 4096;
            all.number[count++] = ((size_t)object[i].at + object[i].size - 1) / 4096;
        }
    qsort(all.number, count, sizeof(size_t), by_number);
    for (size_t i = 0; i < count; i++)
        if (all.count == 0 || all.number[all.count - 1] != all.number[i])
            all.number[all.count++] = all.number[i];
    return all;
}

/* Percent of the pages without objects that the kernel has. */
static size_t given_back(void)
{
    size_t without = 0, there = 0, at = 0;
    for (size_t i = 0; i < touched.count; i++) {
        unsigned char in_memory = 0;
        while (at < used.count && used.number[at] < touched.number[i])
            at++;
        if (at < used.count && used.number[at] == touched.number[i])
            continue;
        without++;
        if (mincore((void *)(touched.number[i] * 4096), 4096, &in_memory) == 0)
            there += in_memory & 1;
    }
    CHECK(without > touched.count / 5, "%zu pages, %zu without objects: the test shows nothing", touched.count, without);
    return (without - there) * 100 / without;
}

static void make(size_t i, uint64_t *state)
{
    object[i].size = random_between(state, LEAST, MOST);
    object[i].at = i % 2 ? malloc(object[i].size) : calloc(1, object[i].size);
    CHECK(object[i].at, "no memory");
    if (i % 2 == 0)
        for (size_t byte = 0; byte < object[i].size; byte++)
            CHECK(object[i].at[byte] == 0, "calloc gives what is not zero");
    fill_block(object[i].at, object[i].size, i);
}

/* What was freed is allocated anew, and all is as it was written. */
static void go_on(uint64_t *state)
{
    for (size_t i = 0; i < OBJECTS; i++)
        if (!object[i].at)
            make(i, state);
    for (size_t i = 0; i < OBJECTS; i++)
        VERIFY(object[i].at, object[i].size, i);
}

/* In a thread of its own, which keeps nothing when it has ended. */
static void *churn(void *with)
{
    uint64_t *state = with;
    for (size_t i = 0; i < OBJECTS; i++)
        make(i, state);
    touched = pages_of_objects();
    size_t *order = map(OBJECTS * sizeof *order);
    for (size_t i = 0; i < OBJECTS; i++) {
        size_t other = random_between(state, 0, i);
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < OBJECTS; i++)
        if (random_between(state, 1, KEPT) > 1) {
            free(object[order[i]].at);
            object[order[i]].at = NULL;
        }
    used = pages_of_objects();
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 1, "trim or age?");
    uint64_t state = 7;
    object = map(OBJECTS * sizeof *object);
    join_thread(start_thread(churn, &state, 0));
    if (strcmp(argv[1], "trim") == 0) {
        malloc_trim(0);
        CHECK(given_back() >= WANTED, "malloc_trim leaves %zu of 100 such pages", 100 - given_back());
    } else {
        /* Where a helper is there for a process at rest, it is at rest. */
        while (given_back() < WANTED) {
            for (size_t i = 0; i < 100 && !config_says("idle = \"helper\""); i++) {
                void *volatile p = malloc(50000);
                free(p);
            }
            usleep(10000);
        }
    }
    pid_t child = fork();
    CHECK(child >= 0, "fork: errno %d", errno);
    go_on(&state);
    if (child == 0)
        exit(0);
    wait_for(child);
    for (size_t i = 0; i < OBJECTS; i++)
        free(object[i].at);
    return 0;
}
