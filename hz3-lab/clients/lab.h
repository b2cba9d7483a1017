/* What every client shares: options, the random numbers, the clock, the memory figures and the one JSON object.
 *
 * A client is an ordinary C program on plain malloc and free. It keeps its own books outside of the heap (mmap), so
 * that the allocator under test sees the workload's requests and nothing else; it prints with write(2) for the same
 * reason. */
#ifndef HZ3_LAB_H
#define HZ3_LAB_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LINE __attribute__((aligned(128)))
typedef unsigned char byte;

/* ---- the one JSON object ---- */

static char lab_text[64 << 10];
static size_t lab_len;

__attribute__((format(printf, 1, 2))) static void lab_put(const char *form, ...) {
	va_list ap;
	va_start(ap, form);
	int n = vsnprintf(lab_text + lab_len, sizeof lab_text - lab_len, form, ap);
	va_end(ap);
	if (n > 0) lab_len += (size_t)n < sizeof lab_text - lab_len ? (size_t)n : sizeof lab_text - lab_len - 1;
}

static void lab_write(int fd) {
	for (size_t done = 0; done < lab_len;) {
		ssize_t n = write(fd, lab_text + done, lab_len - done);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		done += (size_t)n;
	}
	lab_len = 0;
}

__attribute__((noreturn, format(printf, 1, 2))) static void lab_die(const char *form, ...) {
	char text[512];
	va_list ap;
	va_start(ap, form);
	int n = vsnprintf(text, sizeof text - 1, form, ap);
	va_end(ap);
	if (n < 0) n = 0;
	if ((size_t)n > sizeof text - 2) n = sizeof text - 2;
	text[n++] = '\n';
	if (write(2, text, (size_t)n) < 0) _exit(3);
	_exit(2);
}

static void lab_key(const char *key) {
	if (lab_len == 0) lab_put("{");
	else lab_put(",");
	lab_put("\"%s\":", key);
}
static inline void put_u64(const char *key, uint64_t v) { lab_key(key); lab_put("%llu", (unsigned long long)v); }
static inline void put_f64(const char *key, double v) { lab_key(key); lab_put("%.9g", v); }
static inline void put_str(const char *key, const char *v) {
	lab_key(key);
	lab_put("\"");
	for (; *v; v++) {
		if (*v == '"' || *v == '\\') lab_put("\\%c", *v);
		else if ((byte)*v < 0x20) lab_put("\\u%04x", (byte)*v);
		else lab_put("%c", *v);
	}
	lab_put("\"");
}

#ifdef LAB_TAILS
#include "tails.h"
#endif

/* ---- options ---- */

struct opt {
	const char *name;   /* without the dashes */
	const char *help;   /* one line */
	uint64_t *number;   /* K, M, G and T are powers of 1024 */
	const char **text;  /* or a word */
};

static uint64_t lab_seed = 1;
/* Whether a single thread is measured by the wall clock, too: beside several, the figures must be of one clock. */
static uint64_t lab_wall;

static uint64_t lab_number(const char *name, const char *s) {
	char *end;
	errno = 0;
	uint64_t v = strtoull(s, &end, 0);
	unsigned shift = 0;
	switch (*end) {
	case 'K': case 'k': shift = 10; end++; break;
	case 'M': case 'm': shift = 20; end++; break;
	case 'G': case 'g': shift = 30; end++; break;
	case 'T': case 't': shift = 40; end++; break;
	}
	if (end == s || *end || errno || *s == '-' || (v << shift) >> shift != v)
		lab_die("--%s: '%s' is not a number (digits, then K, M, G or T)", name, s);
	return v << shift;
}

/* A function of the library that malloc comes from, and of no other: a program may have two mallocs loaded. */
static void *lab_sibling(const char *name) {
	Dl_info of_malloc, of_sibling;
	void *m = dlsym(RTLD_DEFAULT, "malloc"), *f = dlsym(RTLD_DEFAULT, name);
	bool same = m && f && dladdr(m, &of_malloc) && dladdr(f, &of_sibling) && of_malloc.dli_fbase == of_sibling.dli_fbase;
	return same ? f : NULL;
}

/* The version that the malloc at work says of itself; empty if it has no word for it. */
static const char *lab_version(void) {
	static char text[64];
	union { void *f; int (*mimalloc)(void); const char *(*tcmalloc)(int *, int *, const char **);
		int (*jemalloc)(const char *, void *, size_t *, void *, size_t); const char *(*libc)(void); } ask;
	if ((ask.f = lab_sibling("mi_version"))) {
		/* 209 is 2.0.9, 30403 is 3.4.3. */
		int v = ask.mimalloc(), step = v >= 10000 ? 100 : 10;
		snprintf(text, sizeof text, "%d.%d.%d", v / step / step, v / step % step, v % step);
	} else if ((ask.f = lab_sibling("mallctl"))) {
		const char *v = NULL;
		size_t size = sizeof v;
		if (ask.jemalloc("version", &v, &size, NULL, 0) == 0 && v) {
			/* 5.3.0-0-g54eaed1d is a release, with the commit that it was tagged at. */
			const char *tagged = strstr(v, "-0-g");
			snprintf(text, sizeof text, "%.*s", (int)(tagged ? tagged - v : 60), v);
		}
	} else if ((ask.f = lab_sibling("tc_version"))) {
		const char *v = ask.tcmalloc(NULL, NULL, NULL);
		snprintf(text, sizeof text, "%s", v ? v : "");
	} else if ((ask.f = lab_sibling("gnu_get_libc_version"))) snprintf(text, sizeof text, "%s", ask.libc());
	return text;
}

/* Which file each entry of the malloc family comes from: the proof that a preloaded library is the one at work. And which
 * version it is. */
static void lab_prove(const char *client) {
	static const char *const names[] = {"malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign",
		"memalign", "malloc_usable_size"};
	put_str("client", client);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		Dl_info info;
		void *f = dlsym(RTLD_DEFAULT, names[i]);
		put_str(names[i], f && dladdr(f, &info) && info.dli_fname ? info.dli_fname : "");
	}
	/* The linked call must land where the lookup does: a program that brings its own malloc is found out here. */
	void *p = malloc(100);
	put_u64("works", p != NULL);
	free(p);
	put_str("version", lab_version());
	lab_put("}\n");
	lab_write(1);
	_exit(0);
}

/* The names of all options, for who asked for another. */
static const char *lab_names(const struct opt *opts) {
	static char text[400];
	size_t n = (size_t)snprintf(text, sizeof text, "seed, wall");
	for (const struct opt *o = opts; o->name && n < sizeof text; o++) n += (size_t)snprintf(text + n, sizeof text - n, ", %s", o->name);
	return text;
}

static void lab_options(int argc, char **argv, const char *client, const char *what, const struct opt *opts) {
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
			lab_put("%s: %s\n\n", client, what);
			lab_put("  --%-12s %s (%llu)\n", "seed N", "start of the random numbers", (unsigned long long)lab_seed);
			lab_put("  --%-12s %s (%llu)\n", "wall N", "1: the wall clock for a single thread, too", (unsigned long long)lab_wall);
			for (const struct opt *o = opts; o->name; o++) {
				char name[32];
				snprintf(name, sizeof name, "%s %s", o->name, o->number ? "N" : "WORD");
				if (o->number) lab_put("  --%-12s %s (%llu)\n", name, o->help, (unsigned long long)*o->number);
				else lab_put("  --%-12s %s (%s)\n", name, o->help, *o->text);
			}
			lab_put("  --%-12s %s\n", "prove", "print which file each malloc function comes from, and stop");
			lab_put("\nOne JSON object on stdout. Exit codes: 0 done, 1 memory was wrong, 2 bad option.\n");
			lab_write(1);
			_exit(0);
		}
		if (!strcmp(a, "--prove")) lab_prove(client);
		if (a[0] != '-' || a[1] != '-') lab_die("%s: '%s'? See --help", client, a);
		char name[32];
		const char *value = strchr(a, '=');
		snprintf(name, sizeof name, "%.*s", value ? (int)(value - a - 2) : 30, a + 2);
		if (value) value++;
		else if (i + 1 < argc) value = argv[++i];
		else lab_die("%s: --%s wants a value", client, name);
		const struct opt *o = opts;
		if (!strcmp(name, "seed")) { lab_seed = lab_number(name, value); continue; }
		if (!strcmp(name, "wall")) { lab_wall = lab_number(name, value); continue; }
		while (o->name && strcmp(o->name, name)) o++;
		if (!o->name) lab_die("%s: no option %s; there are: %s", client, name, lab_names(opts));
		if (o->number) *o->number = lab_number(name, value);
		else *o->text = value;
	}
	put_str("client", client);
	put_u64("seed", lab_seed);
}

/* ---- random numbers: one multiplication and one addition a draw; the high bits are the good ones ---- */

static inline uint64_t lcg(uint64_t *s) { return *s = *s * 6364136223846793005ull + 1442695040888963407ull; }
/* A number below n from the draw's upper half. */
static inline uint32_t pick(uint64_t r, uint32_t n) { return (uint32_t)(((r >> 32) * n) >> 32); }

static inline uint64_t lab_stream(uint64_t k) {
	uint64_t s = (lab_seed * 0x9e3779b97f4a7c15ull) ^ (k * 0xd1342543de82ef95ull);
	for (int i = 0; i < 8; i++) lcg(&s);
	return s;
}

/* Sizes: twenty bands, each drawn equally often, so that 80 / 15 / 5 % is 16 / 3 / 1 of them. No branch. */
struct sizes { struct { uint32_t min, span; } band[20]; uint32_t max; bool flat; };

static void sizes_band(struct sizes *s, int from, int to, uint64_t min, uint64_t max) {
	if (min < 1 || max < min || max > UINT32_MAX - 1) lab_die("sizes: %llu to %llu?", (unsigned long long)min, (unsigned long long)max);
	for (int i = from; i < to; i++) { s->band[i].min = (uint32_t)min; s->band[i].span = (uint32_t)(max - min + 1); }
	if (max > s->max) s->max = (uint32_t)max;
}

static void sizes_init(struct sizes *s, const char *dist, uint64_t min, uint64_t max) {
	s->max = 0;
	s->flat = false;
	if (!strcmp(dist, "uniform")) { sizes_band(s, 0, 20, min, max); s->flat = true; }
	else if (!strcmp(dist, "app")) { sizes_band(s, 0, 16, 16, 256); sizes_band(s, 16, 19, 257, 2048); sizes_band(s, 19, 20, 2049, 32768); }
	else if (!strcmp(dist, "trimix4096")) { sizes_band(s, 0, 16, 16, 256); sizes_band(s, 16, 19, 257, 2048); sizes_band(s, 19, 20, 4096, 32768); }
	else lab_die("--dist: '%s' is not uniform, app or trimix4096", dist);
}

static inline uint32_t size_flat(const struct sizes *s, uint64_t r) { return s->band[0].min + pick(r, s->band[0].span); }
static inline uint32_t size_band(const struct sizes *s, uint64_t r) {
	uint32_t b = (uint32_t)(((r >> 48) * 20) >> 16);
	return s->band[b].min + (uint32_t)((((r >> 16) & 0xffffffff) * s->band[b].span) >> 32);
}
static inline uint32_t size_of(const struct sizes *s, uint64_t r) { return s->flat ? size_flat(s, r) : size_band(s, r); }

/* ---- marks: first and last byte of an object say its size, so that a check needs nothing else ---- */

static inline void mark(byte *p, size_t n) { p[n - 1] = (byte)~n; p[0] = (byte)n; }
static inline bool marked(const byte *p, size_t n) { return n == 1 ? p[0] == 1 : p[0] == (byte)n && p[n - 1] == (byte)~n; }

/* ---- clock and memory ---- */

static inline double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
/* The thread's own time, user and system. One-thread rows are judged by it: on a shared machine the wall clock also
 * counts the neighbours. */
static inline double cpu(void) {
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Memory for the client's own books: zeroed, and not from the heap. */
static inline void *book(size_t bytes) {
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) lab_die("no memory for the client's own books (%zu bytes)", bytes);
	return p;
}

static uint64_t lab_proc(const char *path, const char *key) {
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0) return 0;
	text[n] = 0;
	if (!key) { /* statm: the second word, in pages */
		char *second = strchr(text, ' ');
		return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	}
	char *at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}
/* Resident bytes now. */
static inline uint64_t rss_now(void) { return lab_proc("/proc/self/statm", NULL); }
/* The most there ever were. */
static inline uint64_t rss_peak(void) { return lab_proc("/proc/self/status", "VmHWM:"); }

/* Live bytes of all threads together. A thread publishes in steps of GRAIN, so the peak is exact to threads x GRAIN. */
#define LIVE_GRAIN (64 << 10)
static _Atomic int64_t live_all LINE;
static _Atomic int64_t live_top LINE;

static inline void live_publish(int64_t *delta) {
	int64_t v = atomic_fetch_add_explicit(&live_all, *delta, memory_order_relaxed) + *delta;
	int64_t top = atomic_load_explicit(&live_top, memory_order_relaxed);
	while (v > top && !atomic_compare_exchange_weak_explicit(&live_top, &top, v, memory_order_relaxed, memory_order_relaxed)) {}
	*delta = 0;
}
static inline void live_add(int64_t *delta, int64_t n) {
	*delta += n;
	if (__builtin_expect(*delta >= LIVE_GRAIN || *delta <= -LIVE_GRAIN, 0)) live_publish(delta);
}

/* Live bytes of all threads, but for what the others have not published yet. */
static inline int64_t live_now(int64_t delta) {
	return atomic_load_explicit(&live_all, memory_order_relaxed) + delta;
}

/* The measured span of a many-thread run: from the first thread through the gate to the last one at its end. The
 * threads read the clock themselves: with more threads than cores, main may not run until half of the work is done.
 * A single thread is measured by its own time, as above. */
static pthread_barrier_t lab_gate;
static _Atomic uint64_t lab_first LINE;
static _Atomic uint64_t lab_last LINE;

static clockid_t lab_clock = CLOCK_MONOTONIC;

static inline uint64_t ticks(void) {
	struct timespec t;
	clock_gettime(lab_clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline void lab_gate_for(uint64_t threads) {
	if (threads == 1 && !lab_wall) lab_clock = CLOCK_THREAD_CPUTIME_ID;
	pthread_barrier_init(&lab_gate, NULL, (unsigned)threads);
}
static inline void lab_enter(void) {
	pthread_barrier_wait(&lab_gate);
	uint64_t t = ticks(), none = 0;
	atomic_compare_exchange_strong(&lab_first, &none, t);
}
static inline void lab_leave(void) {
	uint64_t t = ticks(), last = atomic_load(&lab_last);
	while (t > last && !atomic_compare_exchange_weak(&lab_last, &last, t)) {}
}
static inline double lab_span(void) { return (double)(lab_last - lab_first) * 1e-9; }

static inline pthread_t lab_thread(void *(*f)(void *), void *arg) {
	pthread_t t;
	int e = pthread_create(&t, NULL, f, arg);
	if (e) lab_die("pthread_create: %s", strerror(e));
	return t;
}

/* The figures that every client ends with. `wrong` counts objects whose marks did not hold. */
/* What was resident when the row's question was asked, where that was not at the very end. */
static uint64_t lab_resident;

static int lab_end(uint64_t ops, double seconds, uint64_t live_peak, uint64_t live_end, uint64_t failures, uint64_t wrong) {
	put_u64("ops", ops);
	put_f64("seconds", seconds);
	put_f64("ns_per_op", ops ? seconds * 1e9 / (double)ops : 0);
	put_u64("live_peak", live_peak);
	put_u64("live_end", live_end);
	put_u64("failures", failures);
	put_u64("wrong", wrong);
	put_u64("rss_end", lab_resident ? lab_resident : rss_now());
	put_u64("rss_peak", rss_peak());
#ifdef LAB_TAILS
	tails_report();
#endif
	lab_put("}\n");
	lab_write(1);
	return wrong ? 1 : 0;
}
#endif
