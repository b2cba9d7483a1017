/* A pointer that is nobody's is freed before anything was allocated; and the first pointer of the C library's that is freed
 * is freed while another thread holds the loader's lock and waits. Argument: the library's path. */
#include "client.h"

#include <signal.h>

static void before_all_else(void)
{
    static char fixed[32] __attribute__((aligned(32)));
    pid_t child = fork();
    if (child == 0) {
        free(fixed + 8);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it ended with %x", status);
}

int main(int argc, char **argv)
{
    if (hz3_variant())
        before_all_else();
    client_start();
    CHECK(argc > 1, "which library?");
    void *library = dlopen(argv[1], RTLD_NOW);
    CHECK(library, "dlopen: %s", dlerror());
    CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
    return 0;
}
