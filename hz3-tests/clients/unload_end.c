/* The process ends while threads use a library with an allocator of its own, or while it is being closed. Arguments: the
 * library's path, and what happens: `exit` or `close-at-exit`. (The library may be there since the start, too.) */
#include "plugin.h"

static struct plugin plugin;

static void *goes_on(void *unused)
{
    (void)unused;
    for (;;)
        use_plugin(&plugin);
    return NULL;
}

static void *waits(void *barrier)
{
    use_plugin(&plugin);
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return NULL;
}

static pthread_barrier_t barrier;
static pthread_t waiting;

/* As a static destructor does: the library goes first, then threads that have used it. */
static void close_then_join(void)
{
    CHECK(dlclose(plugin.handle) == 0, "dlclose: %s", dlerror());
    pthread_barrier_wait(&barrier);
    join_thread(waiting);
}

/* Called after what a library has registered for the end. */
static void use_once_more(void)
{
    use_plugin(&plugin);
}

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 2, "which library, and what happens?");
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (!strcmp(argv[2], "close-at-exit")) {
                atexit(close_then_join);
                plugin = open_plugin(argv[1]);
                waiting = start_thread(waits, &barrier, 0);
                pthread_barrier_wait(&barrier);
                exit(0);
            }
            atexit(use_once_more);
            plugin = open_plugin(argv[1]);
            for (int threads = 0; threads < 3; threads++)
                start_thread(goes_on, NULL, 0);
            use_plugin(&plugin);
            usleep((useconds_t)i * 300);
            exit(0);
        }
        wait_for(child);
    }
    return 0;
}
