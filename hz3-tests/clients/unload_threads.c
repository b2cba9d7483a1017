/* A thread loads a library with an allocator of its own, uses it, unloads it, and ends; other threads have used it, too, and
 * end later. Arguments: the library's path, rounds. Nothing is left of it, and no address space. */
#include "plugin.h"

static const char *path;
static pthread_barrier_t used, closed;
static struct plugin shared;

static void *alone(void *unused)
{
    (void)unused;
    struct plugin plugin = open_plugin(path);
    use_plugin(&plugin);
    close_plugin(&plugin, path);
    return NULL;
}

/* Its objects go to the neighbour, so that what belongs to other owners is on its way. */
static unsigned char *handed[4][200];

static size_t size_of_block(size_t i)
{
    return 1 + i * i * 7 % 30000;
}

static void *guest(void *number)
{
    size_t me = (size_t)(uintptr_t)number, next = (me + 1) % COUNT(handed);
    use_plugin(&shared);
    for (size_t i = 0; i < COUNT(handed[me]); i++)
        handed[me][i] = shared.give(size_of_block(i));
    pthread_barrier_wait(&used);
    for (size_t i = 0; i < COUNT(handed[next]); i++)
        CHECK(shared.take(handed[next][i], size_of_block(i)), "a block of %zu bytes", size_of_block(i));
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return NULL;
}

static void together(void)
{
    pthread_t guests[COUNT(handed)];
    shared = open_plugin(path);
    use_plugin(&shared);
    for (size_t i = 0; i < COUNT(guests); i++)
        guests[i] = start_thread(guest, (void *)(uintptr_t)i, 0);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&used);
    close_plugin(&shared, path);
    pthread_barrier_wait(&closed);
    for (size_t i = 0; i < COUNT(guests); i++)
        join_thread(guests[i]);
}

static void round_of_all(size_t i)
{
    join_thread(start_thread(alone, NULL, 0));
    alone(NULL);
    if (i % 4 == 0)
        together();
    if (i % 16 == 0) {
        pid_t child = fork();
        if (child == 0) {
            round_of_all(1);
            exit(0);
        }
        wait_for(child);
    }
}

int main(int argc, char **argv)
{
    client_start();
    path = argv[1];
    size_t rounds = argument(argc, argv, 2, 200);
    pthread_barrier_init(&used, NULL, COUNT(handed) + 1);
    pthread_barrier_init(&closed, NULL, COUNT(handed) + 1);
    for (size_t i = 0; i < 20; i++)
        round_of_all(i);
    size_t space = process_kib(0), resident = resident_kib();
    for (size_t i = 0; i < rounds; i++)
        round_of_all(i);
    size_t space_after = process_kib(0), resident_after = resident_kib();
    CHECK(space_after <= space + 4 * KIB, "address space grew from %zu to %zu KiB", space, space_after);
    CHECK(resident_after <= resident + 4 * KIB, "resident grew from %zu to %zu KiB", resident, resident_after);
    return 0;
}
