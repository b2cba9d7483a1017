/* Several threads fork at once, and others end and start, while all allocate. */
#include "client.h"

static size_t forks;

static void use_heap(uint64_t seed, size_t many)
{
    struct {
        void *p;
        size_t size;
    } held[50];
    while (many--) {
        for (size_t i = 0; i < COUNT(held); i++) {
            held[i].size = random_size(&seed);
            held[i].p = malloc(held[i].size);
            CHECK(held[i].p, "malloc(%zu)", held[i].size);
            fill_block(held[i].p, held[i].size, i);
        }
        for (size_t i = 0; i < COUNT(held); i++) {
            VERIFY(held[i].p, held[i].size, i);
            free(held[i].p);
        }
    }
}

static void *brief(void *with)
{
    use_heap((uint64_t)(uintptr_t)with, 1);
    return NULL;
}

static void *fork_often(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    for (size_t n = 0; n < forks; n++) {
        use_heap(me * 1000 + n, 1);
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: errno %d", errno);
        if (pid == 0) {
            use_heap(n, 2);
            join_thread(start_thread(brief, (void *)(uintptr_t)n, 0));
            _exit(0);
        }
        wait_for(pid);
    }
    return NULL;
}

static void *start_often(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    for (size_t n = 0; n < forks * 4; n++)
        join_thread(start_thread(brief, (void *)(uintptr_t)(me * 77 + n), 0));
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    forks = argument(argc, argv, 1, 40);
    pthread_t all[6];
    for (size_t i = 0; i < COUNT(all); i++)
        all[i] = start_thread(i < 4 ? fork_often : start_often, (void *)(uintptr_t)i, 0);
    for (size_t i = 0; i < COUNT(all); i++)
        join_thread(all[i]);
    return 0;
}
