/* A decoder that warms its heap up, and then allows itself to read, write, map, unmap and exit only; every other call is
 * refused. It goes on as if nothing had happened: what the allocator asks for beyond that it can do without. */
#include "client.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void work(int rounds)
{
    enum { OBJECTS = 3000 };
    static char *p[OBJECTS];
    for (int r = 0; r < rounds; r++) {
        for (size_t i = 0; i < OBJECTS; i++) {
            size_t n = 10 + (i * 7919u + (size_t)r * 31u) % (i % 50 ? 3000 : 300000);
            p[i] = malloc(n);
            CHECK(p[i], "malloc(%zu)", n);
            memset(p[i], 1, n);
        }
        for (size_t i = 0; i < OBJECTS; i += 5) {
            p[i] = realloc(p[i], 4000);
            CHECK(p[i] && p[i][0] == 1, "realloc(4000)");
        }
        for (size_t i = 0; i < OBJECTS; i++)
            free(p[i]);
        char *big = malloc(9 * MIB);
        CHECK(big, "malloc(9 MiB)");
        big[1] = 1;
        big = realloc(big, 20 * MIB);
        CHECK(big && big[1] == 1, "realloc(20 MiB)");
        big[19 * MIB] = 1;
        big = realloc(big, 3 * MIB);
        CHECK(big && big[1] == 1, "realloc(3 MiB)");
        free(big);
        char *zero = calloc(1, 5 * MIB);
        CHECK(zero, "calloc(5 MiB)");
        for (size_t i = 0; i < 5 * MIB; i += 500)
            CHECK(zero[i] == 0, "calloc: byte %zu is %d", i, zero[i]);
        memset(zero, 1, 5 * MIB);
        free(zero);
    }
}

int main(void)
{
    client_start();
    static const unsigned ALLOWED[] = {SYS_read, SYS_write, SYS_mmap, SYS_munmap, SYS_brk, SYS_exit, SYS_exit_group};
    struct sock_filter filter[COUNT(ALLOWED) + 3];
    unsigned short n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(ALLOWED); i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ALLOWED[i], COUNT(ALLOWED) - i, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, filter};
    work(3);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS: errno %d", errno);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        puts("no filters here");
        return 0;
    }
    work(20);
    _exit(0);
}
