/* Under a kernel whose pages are larger than those that the library was built for, a process ends with a message at its first
 * allocation. The kernel's word is that of a library here, which is preloaded, too. Argument: that library. */
#include "client.h"

#include <signal.h>

/* Starts this program anew under pages of so many bytes, and returns how it ended; `said` is what it wrote. */
static int under_pages_of(const char *bytes, const char *plugin, char *said, size_t room)
{
    char preload[8192];
    const char *others = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s %s", plugin, others ? others : "");
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe: errno %d", errno);
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        static char program[] = "/proc/self/exe";
        char *arguments[] = {program, NULL};
        if (setenv("HZ3_TEST_PAGE", bytes, 1) || setenv("LD_PRELOAD", preload, 1) || dup2(ends[1], 2) < 0)
            _exit(8);
        execv(program, arguments);
        _exit(9);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while (used < room - 1 && (got = read(ends[0], said + used, room - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = 0;
    close(ends[0]);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid: errno %d", errno);
    return status;
}

int main(int argc, char **argv)
{
    if (getenv("HZ3_TEST_PAGE")) {
        free(malloc(1000));
        return 0;
    }
    client_start();
    CHECK(argc > 1, "no library is named");
    static const struct {
        const char *bytes, *says;
    } larger[] = {{"16384", "16 KiB"}, {"65536", "64 KiB"}, {"2097152", "larger"}};
    char said[4096];
    int status = under_pages_of("4096", argv[1], said, sizeof said);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "pages of 4096 bytes: status %#x, %s", status, said);
    for (size_t i = 0; i < COUNT(larger); i++) {
        status = under_pages_of(larger[i].bytes, argv[1], said, sizeof said);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "pages of %s bytes: status %#x, %s", larger[i].bytes,
              status, said);
        CHECK(strstr(said, "built for pages of 4 KiB") && strstr(said, larger[i].says), "pages of %s bytes: %s",
              larger[i].bytes, said);
    }
    return 0;
}
