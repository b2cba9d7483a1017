/* A thread that the allocator may start by itself, where the config asks for one: it is gone when it has to be, is not where it
 * must not be, and does what it is for. Argument: what is looked at. */
#include "client.h"

#include <dirent.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static size_t tasks(void)
{
    size_t found = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder, "/proc/self/task: errno %d", errno);
    for (struct dirent *entry; (entry = readdir(folder));)
        found += entry->d_name[0] != '.';
    closedir(folder);
    return found;
}

/* Memory that comes and goes, so that it is worth keeping; in the end the kernel could have 3 MB of it back. */
static void burst(void)
{
    static char *block[30];
    for (size_t i = 0; i < 200; i++) {
        char *p = malloc(100000);
        CHECK(p, "malloc");
        memset(p, 1, 100000);
        free(p);
    }
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT(block); i++) {
            block[i] = malloc(100000);
            CHECK(block[i], "malloc");
            memset(block[i], 1, 100000);
        }
        for (size_t i = 0; i < COUNT(block); i++)
            free(block[i]);
    }
}

static int has_helper(void)
{
    return config_says("idle = \"helper\"");
}

/* The program's last thread ends the process, as it would without the helper: what is registered for the end runs in it. */

static pid_t last;

static void at_end(void)
{
    CHECK(syscall(SYS_gettid) == last, "the process was ended by thread %ld, not by its last, %d", syscall(SYS_gettid),
          (int)last);
}

static void *end_last(void *with)
{
    last = (pid_t)syscall(SYS_gettid);
    pthread_join(*(pthread_t *)with, NULL);
    burst();
    return NULL;
}

static void end(void)
{
    static pthread_t first;
    first = pthread_self();
    CHECK(atexit(at_end) == 0, "atexit");
    burst();
    start_thread(end_last, &first, 0);
    pthread_exit(NULL);
}

/* malloc_trim ends it: the program may leave for a new user namespace, which only a process of one thread may. */
static void trim(void)
{
    size_t seen = 0;
    for (size_t i = 0; i < 100; i++) {
        burst();
        seen += tasks() > 1;
        malloc_trim(0);
        size_t now = tasks();
        /* The kernel may still be taking it out. */
        while (now > 1) {
            sched_yield();
            now = tasks();
        }
    }
    CHECK(has_helper() ? seen > 0 : seen == 0, "a second thread was seen %zu times", seen);
    int refused = unshare(CLONE_NEWUSER);
    CHECK(!refused || errno != EINVAL, "unshare finds more than one thread");
}

/* What is read stays in use: nothing is to be given back, and no thread needed for that. */
static void keep(void)
{
    static char *block[40000];
    for (size_t i = 0; i < COUNT(block); i++) {
        block[i] = malloc(1000);
        CHECK(block[i], "malloc");
        memset(block[i], 1, 1000);
    }
    for (size_t i = 0; i < COUNT(block); i += 2)
        free(block[i]);
    CHECK(tasks() == 1, "%zu threads", tasks());
}

/* Whoever asks for a thread or a process is killed from here on. */
static void filter(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 435 /* clone3 */, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, 0x80000000U /* SECCOMP_RET_KILL_PROCESS */),
    };
    struct sock_fprog program = {COUNT(rules), rules};
    free(malloc(100));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs: errno %d", errno);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp: errno %d", errno);
    for (size_t i = 0; i < 10; i++)
        burst();
}

/* At rest, memory goes back to the kernel; in the child of a fork, too. */

static void rest(void)
{
    burst();
    if (has_helper())
        while (hz3_stat("pages_dirty_bytes") > 256 * KIB)
            usleep(20000);
}

/* Memory that comes back shortly before the helper ends, as the process was at rest for a while, goes back, too. */
static void lull(void)
{
    static pid_t child[8];
    if (!has_helper())
        return;
    for (size_t i = 0; i < COUNT(child); i++) {
        child[i] = fork();
        CHECK(child[i] >= 0, "fork: errno %d", errno);
        if (child[i] == 0) {
            burst();
            usleep((useconds_t)(300 + 75 * i) * 1000);
            rest();
            exit(0);
        }
    }
    for (size_t i = 0; i < COUNT(child); i++)
        wait_for(child[i]);
}

static void idle(void)
{
    lull();
    rest();
    for (size_t i = 0; i < 3; i++) {
        burst();
        pid_t pid = fork();
        CHECK(pid >= 0, "fork: errno %d", errno);
        if (pid == 0) {
            rest();
            exit(0);
        }
        wait_for(pid);
    }
    rest();
}

/* A process that comes to act on behalf of somebody else has no thread left that acts for whom it was. */

static size_t strangers(gid_t group)
{
    size_t found = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder, "/proc/self/task: errno %d", errno);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[300], line[200];
        unsigned real, effective;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;
        while (status && fgets(line, sizeof line, status))
            if (sscanf(line, "Gid: %u %u", &real, &effective) == 2)
                found += effective != group;
        if (status)
            fclose(status);
    }
    closedir(folder);
    return found;
}

static void rights(void)
{
    burst();
    /* The call of the kernel, which changes this thread only: the C library changes the threads that it knows. */
    if (syscall(SYS_setresgid, (gid_t)-1, (gid_t)1234, (gid_t)-1) != 0)
        return;
    while (strangers(1234) > 0)
        burst();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*look)(void);
    } looks[] = {{"end", end}, {"trim", trim}, {"keep", keep}, {"filter", filter}, {"idle", idle}, {"rights", rights}};
    client_start();
    CHECK(argc > 1, "what?");
    for (size_t i = 0; i < COUNT(looks); i++)
        if (strcmp(argv[1], looks[i].name) == 0) {
            looks[i].look();
            return 0;
        }
    CHECK(0, "what is %s?", argv[1]);
}
