/* The kernel takes no page back, as of memory that is locked: what is allocated anew is zero where it has to be, all the same. */
#include "client.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BYTES (12 * MIB)
#define MOST 8000
#define OBJECTS (BYTES / (MOST / 2))
#define ROUNDS 4
/* One in so many stays at last, so that no segment is free as a whole. */
#define HOLDS 400

static struct object {
    uint8_t *at;
    size_t size;
} object[OBJECTS];

static const size_t LARGE[] = {33000, 36864, 50000, 100000, 300000, 1 * MIB, 3 * MIB};

/* From now on each `madvise` of this process is refused. */
static void refuse_madvise(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(filter), filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges: errno %d", errno);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp: errno %d", errno);
}

static uint8_t *zeroed(size_t size)
{
    uint8_t *at = calloc(1, size);
    CHECK(at, "no memory for %zu bytes", size);
    for (size_t byte = 0; byte < size; byte++)
        CHECK(at[byte] == 0, "byte %zu of calloc(1, %zu) is %d", byte, size, at[byte]);
    return at;
}

static void fill(size_t from, uint64_t *state)
{
    for (size_t i = from; i < OBJECTS; i++)
        if (!object[i].at) {
            object[i].size = random_between(state, 1, MOST);
            object[i].at = i % 2 ? malloc(object[i].size) : zeroed(object[i].size);
            CHECK(object[i].at, "no memory");
            fill_block(object[i].at, object[i].size, i);
        }
}

/* One in so many stays while pages are given back: more of those that were made first. */
static size_t kept(size_t i)
{
    return 8 + i * 32 / OBJECTS;
}

static size_t held(size_t i)
{
    (void)i;
    return HOLDS;
}

static size_t none(size_t i)
{
    return i + 2;
}

/* Frees all but one in as many as `one_in` says. */
static void leave(size_t (*one_in)(size_t))
{
    for (size_t i = 0; i < OBJECTS; i++)
        if (object[i].at && (i + 1) % one_in(i)) {
            VERIFY(object[i].at, object[i].size, i);
            free(object[i].at);
            object[i].at = NULL;
        }
}

/* Objects of pages where runs of small objects were, some at a time. */
static void large(void)
{
    uint8_t *taken[40 * COUNT(LARGE)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(LARGE); i++)
        for (size_t bytes = 0, k = 0; bytes < BYTES / COUNT(LARGE) && k < 40; bytes += LARGE[i], k++) {
            taken[count] = zeroed(LARGE[i]);
            memset(taken[count++], 165, LARGE[i]);
        }
    while (count)
        free(taken[--count]);
}

/* In a thread of its own, which keeps nothing when it has ended. */
static void *churn(void *with)
{
    fill(0, with);
    leave(kept);
    return NULL;
}

int main(void)
{
    client_start();
    refuse_madvise();
    uint64_t state = 11;
    for (size_t round = 0; round < ROUNDS; round++) {
        join_thread(start_thread(churn, &state, 0));
        malloc_trim(0);
        /* Every other time something is allocated where pages were refused. */
        if (round % 2)
            fill(OBJECTS / 2, &state);
        leave(held);
        malloc_trim(0);
        large();
    }
    leave(none);
    return 0;
}
