/* Several libraries, each with an allocator of its own, in one process: all serve threads at once, and each goes by itself while the
 * others serve on. Arguments: the libraries' paths. */
#include "plugin.h"

#define MOST 8
#define BLOCKS 100

static struct plugin plugins[MOST];
static size_t many;
static pthread_barrier_t step;

static size_t size_of_block(size_t i)
{
    return 1 + i * i * 13 % 40000;
}

/* Has blocks of all libraries at once, and of each one that is left, those of the last to go longest. */
static void *guest(void *unused)
{
    (void)unused;
    static _Thread_local unsigned char *blocks[MOST][BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t n = 0; n < many; n++)
            blocks[n][i] = plugins[n].give(size_of_block(i + n));
    for (size_t gone = 0; gone < many; gone++) {
        for (size_t i = 0; i < BLOCKS; i++)
            CHECK(plugins[gone].take(blocks[gone][i], size_of_block(i + gone)), "block %zu of library %zu", i, gone);
        pthread_barrier_wait(&step);
        /* The host closes it. */
        pthread_barrier_wait(&step);
        for (size_t n = gone + 1; n < many; n++)
            use_plugin(&plugins[n]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    many = (size_t)argc - 1;
    CHECK(many >= 2 && many <= MOST, "two to %d libraries", MOST);
    for (int round = 0; round < 3; round++) {
        pthread_t guests[3];
        pthread_barrier_init(&step, NULL, COUNT(guests) + 1);
        for (size_t n = 0; n < many; n++)
            plugins[n] = open_plugin(argv[1 + n]);
        for (size_t i = 0; i < COUNT(guests); i++)
            guests[i] = start_thread(guest, NULL, 0);
        for (size_t n = 0; n < many; n++) {
            pthread_barrier_wait(&step);
            close_plugin(&plugins[n], argv[1 + n]);
            pthread_barrier_wait(&step);
        }
        for (size_t i = 0; i < COUNT(guests); i++)
            join_thread(guests[i]);
        pthread_barrier_destroy(&step);
    }
    return 0;
}
