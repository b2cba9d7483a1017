/* Every call of the malloc family is timed by itself. Only the twins of the clients that are compiled with -DLAB_TAILS
 * have this: the plain clients have no instruction of it.
 *
 * A call's ticks go into a histogram of its thread: 32 steps for each power of two, so a figure is at most 3 % above the
 * true one. Nothing is subtracted. What the clock itself takes is a kind of its own, `clock`: after every sixteenth call
 * an empty call is timed, in the same threads and under the same load. Its tail is what interrupts do to anybody.
 *
 * A thread that loses its processor within a call has a long call that is not the allocator's. The kernel tells: it
 * clears the word of restartable sequences when it puts a thread back to work. Such a call is counted apart, unless
 * the thread went to sleep by itself meanwhile: waiting for a lock is the allocator's own. Where the word is not there, or
 * the allocator under test uses it, such calls remain among the others. */
#ifndef HZ3_LAB_TAILS_H
#define HZ3_LAB_TAILS_H
#include <malloc.h>
#include <stddef.h>
#include <sys/resource.h>

enum tails_kind { TAILS_CLOCK, TAILS_MALLOC, TAILS_FREE, TAILS_REALLOC, TAILS_KINDS };
#define TAILS_STEPS 32
#define TAILS_BUCKETS (37 * TAILS_STEPS)

struct tails {
	uint64_t count[TAILS_KINDS][TAILS_BUCKETS], top[TAILS_KINDS];
	uint64_t preempted, preempted_top, calls;
	long slept;               /* voluntary switches, when last looked at */
	volatile uint64_t *word;  /* what the kernel clears; null: it does not tell */
	struct tails *next, *idle; /* all, and those whose thread has ended */
};

#if defined __x86_64__
#define TAILS_UNIT "cycles"
/* What came before is done, what comes after has not begun. */
static inline uint64_t tails_start(void) {
	uint32_t low, high;
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}
static inline uint64_t tails_stop(void) {
	uint32_t low, high;
	__asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high) : : "rcx", "memory");
	return (uint64_t)high << 32 | low;
}
#else
#define TAILS_UNIT "ns"
static inline uint64_t tails_start(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline uint64_t tails_stop(void) { return tails_start(); }
#endif

/* A restartable sequence that no instruction is in: the kernel forgets it whenever it looks. */
static const struct { uint32_t signature[8]; } tails_abort __attribute__((aligned(32))) = {{0x53053053}};
static const struct { uint32_t version, flags; uint64_t start, length, abort; } tails_sequence __attribute__((aligned(32))) = {
	0, 0, (uint64_t)(uintptr_t)&tails_abort, 1, (uint64_t)(uintptr_t)&tails_abort.signature[1]};
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static pthread_mutex_t tails_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t tails_once = PTHREAD_ONCE_INIT;
static pthread_key_t tails_key;
static struct tails *tails_all, *tails_idle;
static uint64_t tails_first;
static double tails_first_now;
static __thread struct tails *tails_own;

static inline void *book(size_t bytes);
static inline double now(void);

static void tails_leave(void *arg) {
	struct tails *t = arg;
	tails_own = NULL;
	pthread_mutex_lock(&tails_lock);
	t->idle = tails_idle;
	tails_idle = t;
	pthread_mutex_unlock(&tails_lock);
}

static void tails_begin(void) {
	if (pthread_key_create(&tails_key, tails_leave)) lab_die("tails: no key");
	tails_first = tails_start();
	tails_first_now = now();
}

/* The word of restartable sequences, where the C library has registered it. It is the second field, behind two numbers. */
static volatile uint64_t *tails_word(void) {
	if (!&__rseq_size || !&__rseq_offset || __rseq_size == 0) return NULL;
	return (volatile uint64_t *)((byte *)__builtin_thread_pointer() + __rseq_offset + 8);
}

/* The thread's histogram: one that a thread before it has left, or a new one. They are added up at the end. */
static __attribute__((noinline, cold)) struct tails *tails_enter(void) {
	pthread_once(&tails_once, tails_begin);
	pthread_mutex_lock(&tails_lock);
	struct tails *t = tails_idle;
	if (t) tails_idle = t->idle;
	else {
		t = book(sizeof *t);
		t->next = tails_all;
		tails_all = t;
	}
	pthread_mutex_unlock(&tails_lock);
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	t->slept = usage.ru_nvcsw;
	t->word = tails_word();
	pthread_setspecific(tails_key, t);
	return tails_own = t;
}

static inline unsigned tails_bucket(uint64_t v) {
	if (v < TAILS_STEPS) return (unsigned)v;
	unsigned shift = 58 - (unsigned)__builtin_clzll(v);
	unsigned at = shift * TAILS_STEPS + (unsigned)(v >> shift);
	return at < TAILS_BUCKETS ? at : TAILS_BUCKETS - 1;
}
/* The largest value of a bucket. */
static uint64_t tails_value(unsigned at) {
	if (at < TAILS_STEPS) return at;
	unsigned shift = at / TAILS_STEPS - 1;
	return (((uint64_t)(at - shift * TAILS_STEPS) + 1) << shift) - 1;
}

/* Whether the kernel took the processor away although the thread wanted to go on. */
static __attribute__((noinline, cold)) bool tails_preempted(struct tails *t) {
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	bool slept = usage.ru_nvcsw != t->slept;
	t->slept = usage.ru_nvcsw;
	return !slept;
}

static inline void tails_add(struct tails *t, enum tails_kind kind, uint64_t ticks) {
	if (__builtin_expect(t->word && *t->word == 0, 0) && tails_preempted(t)) {
		t->preempted++;
		if (ticks > t->preempted_top) t->preempted_top = ticks;
		return;
	}
	t->count[kind][tails_bucket(ticks)]++;
	if (ticks > t->top[kind]) t->top[kind] = ticks;
}

static inline uint64_t tails_call(struct tails *t) {
	if (t->word) *t->word = (uint64_t)(uintptr_t)&tails_sequence;
	return tails_start();
}

static inline void tails_done(struct tails *t, enum tails_kind kind, uint64_t from) {
	tails_add(t, kind, tails_stop() - from);
	if ((++t->calls & 15) == 0) {
		from = tails_call(t);
		tails_add(t, TAILS_CLOCK, tails_stop() - from);
	}
	if (t->word) *t->word = 0;
}

#define TAILS(kind, type, call) \
	struct tails *t = tails_own ? tails_own : tails_enter(); \
	uint64_t from = tails_call(t); \
	type p = call; \
	tails_done(t, kind, from); \
	return p

static inline void *tails_malloc(size_t n) { TAILS(TAILS_MALLOC, void *, malloc(n)); }
static inline void *tails_calloc(size_t k, size_t n) { TAILS(TAILS_MALLOC, void *, calloc(k, n)); }
static inline void *tails_memalign(size_t a, size_t n) { TAILS(TAILS_MALLOC, void *, memalign(a, n)); }
static inline void *tails_aligned_alloc(size_t a, size_t n) { TAILS(TAILS_MALLOC, void *, aligned_alloc(a, n)); }
static inline void *tails_realloc(void *old, size_t n) { TAILS(TAILS_REALLOC, void *, realloc(old, n)); }
static inline void tails_free(void *p) {
	struct tails *t = tails_own ? tails_own : tails_enter();
	uint64_t from = tails_call(t);
	free(p);
	tails_done(t, TAILS_FREE, from);
}

/* What this share of the calls took at most. */
static uint64_t tails_quantile(const uint64_t *count, uint64_t all, uint64_t top, double share) {
	uint64_t want = (uint64_t)((double)all * share), seen = 0;
	unsigned at = 0;
	while (at < TAILS_BUCKETS && seen + count[at] < want) seen += count[at++];
	uint64_t value = all && at < TAILS_BUCKETS ? tails_value(at) : 0;
	return value < top ? value : top;
}

static void tails_put(const char *name, const uint64_t *count, uint64_t top, bool first) {
	static const double share[] = {.5, .99, .999, .9999};
	static const char *const key[] = {"p50", "p99", "p99.9", "p99.99"};
	/* For a curve; hz3_lab::tails::SHARES are these. */
	static const double curve[] = {.1, .25, .5, .75, .9, .95, .98, .99, .995, .998, .999, .9995, .9998, .9999, .99995, .99999};
	uint64_t all = 0;
	for (unsigned i = 0; i < TAILS_BUCKETS; i++) all += count[i];
	lab_put("%s\"%s\":{\"count\":%llu", first ? "" : ",", name, (unsigned long long)all);
	for (unsigned q = 0; q < sizeof share / sizeof *share; q++)
		lab_put(",\"%s\":%llu", key[q], (unsigned long long)tails_quantile(count, all, top, share[q]));
	lab_put(",\"max\":%llu,\"curve\":[", (unsigned long long)top);
	for (unsigned q = 0; q < sizeof curve / sizeof *curve; q++)
		lab_put("%s%llu", q ? "," : "", (unsigned long long)tails_quantile(count, all, top, curve[q]));
	lab_put("]}");
}

/* Adds `tails` to the JSON object, and what a variant of hz3 says of its events. */
static void tails_report(void) {
	static const char *const name[] = {"clock", "malloc", "free", "realloc"};
	static uint64_t count[TAILS_KINDS][TAILS_BUCKETS], top[TAILS_KINDS];
	uint64_t preempted = 0, preempted_top = 0;
	bool told = true;
	double seconds = now() - tails_first_now;
	uint64_t ticks = tails_start() - tails_first;
	for (struct tails *t = tails_all; t; t = t->next) {
		for (unsigned k = 0; k < TAILS_KINDS; k++) {
			for (unsigned i = 0; i < TAILS_BUCKETS; i++) count[k][i] += t->count[k][i];
			if (t->top[k] > top[k]) top[k] = t->top[k];
		}
		preempted += t->preempted;
		if (t->preempted_top > preempted_top) preempted_top = t->preempted_top;
		told &= t->word != NULL;
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	lab_key("tails");
	lab_put("{\"unit\":\"%s\",\"ticks_per_us\":%.6g,\"told_apart\":%s", TAILS_UNIT, tails_all && seconds > 0 ? (double)ticks / seconds * 1e-6 : 0, told ? "true" : "false");
	lab_put(",\"preempted\":%llu,\"preempted_max\":%llu", (unsigned long long)preempted, (unsigned long long)preempted_top);
	lab_put(",\"faults\":%ld,\"switches\":%ld,\"involuntary\":%ld,\"calls\":{", usage.ru_minflt, usage.ru_nvcsw, usage.ru_nivcsw);
	bool first = true;
	for (unsigned k = 0; k < TAILS_KINDS; k++) {
		if (!top[k]) continue;
		tails_put(name[k], count[k], top[k], first);
		first = false;
	}
	lab_put("}}");
	size_t (*ask)(char *, size_t);
	void *symbol = dlsym(RTLD_DEFAULT, "hz3_stats_json");
	memcpy(&ask, &symbol, sizeof ask);
	static char text[32 << 10];
	if (!symbol || ask(text, sizeof text) >= sizeof text) return;
	lab_key("hz3");
	lab_put("%s", text);
}

/* From here on each call is a timed one. */
#define malloc(n) tails_malloc(n)
#define calloc(k, n) tails_calloc(k, n)
#define memalign(a, n) tails_memalign(a, n)
#define aligned_alloc(a, n) tails_aligned_alloc(a, n)
#define realloc(p, n) tails_realloc(p, n)
#define free(p) tails_free(p)
#endif
