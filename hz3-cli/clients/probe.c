/* The client that `hz3 count` steps through.
 *
 *   probe OPS SIZES CALLS WARM BURST LIVE THREADS
 *
 * Before each call to be measured it executes `int3` with the call's description in registers; the tracer then
 * steps from the called function's first instruction to its return. (On other machines it calls a function, see below.) Function pointers come from the dynamic linker
 * (a GOT entry or a data relocation, never a PLT stub of ours), so that what is stepped is what the program got.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

enum { OP_MALLOC = 1, OP_FREE, OP_CALLOC, OP_REALLOC, OP_GROW, OP_ALIGNED };

static const char *const op_names[] = { "", "malloc", "free", "calloc", "realloc", "grow", "aligned" };

static void *(*volatile f_malloc)(size_t) = malloc;
static void (*volatile f_free)(void *) = free;
static void *(*volatile f_calloc)(size_t, size_t) = calloc;
static void *(*volatile f_realloc)(void *, size_t) = realloc;
static void *(*volatile f_aligned)(size_t, size_t) = aligned_alloc;

#define MAX_BURST 4096
#define MAX_LIVE 4096
static void *ring[MAX_LIVE];
static void *objects[MAX_BURST];

/* Tells the tracer: the next entry of `function` is call number `n` of `op` at `size`. Elsewhere an emulator's log tells it, where this
 * function's name stands before what is called next. */
#if defined(__x86_64__)
static inline void announce(int op, size_t size, const void *function)
{
    __asm__ volatile("int3" : : "a"(0x687a33), "D"((long)op), "S"(size), "d"(function) : "memory");
}
#else
__attribute__((noinline)) void announced(void)
{
    __asm__ volatile("" : : : "memory");
}
static inline void announce(int op, size_t size, const void *function)
{
    (void)op, (void)size, (void)function;
    announced();
}
#endif

static void touch(void *p, size_t size)
{
    if (!p) {
        fprintf(stderr, "probe: out of memory at %zu bytes\n", size);
        exit(1);
    }
    ((volatile char *)p)[0] = 1;
    ((volatile char *)p)[size - 1] = 1;
}

/* One call of `op`, announced if `stepped`; leaves one more object in `*out`, except for OP_FREE. */
static void one(int op, size_t size, int stepped, void **out)
{
    void *p;
    switch (op) {
    case OP_MALLOC:
        if (stepped)
            announce(op, size, (const void *)f_malloc);
        p = f_malloc(size);
        break;
    case OP_CALLOC:
        if (stepped)
            announce(op, size, (const void *)f_calloc);
        p = f_calloc(1, size);
        break;
    case OP_REALLOC:
    case OP_GROW:
        p = f_malloc(size);
        touch(p, size);
        if (op == OP_GROW)
            size *= 2;
        if (stepped)
            announce(op, size, (const void *)f_realloc);
        p = f_realloc(p, size);
        break;
    case OP_ALIGNED:
        if (stepped)
            announce(op, size, (const void *)f_aligned);
        p = f_aligned(64, (size + 63) & ~(size_t)63);
        break;
    default: /* OP_FREE: the allocation is only the preparation */
        p = f_malloc(size);
        break;
    }
    touch(p, size);
    *out = p;
}

static void burst_of(int op, size_t size, int burst, int stepped)
{
    for (int i = 0; i < burst; i++)
        one(op, size, stepped, &objects[i]);
    for (int i = 0; i < burst; i++) {
        memset(objects[i], 0xa5, size); /* a later calloc must find dirt */
        if (op == OP_FREE && stepped)
            announce(op, size, (const void *)f_free);
        f_free(objects[i]);
    }
}

static void measure(int op, size_t size, int calls, int warm, int burst, int live)
{
    for (int i = 0; i < live; i++)
        touch(ring[i] = f_malloc(size), size);
    for (int round = 0; round < warm; round++) {
        /* Replace the live objects one by one, then several at once: every layer gets to see traffic. */
        for (int i = 0; i < live; i++) {
            f_free(ring[i]);
            touch(ring[i] = f_malloc(size), size);
        }
        burst_of(op, size, burst, 0);
    }
    for (int done = 0; done < calls; done += burst)
        burst_of(op, size, burst, 1);
    for (int i = 0; i < live; i++)
        f_free(ring[i]);
}

static void *idle(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

static int op_of(const char *name)
{
    for (int i = 1; i < (int)(sizeof op_names / sizeof *op_names); i++)
        if (!strcmp(name, op_names[i]))
            return i;
    fprintf(stderr, "probe: unknown operation %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: probe OPS SIZES CALLS WARM BURST LIVE THREADS\n");
        return 2;
    }
    int calls = atoi(argv[3]), warm = atoi(argv[4]), burst = atoi(argv[5]), live = atoi(argv[6]);
    int threads = atoi(argv[7]);
    if (burst < 1 || burst > MAX_BURST || live < 0 || live > MAX_LIVE)
        return 2;
    for (int i = 0; i < threads; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, idle, NULL))
            return 1;
    }
#if defined(__x86_64__)
    if (ptrace(PTRACE_TRACEME, 0, 0, 0)) {
        perror("probe: ptrace");
        return 3;
    }
    raise(SIGSTOP);
#endif
    char *ops = argv[1], *op_end;
    for (char *op = strtok_r(ops, ",", &op_end); op; op = strtok_r(NULL, ",", &op_end)) {
        char sizes[4096], *size_end;
        snprintf(sizes, sizeof sizes, "%s", argv[2]);
        for (char *s = strtok_r(sizes, ",", &size_end); s; s = strtok_r(NULL, ",", &size_end))
            measure(op_of(op), strtoul(s, NULL, 10), calls, warm, burst, live);
    }
    return 0;
}
