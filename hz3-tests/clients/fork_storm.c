/* Forks, one after another, while other threads allocate: each child uses its heap fully, and nobody hangs. */
#include "client.h"

#include <stdatomic.h>

#define PARENT_OBJECTS 600

static atomic_int stop;
static struct {
    void *p;
    size_t size;
} table[PARENT_OBJECTS];

static void *allocate_for_ever(void *with)
{
    uint64_t state = (uint64_t)(uintptr_t)with;
    void *held[64];
    memset(held, 0, sizeof held);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        size_t i = random_between(&state, 0, COUNT(held) - 1);
        free(held[i]);
        held[i] = malloc(random_size(&state));
        CHECK(held[i], "malloc");
        *(char *)held[i] = 1;
    }
    for (size_t i = 0; i < COUNT(held); i++)
        free(held[i]);
    return NULL;
}

static void *allocate_some(void *with)
{
    uint64_t state = (uint64_t)(uintptr_t)with;
    struct {
        void *p;
        size_t size;
    } held[100];
    for (size_t i = 0; i < COUNT(held); i++) {
        held[i].size = random_size(&state);
        held[i].p = malloc(held[i].size);
        CHECK(held[i].p, "malloc(%zu) in a child", held[i].size);
        fill_block(held[i].p, held[i].size, i);
    }
    for (size_t i = 0; i < COUNT(held); i++) {
        VERIFY(held[i].p, held[i].size, i);
        free(held[i].p);
    }
    return NULL;
}

static void child(size_t number)
{
    allocate_some((void *)(uintptr_t)(number * 31 + 7));
    for (size_t i = 0; i < PARENT_OBJECTS; i++) { /* The parent's objects are the child's too. */
        VERIFY(table[i].p, table[i].size, i);
        free(table[i].p);
    }
    pthread_t one = start_thread(allocate_some, (void *)(uintptr_t)number, 0);
    pthread_t two = start_thread(allocate_some, (void *)(uintptr_t)(number + 1), 0);
    allocate_some((void *)(uintptr_t)(number + 2));
    join_thread(one);
    join_thread(two);
    if (number % 4 == 0) { /* Nested. */
        pid_t inner = fork();
        CHECK(inner >= 0, "fork in a child: errno %d", errno);
        if (inner == 0) {
            allocate_some((void *)(uintptr_t)(number + 3));
            _exit(0);
        }
        wait_for(inner);
    }
    if (number % 2)
        exit(0);
    _exit(0);
}

int main(int argc, char **argv)
{
    client_start();
    size_t forks = argument(argc, argv, 1, 120);
    uint64_t state = 99;
    pthread_t busy[3];
    for (size_t i = 0; i < COUNT(busy); i++)
        busy[i] = start_thread(allocate_for_ever, (void *)(uintptr_t)(i + 1), 0);
    for (size_t n = 0; n < forks; n++) {
        for (size_t i = 0; i < PARENT_OBJECTS; i++) {
            table[i].size = i % 100 == 0 ? random_size(&state) : random_between(&state, 1, 2000);
            table[i].p = malloc(table[i].size);
            CHECK(table[i].p, "malloc(%zu)", table[i].size);
            fill_block(table[i].p, table[i].size, i);
        }
        pid_t pid = fork();
        CHECK(pid >= 0, "fork %zu: errno %d", n, errno);
        if (pid == 0)
            child(n);
        for (size_t i = 0; i < PARENT_OBJECTS; i++) {
            VERIFY(table[i].p, table[i].size, i);
            free(table[i].p);
        }
        wait_for(pid);
    }
    atomic_store(&stop, 1);
    for (size_t i = 0; i < COUNT(busy); i++)
        join_thread(busy[i]);
    return 0;
}
