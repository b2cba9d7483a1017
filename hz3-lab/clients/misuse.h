/* What all kinds of misuse share: what is told to the parent, the book of live objects by which harm is proven, and what
 * a program does after a misuse.
 *
 * The parent reads lines from standard output: `act` stands before the misuse and `past` behind it, so that a fault in
 * between is one of the misuse itself. The last line is the verdict of this process. A process that ends otherwise was
 * ended by the allocator or by the kernel. Standard error is left to the allocator. */
#ifndef HZ3_MISUSE_H
#define HZ3_MISUSE_H
#include "lab.h"
#include <malloc.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

enum {
	SMALL = 64,
	ODD = 100,           /* no size class of anybody: there is slack behind it */
	MEDIUM = 20000,
	LARGE_N = 300 << 10,
	HUGE_N = 8 << 20,
	LURE = 64 << 10,
};

/* One kind of misuse. */
struct kind {
	const char *name, *says;
	void (*commit)(void);
};

/* The compiler must not know these: what it knows of malloc and free it would use against a program that misuses them. */
static void *(*volatile Malloc)(size_t) = malloc;
static void (*volatile Free)(void *) = free;
static void *(*volatile Calloc)(size_t, size_t) = calloc;
static void *(*volatile Realloc)(void *, size_t) = realloc;
static void *(*volatile Aligned)(size_t, size_t) = aligned_alloc;
static size_t (*volatile Usable)(void *) = malloc_usable_size;
typedef volatile byte wild;

/* ---- what the parent hears ---- */

static void say(const char *line) {
	size_t n = strlen(line);
	if (write(1, line, n) != (ssize_t)n) _exit(3);
}
static void act(void) { say("act\n"); }
static void past(void) { say("past\n"); }

__attribute__((noreturn, format(printf, 2, 3))) static void end(const char *verdict, const char *form, ...) {
	char text[400];
	int n = snprintf(text, sizeof text, "%s ", verdict);
	va_list ap;
	va_start(ap, form);
	n += vsnprintf(text + n, sizeof text - (size_t)n - 1, form, ap);
	va_end(ap);
	if ((size_t)n > sizeof text - 2) n = sizeof text - 2;
	text[n] = '\n';
	text[n + 1] = 0;
	say(text);
	_exit(0);
}
#define harm(...) end("harm", __VA_ARGS__)
#define refused(...) end("refused", __VA_ARGS__)
#define nothing(...) end("nothing", __VA_ARGS__)
/* It cannot be committed here. */
#define absent(...) end("absent", __VA_ARGS__)

/* ---- bounds ---- */

/* A heap can loop, and it can wait for a lock for ever. Each second the process looks at the CPU time that it has used:
 * much of it is a loop, none at all is a wait. A process that was stopped meanwhile hears of one second only. */
static void tick(int unused) {
	static uint64_t last;
	static int idle;
	struct timespec t;
	(void)unused;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	uint64_t now_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	idle = now_us - last < 1000 ? idle + 1 : 0;
	last = now_us;
	if (now_us > 4000000) { say("harm the heap loops\n"); _exit(0); }
	if (idle > 5) { say("harm the heap waits for ever\n"); _exit(0); }
}
static void bound(unsigned seconds) {
	struct itimerval t = {{seconds, 0}, {seconds, 0}};
	struct rlimit none = {0, 0};
	struct sigaction how = {.sa_handler = tick, .sa_flags = SA_RESTART};
	setrlimit(RLIMIT_CORE, &none);
	sigaction(SIGALRM, &how, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* ---- the book of live objects ---- */

struct live { byte *p; size_t n; uint64_t word; };
static struct live held[1 << 13];
static size_t lives;
static uint64_t held_so_far;

/* Memory that is none of the allocator's, and that the writer would like to get from malloc. */
static byte victim[LURE] __attribute__((aligned(4096)));
static byte *lure = victim;
static size_t lure_bytes = sizeof victim;

static int probe[2];

/* Whether one byte can be read and written. The kernel looks: nothing faults. */
static bool reachable(byte *p) {
	byte sink;
	if (write(probe[1], p, 1) != 1) return false;
	if (read(probe[0], p, 1) == 1) return true;
	if (read(probe[0], &sink, 1) != 1) _exit(3);
	return false;
}

/* The words that a pattern stands in: all of them in small objects, those of both ends in others. */
static bool each_word(const struct live *l, bool (*step)(uint64_t *word, uint64_t value)) {
	size_t words = l->n / 8, edge = words > 2048 ? 512 : words;
	uint64_t *w = (uint64_t *)(void *)l->p;
	for (size_t i = 0; i < words; i++) {
		if (i == edge && words > edge) i = words - edge;
		if (!step(w + i, l->word)) return false;
	}
	return true;
}
static bool put_word(uint64_t *w, uint64_t v) { *(volatile uint64_t *)w = v; return true; }
static bool has_word(uint64_t *w, uint64_t v) { return *(volatile uint64_t *)w == v; }

static bool overlap(const struct live *a, const struct live *b) { return a->p < b->p + b->n && b->p < a->p + a->n; }

/* An object that is live holds what was written. If not, another one may lie over it. */
static void look(const struct live *l) {
	if (each_word(l, has_word)) return;
	for (size_t i = 0; i < lives; i++)
		if (&held[i] != l && overlap(&held[i], l)) harm("two live objects overlap");
	harm("the data of a live object changed");
}
static void look_all(void) { for (size_t i = 0; i < lives; i++) look(&held[i]); }

/* What malloc gave is looked at before it is written to. */
static void enter(byte *p, size_t n) {
	struct live l = {p, n, (++held_so_far * 0x9e3779b97f4a7c15ull) | 0x8000000000000001ull};
	if (p < lure + lure_bytes && lure < p + n) harm("malloc returned an address of the writer's choice");
	if (n >= 16 && (uintptr_t)p % 16) harm("malloc returned a misaligned object");
	if (!reachable(p) || !reachable(p + n - 1)) harm("malloc returned memory that cannot be used");
	size_t from = lives > 256 && held_so_far % 16 ? lives - 64 : 0;
	for (size_t i = from; i < lives; i++) if (overlap(&held[i], &l)) harm("two live objects overlap");
	each_word(&l, put_word);
	if (lives < sizeof held / sizeof *held) held[lives++] = l;
}

static byte *hold(size_t n) {
	byte *p = Malloc(n);
	if (p) enter(p, n);
	return p;
}

/* The same without the book: the object that will be misused. */
static byte *take(size_t n) {
	byte *p = Malloc(n);
	if (!p) absent("no memory");
	memset(p, 0x33, n);
	return p;
}

static void strike(size_t i) { held[i] = held[--lives]; }
static void drop(size_t i) {
	struct live l = held[i];
	look(&held[i]);
	strike(i);
	Free(l.p);
}
static void drop_all(void) { while (lives) drop(lives - 1); }
static void drop_object(const byte *p) {
	for (size_t i = 0; i < lives; i++) if (held[i].p == p) { drop(i); return; }
}
/* It is no longer looked after: a misuse will change it, or free it. */
static void disown(const byte *p) {
	for (size_t i = 0; i < lives; i++) if (held[i].p == p) { strike(i); return; }
}

/* How many objects are enough that caches overflow and run dry. */
static size_t many(size_t n) {
	size_t k = (1 << 20) / n;
	return k < 8 ? 8 : k > 2048 ? 2048 : k;
}
static void hold_many(size_t k, size_t n) { while (k--) hold(n); }

/* An allocator that has been used: some objects are live, some were freed. */
static void warm(size_t n) {
	size_t k = n > MEDIUM ? 4 : 40;
	hold_many(k, n);
	for (size_t i = k / 2; i-- > 0;) drop(i * 2);
}

/* ---- other threads ---- */

static void *in_thread_main(void *fn) {
	void (*f)(void);
	memcpy(&f, &fn, sizeof f);
	f();
	return NULL;
}
/* Does something in a thread that ends then. */
static void in_thread(void (*f)(void)) {
	pthread_t t;
	void *fn;
	memcpy(&fn, &f, sizeof fn);
	if (pthread_create(&t, NULL, in_thread_main, fn)) absent("no thread");
	pthread_join(t, NULL);
}

/* A thread that stays, and does what it is told. */
static sem_t go, done;
static void (*volatile task)(void);
static void *worker(void *unused) {
	for (;;) {
		while (sem_wait(&go)) {}
		task();
		sem_post(&done);
	}
	return unused;
}
static void in_worker(void (*f)(void)) {
	static bool started;
	pthread_t t;
	if (!started) {
		sem_init(&go, 0, 0);
		sem_init(&done, 0, 0);
		if (pthread_create(&t, NULL, worker, NULL)) absent("no thread");
		started = true;
	}
	task = f;
	sem_post(&go);
	while (sem_wait(&done)) {}
}

/* ---- what a program does after a misuse ---- */

static size_t after_n;
static void after_in_thread(void) {
	hold_many(many(after_n) / 4, after_n);
	for (size_t i = 0; i < many(after_n) / 4 && lives; i++) drop(i * 7 % lives);
}

/* Objects of the misused size come and go, in this thread and in another, and so do others. The first harm ends it. */
static void live_on(size_t n) {
	after_n = n;
	hold(n);
	look_all();
	hold_many(many(n), n);
	look_all();
	for (size_t i = lives / 2; i-- > 0;) drop(i);
	hold_many(many(n) / 2, n);
	look_all();
	in_thread(after_in_thread);
	for (size_t size = 16; size <= 32768; size += size / 2) hold_many(4, size / 16 * 16);
	hold(LARGE_N);
	look_all();
	drop_all();
	malloc_trim(0);
	hold_many(many(n), n);
	look_all();
	drop_all();
}

__attribute__((noreturn)) static void aftermath(size_t n) {
	live_on(n);
	nothing("no harm was seen");
}

/* realloc moves an object: its old address is stale. */
static byte *moved_away(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = p;
	for (size_t n = 4 * SMALL; q == p && n <= HUGE_N; n *= 2) {
		byte *moved = Realloc(q, n);
		if (!moved) absent("no memory");
		q = moved;
	}
	if (q == p) absent("realloc never moved it");
	return p;
}

/* The object at an address that was freed is somebody else's, if the allocator ever serves it again. */
static byte *given_away(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = NULL;
	Free(p);
	for (size_t i = 0; i < many(SMALL) && q != p; i++) q = hold(SMALL);
	return p;
}

/* ---- neighbours ---- */

static int by_address(const void *a, const void *b) {
	const struct live *x = a, *y = b;
	return (x->p > y->p) - (x->p < y->p);
}

/* Two live objects of a size, the second behind the first, as near as there are. Both are in the book. Returns false if
 * no two are near. */
static bool neighbours(size_t n, byte **a, byte **b) {
	size_t first = lives, best = 0, gap = SIZE_MAX;
	size_t most = n + (n / 4 > 4096 ? n / 4 : 4096);
	hold_many(n > MEDIUM ? 16 : 400, n);
	qsort(held + first, lives - first, sizeof *held, by_address);
	for (size_t i = first; i + 1 < lives; i++) {
		size_t d = (size_t)(held[i + 1].p - held[i].p);
		/* Of those that are equally near, one in the middle: neither the first nor the last of its run. */
		if (d < gap || (d == gap && i < first + (lives - first) / 2)) { gap = d; best = i; }
	}
	if (gap >= most) return false;
	*a = held[best].p;
	*b = held[best + 1].p;
	return true;
}

/* ---- mappings ---- */

/* The memory around an address that can be written without a fault, at most `most` bytes to either side. */
static void span(byte *p, size_t most, byte **low, byte **high) {
	byte *page = p - (uintptr_t)p % 4096;
	*low = page;
	*high = page + 4096;
	while ((size_t)(page - *low) < most && reachable(*low - 4096)) *low -= 4096;
	while ((size_t)(*high - page) < most && reachable(*high)) *high += 4096;
}

#endif
