/* posix_spawn, system, popen and vfork from several threads, and children that end by every way out of a thread. */
#include "client.h"

#include <spawn.h>

extern char **environ;

static size_t rounds;

static void use_heap(uint64_t seed)
{
    void *held[60];
    for (size_t i = 0; i < COUNT(held); i++) {
        size_t size = random_size(&seed);
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu)", size);
        memset(held[i], 1, size);
    }
    for (size_t i = 0; i < COUNT(held); i++)
        free(held[i]);
}

static void spawn(void)
{
    static char program[] = "/bin/true";
    char *const arguments[] = {program, NULL};
    pid_t pid;
    int refused = posix_spawn(&pid, program, NULL, NULL, arguments, environ);
    CHECK(refused == 0, "posix_spawn: %s", strerror(refused));
    wait_for(pid);
}

static void pipe_open(void)
{
    char line[64] = "";
    FILE *stream = popen("echo through a pipe", "re");
    CHECK(stream, "popen: errno %d", errno);
    CHECK(fgets(line, sizeof line, stream) && strcmp(line, "through a pipe\n") == 0, "popen reads: %s", line);
    int status = pclose(stream);
    CHECK(status == 0, "pclose = %d", status);
}

/* The child's only thread is the one that forked; it may end as a thread, as a process, or by exec. */
static void fork_and_end(size_t way)
{
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        use_heap(way);
        switch (way % 3) {
        case 0: pthread_exit(NULL);
        case 1: exit(0);
        default: execl("/bin/true", "true", NULL); _exit(9);
        }
    }
    wait_for(pid);
}

static void *work(void *with)
{
    size_t me = (size_t)(uintptr_t)with;
    for (size_t i = 0; i < rounds; i++) {
        use_heap(me * 100 + i);
        switch ((me + i) % 4) {
        case 0: spawn(); break;
        case 1: pipe_open(); break;
        case 2: CHECK(system("exit 0") == 0, "system"); break;
        default: fork_and_end(me + i / 4);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    rounds = argument(argc, argv, 1, 24);
    pthread_t four[4];
    for (size_t i = 0; i < COUNT(four); i++)
        four[i] = start_thread(work, (void *)(uintptr_t)i, 0);
    for (size_t i = 0; i < COUNT(four); i++)
        join_thread(four[i]);
    for (size_t way = 0; way < 3; way++)
        fork_and_end(way);
    return 0;
}
