/* The kernel refuses a call, at every place where the allocator makes one: whatever fails says ENOMEM, nothing is lost,
 * and once the kernel grants again what is asked for, everything can be had again.
 *
 * The program starts itself once for each call that there is (or each second, third, … one: its argument) and for each of some
 * numbers of calls that fail from there on, and traces what it started: a system call for memory that the allocator's library makes is counted, and refused if its
 * turn has come. (glibc's own malloc is no library of its own.) What the allocator asks of the C library, keys of threads,
 * is caught by functions of that name in this program, and counted apart. */
#include "client.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define VARIABLE "HZ3_CLIENT_REFUSE" /* "FROM TO": those calls of functions fail, counted from 0, until the client says otherwise. */
#define ENOUGH 0x48ab /* The number of a system call that does not exist: from now on nothing is refused. */
#define THREADS 3

int __pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

static unsigned long from, to, calls;

/* Before the C library has an environment, too. */
static void read_variable(void)
{
    static char text[1 << 16];
    long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC), used = 0, got;
    while ((got = syscall(SYS_read, file, text + used, sizeof text - 1 - (size_t)used)) > 0)
        used += got;
    syscall(SYS_close, file);
    for (char *at = text; at < text + used; at += strlen(at) + 1)
        if (strncmp(at, VARIABLE "=", sizeof VARIABLE) == 0) {
            char *end;
            from = strtoul(at + sizeof VARIABLE, &end, 10);
            to = strtoul(end, NULL, 10);
        }
}

static int refused(void)
{
    unsigned long n = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    if (n == 0)
        read_variable();
    return n >= from && n < __atomic_load_n(&to, __ATOMIC_RELAXED);
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    if (refused())
        return EAGAIN;
#ifdef __GLIBC__
    return __pthread_key_create(key, destructor);
#else
    static union {
        void *symbol;
        int (*call)(pthread_key_t *, void (*)(void *));
    } real;
    if (!real.symbol)
        real.symbol = dlsym(RTLD_NEXT, "pthread_key_create");
    return real.call(key, destructor);
#endif
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    static union {
        void *symbol;
        int (*call)(pthread_key_t, const void *);
    } real;
    if (refused())
        return ENOMEM;
    if (!real.symbol)
        real.symbol = dlsym(RTLD_NEXT, "pthread_setspecific");
    return real.call(key, value);
}

/* ---- who refuses ---- */

/* Where the allocator's code lies in the traced process; none so far. */
static struct {
    pid_t process;
    uintptr_t from, to;
} code;

/* Whether an instruction is the allocator's. */
static int is_ours(pid_t process, uintptr_t at)
{
    if (code.process != process) {
        char path[40], line[512];
        snprintf(path, sizeof path, "/proc/%d/maps", process);
        FILE *maps = fopen(path, "r");
        CHECK(maps, "%s: errno %d", path, errno);
        while (fgets(line, sizeof line, maps)) {
            unsigned long start, end;
            char access[5];
            if (strstr(line, "/libhz3_") && sscanf(line, "%lx-%lx %4s", &start, &end, access) == 3 && access[2] == 'x') {
                code.process = process;
                code.from = start;
                code.to = end;
            }
        }
        fclose(maps);
    }
    return code.process == process && at >= code.from && at < code.to;
}

/* Stops this process for its tracer at each call for memory, and at the call that ends all refusals. */
static void stop_at_calls(void)
{
    static const unsigned NUMBERS[] = {SYS_mmap, SYS_mprotect, SYS_madvise, SYS_mremap, ENOUGH};
    struct sock_filter filter[2 * COUNT(NUMBERS) + 2];
    unsigned short n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(NUMBERS); i++) {
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NUMBERS[i], 0, 1);
        filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(4);
}

/* What a process did. */
struct traced {
    size_t made;
    int status;
};

/* Runs a process that stopped at its start, and refuses it the calls `first..first + width`. */
static struct traced trace(pid_t process, size_t first, size_t width)
{
    struct traced out = {0};
    int refusing = 1, status = 0;
    CHECK(waitpid(process, &status, 0) == process && WIFSTOPPED(status), "it did not stop: status %d", status);
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    CHECK(ptrace(PTRACE_SETOPTIONS, process, 0, options) == 0, "PTRACE_SETOPTIONS: errno %d", errno);
    pid_t thread = process;
    for (long signal = 0;;) {
        ptrace(PTRACE_CONT, thread, 0, signal);
        thread = waitpid(-1, &status, __WALL);
        CHECK(thread > 0, "waitpid: errno %d", errno);
        signal = 0;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            out.status = status;
            if (thread == process)
                return out;
            continue;
        }
        if (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
            signal = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
            continue;
        }
        struct user_regs_struct at;
        if (!refusing || ptrace(PTRACE_GETREGS, thread, 0, &at))
            continue;
        if (at.orig_rax == ENOUGH) {
            refusing = 0;
        } else if (is_ours(process, at.rip)) {
            size_t n = out.made++;
            if (n < first || n - first >= width)
                continue;
            /* No call, and this as its result. */
            at.orig_rax = (unsigned long long)-1;
            at.rax = (unsigned long long)-ENOMEM;
            ptrace(PTRACE_SETREGS, thread, 0, &at);
        }
    }
}

/* ---- what a program does ---- */

struct held {
    uint8_t *p;
    size_t size;
};

struct share {
    struct held held[700];
    size_t count, failed;
    uint64_t seed;
};

static struct share mine, theirs[THREADS];

static const size_t SIZES[] = {1,    16,    24,    48,    100,   200,   333,    500,    777,    1000,    1500,   2000,   2048,
                               3000, 4000,  4096,  5000,  7000,  9000,  12000,  16000,  20000,  27000,   32768,  32769,  50000,
                               70000, 100000, 200000, 300000, 600000, 1200000, 2097152};

static void keep(struct share *share, void *p, size_t size)
{
    if (!p) {
        share->failed++;
        return;
    }
    CHECK(share->count < COUNT(share->held), "more objects than the client can hold");
    share->held[share->count++] = (struct held){p, size};
    fill_block(p, size, share->seed);
}

static void drop(struct share *share, size_t n)
{
    struct held *held = &share->held[n];
    VERIFY(held->p, held->size, share->seed);
    errno = 77;
    free(held->p);
    CHECK(errno == 77, "free changed errno to %d", errno);
    *held = share->held[--share->count];
}

static void drop_all(struct share *share)
{
    while (share->count)
        drop(share, share->count - 1);
}

static void is_refusal(const void *p, const char *what, size_t size)
{
    CHECK(p || errno == ENOMEM, "%s of %zu bytes = NULL with errno %d", what, size, errno);
}

static void resize(struct share *share, size_t n, size_t size)
{
    struct held *held = &share->held[n];
    uint64_t key = pattern_key(held->p, held->size, share->seed);
    size_t had = held->size, both = had < size ? had : size;
    errno = 0;
    uint8_t *p = realloc(held->p, size);
    is_refusal(p, "realloc", size);
    if (!p) { /* The old object is as it was. */
        share->failed++;
        VERIFY(held->p, had, share->seed);
        return;
    }
    if (both == had || both <= DENSE / 2)
        verify_key(p, had, both < 1024 ? both : 1024, key, __FILE__, __LINE__);
    *held = (struct held){p, size};
    fill_block(p, size, share->seed);
}

/* Every entry point with every size, and frees in between. Large ones are few. */
static void work(struct share *share, size_t largest)
{
    for (size_t i = 0; i < COUNT(SIZES) && SIZES[i] <= largest; i++) {
        size_t size = SIZES[i], many = size <= 4096 ? 8 : 1;
        for (size_t k = 0; k < many; k++) {
            errno = 0;
            void *p = malloc(size);
            is_refusal(p, "malloc", size);
            keep(share, p, size);
        }
        errno = 0;
        uint8_t *zero = calloc(1, size);
        is_refusal(zero, "calloc", size);
        for (size_t k = 0; zero && k < size; k += k < 4096 ? 1 : 511)
            CHECK(zero[k] == 0, "calloc(%zu): byte %zu is %d", size, k, zero[k]);
        keep(share, zero, size);
        size_t align = (size_t)32 << i % 10;
        void *aligned = (void *)(uintptr_t)1;
        int refusal = posix_memalign(&aligned, align, size);
        CHECK(refusal == 0 ? (uintptr_t)aligned % align == 0 : refusal == ENOMEM && aligned == (void *)(uintptr_t)1,
              "posix_memalign(%zu, %zu) = %d with %p", align, size, refusal, aligned);
        keep(share, refusal ? NULL : aligned, size);
        if (i % 5 == 0) {
            errno = 0;
            void *coarse = memalign((size_t)1 << (13 + i % 10), size);
            is_refusal(coarse, "memalign", size);
            keep(share, coarse, size);
        }
        if (share->count > 2 && i % 2)
            resize(share, share->count - 2, size * 3);
        if (share->count > 3 && i % 3 == 0)
            resize(share, share->count - 3, size / 2 + 1);
        if (share->count > 20 && i % 3 == 1)
            for (size_t k = 0; k < 10; k++)
                drop(share, (share->seed + k * 7) % share->count);
    }
    /* One object of many segments that grows and shrinks. */
    if (largest > MIB) {
        errno = 0;
        void *huge = malloc(3 * MIB);
        is_refusal(huge, "malloc", 3 * MIB);
        keep(share, huge, 3 * MIB);
        if (huge) {
            resize(share, share->count - 1, 7 * MIB);
            resize(share, share->count - 1, 13 * MIB);
            resize(share, share->count - 1, 5 * MIB);
        }
        malloc_trim(0);
    }
}

static void *in_thread(void *with)
{
    work(with, 40000);
    return NULL;
}

/* Objects of threads that have ended are freed here. Returns how many requests were refused. */
static size_t session(uint64_t seed)
{
    pthread_t thread[THREADS];
    int runs[THREADS];
    size_t failed = 0;
    mine = (struct share){.seed = seed};
    work(&mine, SIZES[COUNT(SIZES) - 1]);
    for (size_t i = 0; i < THREADS; i++) {
        theirs[i] = (struct share){.seed = seed + i + 1};
        /* What the C library needs for a thread is the allocator's, too. */
        int refusal = pthread_create(&thread[i], NULL, in_thread, &theirs[i]);
        runs[i] = refusal == 0;
        CHECK(runs[i] || refusal == EAGAIN || refusal == ENOMEM, "pthread_create: %s", strerror(refusal));
        failed += !runs[i];
    }
    for (size_t i = 0; i < THREADS; i++) {
        if (runs[i])
            join_thread(thread[i]);
        failed += theirs[i].failed;
        drop_all(&theirs[i]);
    }
    drop_all(&mine);
    return failed + mine.failed;
}

/* Whether what was refused when the process started is gone for good: there is no other place for memory. */
static int for_ever(void)
{
    return config_says("on_full = \"fail\"") && hz3_stat("reserved_bytes") < 128 * MIB;
}

static int refused_from_here(int out)
{
    client_start();
    size_t failed = session(1);
    unsigned long made = __atomic_load_n(&calls, __ATOMIC_RELAXED);
    __atomic_store_n(&to, 0, __ATOMIC_RELAXED);
    syscall(ENOUGH);
    size_t still = session(100);
    CHECK(still == 0 || for_ever(), "%zu requests fail though nothing is refused any more", still);
    malloc_trim(0);
    size_t taken = hz3_stat("taken_bytes"), two = 2 * segment_bytes();
    CHECK(taken <= (two > 24 * MIB ? two : 24 * MIB), "%zu KiB are taken, and nothing is live", taken / KIB);
    size_t result[2] = {made, failed};
    CHECK(write(out, result, sizeof result) == (ssize_t)sizeof result, "write");
    return 0;
}

/* Which calls are refused. */
enum kind { OF_THE_KERNEL, OF_FUNCTIONS };

/* Starts this program with the calls `first..first + width` refused. Returns the calls that it made. */
static size_t start(char **argv, enum kind kind, size_t first, size_t width, size_t *failed)
{
    int ends[2];
    char variable[80], number[16];
    CHECK(pipe(ends) == 0, "pipe: errno %d", errno);
    snprintf(variable, sizeof variable, "%zu %zu", first, kind == OF_FUNCTIONS ? first + width : first);
    snprintf(number, sizeof number, "%d", ends[1]);
    pid_t child = fork();
    CHECK(child >= 0, "fork: errno %d", errno);
    if (child == 0) {
        setenv(VARIABLE, variable, 1);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        stop_at_calls();
        execl("/proc/self/exe", argv[0], number, (char *)NULL);
        _exit(3);
    }
    close(ends[1]);
    struct traced traced = trace(child, first, kind == OF_THE_KERNEL ? width : 0);
    int status = traced.status;
    size_t result[2] = {0, 0};
    ssize_t got = read(ends[0], result, sizeof result);
    close(ends[0]);
    /* A table of tags over the whole address space is the one thing without which the process ends, and says so. */
    if (kind == OF_THE_KERNEL && first == 0 && WIFSIGNALED(status) && config_says("space = \"flat\"")) {
        CHECK(WTERMSIG(status) == SIGABRT, "without its table it ended with %d", status);
        return 1;
    }
    CHECK(got == (ssize_t)sizeof result && WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "with %zu calls of %s refused from call %zu on: %s %d", width, kind == OF_THE_KERNEL ? "the kernel" : "functions",
          first, WIFSIGNALED(status) ? "signal" : "exit code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    *failed += result[1];
    return kind == OF_THE_KERNEL ? traced.made : result[0];
}

int main(int argc, char **argv)
{
    if (getenv(VARIABLE))
        return refused_from_here((int)argument(argc, argv, 1, 1));
    client_start();
    size_t step = argument(argc, argv, 1, 1);
    static const size_t WIDTHS[] = {1, 5, 1000000000};
    for (enum kind kind = OF_THE_KERNEL; kind <= OF_FUNCTIONS; kind++)
        for (size_t w = 0; w < COUNT(WIDTHS); w++) {
            /* Each width begins at another call. */
            size_t n = w % step, failed = 0;
            while (n <= start(argv, kind, n, WIDTHS[w], &failed))
                n += step;
            printf("%zu calls, %zu refused from each on: %zu requests failed in all\n", n, WIDTHS[w], failed);
            CHECK(n > (kind == OF_THE_KERNEL ? 20 : 3), "the session made %zu calls only: they are not caught", n);
            CHECK(failed > 0 || kind == OF_FUNCTIONS || w + 1 < COUNT(WIDTHS), "nothing failed though everything was refused");
        }
    return 0;
}
