/* A pointer that is nobody's is freed before anything was allocated; and the first pointer of the C library's that is resized
 * and freed is so while another thread holds the loader's lock and waits: it is served, or, where the config wants no such pointers,
 * refused. Argument: the library's path. */
#include "client.h"

#include <signal.h>

/* What must end with an abort. */
static void refused(void (*act)(const char *), const char *with)
{
    pid_t child = fork();
    if (child == 0) {
        act(with);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it ended with %x", status);
}

static void free_nobodys(const char *unused)
{
    static char fixed[32] __attribute__((aligned(32)));
    free(unused ? NULL : fixed + 8);
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    CHECK(library, "dlopen: %s", dlerror());
    CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
}

int main(int argc, char **argv)
{
    if (hz3_variant())
        refused(free_nobodys, NULL);
    client_start();
    CHECK(argc > 1, "which library?");
    if (config_says("foreign = \"abort\""))
        refused(load, argv[1]);
    else
        load(argv[1]);
    return 0;
}
