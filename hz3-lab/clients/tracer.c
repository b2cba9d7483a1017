/* The recording shim: LD_PRELOAD=libtracer.so HZ3_TRACE_DIR=dir command ...
 *
 * Each process of the command writes dir/PID.raw: a header, then one event of 16 bytes for each call, in the order of
 * their effects. The file is a shared mapping of a fixed size, so that memory is bounded, nothing is lost when a
 * process ends by _exit or a signal, and recording makes a system call a megabyte only. Events beyond the limit, or for
 * which the disk has no room, are only counted; a file dir/full tells of the latter.
 *
 * The order is exact where it matters: an allocation is recorded after it was made, a free before it is done, and
 * realloc holds the lock while it runs; so no address is recorded as taken before it was recorded as given back.
 * Allocation itself is the C library's: __libc_malloc and its siblings. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { MALLOC = 1, FREE, REALLOC_OLD, REALLOC_NEW, CALLOC, MEMALIGN, TICK = 8 };

struct event {
	uint64_t who;  /* bits 0-47 address (of a tick: microseconds of CPU time), 48-59 thread, 60-63 kind */
	uint64_t what; /* bits 0-47 bytes, 56-63 log2 of the alignment; of a tick the milliseconds since the start */
};
struct header {
	char magic[8];
	uint64_t limit, count, dropped, threads, pid, parent, clock;
	char command[448];
};

static struct header *head;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static uint16_t threads;
static __thread __attribute__((tls_model("initial-exec"))) uint16_t me;
static char folder[3900];
static uint64_t limit, began;

static void take(void) { while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) sched_yield(); }
static void give(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }

/* Events for which the disk has room; more is asked for when they are used up. */
static uint64_t ready;
static char path[4096];
enum { CHUNK = 1 << 16 };

/* Makes room on the disk. Without it, writing to the mapping would end the program by SIGBUS. 0 if there is none. */
static int room(int fd, uint64_t from, uint64_t bytes) {
	if (fallocate(fd, 0, (off_t)from, (off_t)bytes) == 0 || (errno != ENOSPC && errno != EDQUOT)) return 1;
	char mark[4096];
	snprintf(mark, sizeof mark, "%s/full", folder);
	int told = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (told >= 0) close(told);
	return 0;
}

/* Room for more events; what cannot be reached under its name any more is used as it is. */
static int more(uint64_t count) {
	int saved = errno, fd = open(path, O_RDWR | O_CLOEXEC), made = 1;
	if (fd >= 0) {
		made = room(fd, sizeof(struct header) + count * sizeof(struct event), CHUNK * sizeof(struct event));
		close(fd);
	}
	errno = saved;
	return made;
}

/* One event more, if there is room. */
static void put(struct header *h, uint64_t who, uint64_t what) {
	if (h->count >= h->limit) { h->dropped++; return; }
	if (h->count == ready) {
		if (!more(h->count)) { /* The disk is full: what there is is kept, the rest is counted. */
			h->limit = h->count;
			h->dropped++;
			return;
		}
		ready += CHUNK;
	}
	struct event *e = (struct event *)(h + 1) + h->count;
	e->who = who;
	e->what = what;
	h->count++;
}

/* The coarse clock: it is read from memory, and goes on every few milliseconds. */
static uint64_t clock_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Microseconds that the process has computed. */
static uint64_t cpu_us(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000) & 0xffffffffffff;
}

static void record(unsigned kind, const void *p, size_t n, unsigned align_log2) {
	struct header *h = head;
	if (!h) return;
	if (!me) {
		me = ++threads < 4095 ? threads : 4095;
		h->threads = threads;
	}
	uint64_t now = clock_ms() - began, by = (uint64_t)me << 48;
	if (now > h->clock && h->count < h->limit) {
		h->clock = now;
		put(h, cpu_us() | by | (uint64_t)TICK << 60, now & 0xffffffffffff);
	}
	put(h, ((uint64_t)(uintptr_t)p & 0xffffffffffff) | by | (uint64_t)kind << 60, (n & 0xffffffffffff) | (uint64_t)align_log2 << 56);
}

static void start(void) {
	int saved = errno;
	snprintf(path, sizeof path, "%s/%d.raw", folder, (int)getpid());
	head = NULL;
	began = clock_ms();
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t bytes = sizeof(struct header) + limit * sizeof(struct event);
	ready = CHUNK;
	if (fd >= 0 && !room(fd, 0, sizeof(struct header) + CHUNK * sizeof(struct event))) unlink(path);
	else if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0) {
		struct header *h = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (h != MAP_FAILED) {
			memcpy(h->magic, "hz3raw1", 8);
			h->limit = limit;
			h->pid = (uint64_t)getpid();
			h->parent = (uint64_t)getppid();
			int c = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
			if (c >= 0) {
				if (read(c, h->command, sizeof h->command - 1) < 0) h->command[0] = 0;
				close(c);
			}
			head = h;
		}
	}
	if (fd >= 0) close(fd);
	errno = saved;
}

static void before_fork(void) { take(); }
static void after_fork(void) { give(); }
static void in_child(void) {
	/* The parent's file goes on without us; what we inherited is not in ours, and its frees are left out later. */
	threads = 0;
	me = 0;
	if (head) start();
	give();
}

static __attribute__((constructor(101))) void begin(void) {
	const char *dir = getenv("HZ3_TRACE_DIR"), *most = getenv("HZ3_TRACE_LIMIT");
	if (!dir || strlen(dir) >= sizeof folder) return;
	strcpy(folder, dir);
	limit = most ? strtoull(most, NULL, 10) : 2000000;
	if (limit < 1 || limit > 1u << 30) limit = 2000000;
	take();
	start();
	give();
	pthread_atfork(before_fork, after_fork, in_child);
}

void *malloc(size_t n) {
	void *p = __libc_malloc(n);
	if (head && p) { take(); record(MALLOC, p, n, 0); give(); }
	return p;
}

void free(void *p) {
	if (head && p) { take(); record(FREE, p, 0, 0); give(); }
	__libc_free(p);
}

void *calloc(size_t k, size_t n) {
	void *p = __libc_calloc(k, n);
	if (head && p) { take(); record(CALLOC, p, k * n, 0); give(); }
	return p;
}

void *realloc(void *old, size_t n) {
	if (!head) return __libc_realloc(old, n);
	take();
	void *p = __libc_realloc(old, n);
	if (!old) { if (p) record(MALLOC, p, n, 0); }
	else if (p) { record(REALLOC_OLD, old, 0, 0); record(REALLOC_NEW, p, n, 0); }
	else if (n == 0) record(FREE, old, 0, 0);
	give();
	return p;
}

void *reallocarray(void *old, size_t k, size_t n) {
	size_t bytes;
	if (__builtin_mul_overflow(k, n, &bytes)) { errno = ENOMEM; return NULL; }
	return realloc(old, bytes);
}

void *memalign(size_t a, size_t n) {
	void *p = __libc_memalign(a, n);
	if (head && p && a) { take(); record(MEMALIGN, p, n, (unsigned)__builtin_ctzll(a)); give(); }
	return p;
}

void *aligned_alloc(size_t a, size_t n) { return memalign(a, n); }

int posix_memalign(void **out, size_t a, size_t n) {
	if (a < sizeof(void *) || a & (a - 1)) return EINVAL;
	int saved = errno;
	void *p = memalign(a, n);
	errno = saved;
	if (!p) return ENOMEM;
	*out = p;
	return 0;
}

void *valloc(size_t n) { return memalign((size_t)sysconf(_SC_PAGESIZE), n); }
void *pvalloc(size_t n) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return memalign(page, (n + page - 1) & ~(page - 1));
}

/* A program linked with another malloc would else ask that one about the C library's objects. */
size_t malloc_usable_size(void *p) {
	static size_t (*_Atomic real)(void *);
	size_t (*f)(void *) = real;
	if (!f) {
		void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
		f = libc ? (size_t(*)(void *))dlsym(libc, "malloc_usable_size") : NULL;
		if (!f) return 0;
		real = f;
	}
	return f(p);
}
