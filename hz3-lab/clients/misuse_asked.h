/* Requests that no memory can serve, and what memory and addresses tell. */
#ifndef HZ3_MISUSE_ASKED_H
#define HZ3_MISUSE_ASKED_H
#include "misuse.h"

/* ---- requests ---- */

static void must_fail(const void *p) {
	past();
	if (p) harm("an object was given that cannot be that large");
	refused("null, as it must be");
}
static void ask_calloc(void) { act(); must_fail(Calloc(SIZE_MAX / 2, 4)); }
/* 2^32 × 2^32 and (2^60 + 1) × 16 leave 0 and 16 when they wrap. */
static void ask_calloc_zero(void) { act(); must_fail(Calloc(1ull << 32, 1ull << 32)); }
static void ask_calloc_small(void) { act(); must_fail(Calloc((1ull << 60) + 1, 16)); }
static void ask_reallocarray(void) {
	void *f = dlsym(RTLD_DEFAULT, "reallocarray");
	void *(*g)(void *, size_t, size_t);
	if (!f) absent("there is no reallocarray");
	memcpy(&g, &f, sizeof f);
	byte *p = hold(SMALL);
	act();
	must_fail(g(p, (1ull << 60) + 1, 16));
}
static void ask_malloc(void) { act(); must_fail(Malloc(SIZE_MAX)); }
static void ask_malloc_near(void) { act(); must_fail(Malloc(SIZE_MAX - 64)); }
static void ask_malloc_half(void) { act(); must_fail(Malloc((size_t)PTRDIFF_MAX + 1)); }
static void ask_realloc(void) {
	byte *p = hold(SMALL);
	act();
	must_fail(Realloc(p, SIZE_MAX - 16));
}
static void ask_aligned(void) { act(); must_fail(Aligned(4096, SIZE_MAX - 4095)); }
static void ask_aligned_up(void) { act(); must_fail(Aligned(1ull << 62, 1ull << 62)); }
static void ask_pvalloc(void) {
	void *f = dlsym(RTLD_DEFAULT, "pvalloc");
	void *(*g)(size_t);
	if (!f) absent("there is no pvalloc");
	memcpy(&g, &f, sizeof f);
	act();
	must_fail(g(SIZE_MAX - 100));
}
static void ask_alignment(void) {
	void *p = NULL;
	act();
	int e = posix_memalign(&p, 24, 100);
	past();
	if (e) refused("posix_memalign fails");
	harm("an alignment of 24 was accepted");
}
static void ask_alignment_zero(void) {
	void *p = NULL;
	act();
	int e = posix_memalign(&p, 0, 100);
	past();
	if (e) refused("posix_memalign fails");
	harm("an alignment of 0 was accepted");
}

/* ---- what new memory holds ---- */

static size_t secret(const byte *p, size_t n, byte mark) {
	size_t seen = 0;
	for (size_t i = 0; i < n; i++) seen += ((wild *)p)[i] == mark;
	return seen;
}
static void keep_secrets(size_t n, size_t k) {
	static byte *all[256];
	for (size_t i = 0; i < k; i++) { all[i] = take(n); memset(all[i], 0x77, n); }
	for (size_t i = 0; i < k; i++) Free(all[i]);
}
static void told_malloc_of(size_t n, size_t k) {
	size_t seen = 0;
	keep_secrets(n, k);
	act();
	for (size_t i = 0; i < k; i++) { byte *p = Malloc(n); if (p) seen += secret(p, n, 0x77); }
	past();
	if (seen > n / 2) harm("malloc gives what was freed with its data: %zu bytes", seen);
	nothing("no old data");
}
static void told_malloc(void) { told_malloc_of(SMALL, 200); }
static void told_malloc_medium(void) { told_malloc_of(MEDIUM, 40); }
static void told_malloc_large(void) { told_malloc_of(LARGE_N, 8); }
static void told_malloc_huge(void) { told_malloc_of(HUGE_N, 2); }
static void clean_of(size_t n, size_t k) {
	keep_secrets(n, k);
	act();
	for (size_t i = 0; i < k; i++) {
		byte *p = Calloc(1, n);
		if (p && secret(p, n, 0) != n) harm("calloc gives memory that is not zero");
	}
	past();
	nothing("calloc gives zeroes");
}
static void told_calloc(void) { clean_of(SMALL, 200); }
static void told_calloc_large(void) { clean_of(LARGE_N, 8); }
static void told_calloc_huge(void) { clean_of(HUGE_N, 2); }
static void told_realloc(void) {
	keep_secrets(1024, 200);
	byte *p = take(SMALL);
	act();
	p = Realloc(p, 1024);
	size_t seen = p ? secret(p + SMALL, 1024 - SMALL, 0x77) : 0;
	past();
	if (seen > 100) harm("realloc gives what was freed with its data: %zu bytes", seen);
	nothing("no old data");
}
static void spill(void) { keep_secrets(SMALL, 250); }
static void told_thread(void) {
	size_t seen = 0;
	in_thread(spill);
	act();
	for (int i = 0; i < 4000; i++) { byte *p = Malloc(SMALL); if (p) seen += secret(p, SMALL, 0x77); }
	past();
	if (seen > SMALL) harm("malloc gives what another thread freed with its data: %zu bytes", seen);
	nothing("no old data");
}
/* New memory has an address in it: whoever can read it knows where the heap is. */
static void told_address(void) {
	byte *all[64];
	warm(SMALL);
	for (size_t i = 0; i < 64; i++) all[i] = take(SMALL);
	for (size_t i = 0; i < 64; i++) Free(all[i]);
	act();
	for (size_t i = 0; i < 64; i++) {
		volatile uint64_t *w = Malloc(SMALL);
		for (size_t k = 0; w && k < SMALL / 8; k++)
			for (size_t j = 0; j < 64; j++) if (w[k] == (uint64_t)(uintptr_t)all[j]) harm("a new object holds the address of another one");
	}
	past();
	nothing("no address");
}

/* ---- what one process tells of the next ---- */

enum { PLACES = 64, PROCESSES = 24 };
struct seen { uint64_t libc, stack, at[PLACES], large; };

/* What a new process sees: it prints where things lie. */
static void observe(void) {
	struct seen s;
	s.libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "getpid");
	s.stack = (uint64_t)(uintptr_t)&s;
	for (size_t i = 0; i < PLACES; i++) s.at[i] = (uint64_t)(uintptr_t)Malloc(SMALL);
	s.large = (uint64_t)(uintptr_t)Malloc(HUGE_N);
	if (write(1, &s, sizeof s) != sizeof s) _exit(3);
	_exit(0);
}
static void look_at_another(struct seen *s) {
	int ends[2], status;
	if (pipe(ends)) absent("no pipe");
	pid_t child = vfork();
	if (child == 0) {
		dup2(ends[1], 1);
		execl("/proc/self/exe", "misuse", "--observe", NULL);
		_exit(127);
	}
	close(ends[1]);
	size_t got = 0;
	for (ssize_t n; got < sizeof *s && (n = read(ends[0], (byte *)s + got, sizeof *s - got)) > 0;) got += (size_t)n;
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
	if (got != sizeof *s) absent("another process does not run");
}

static void place_sequence(void) {
	struct seen a, b;
	act();
	look_at_another(&a);
	look_at_another(&b);
	size_t same = 0;
	for (size_t i = 1; i < PLACES; i++) same += a.at[i] - a.at[0] == b.at[i] - b.at[0];
	past();
	if (same > PLACES / 2) harm("%zu of %d objects lie where they lie in any other process", same, PLACES - 1);
	nothing("%zu of %d objects lie where they lie in another process", same, PLACES - 1);
}
/* How many bits of a figure differ among processes, at most: so many are told apart, and in so wide a range they lie. */
static void bits(uint64_t (*of)(const struct seen *), int enough, const char *what) {
	struct seen s;
	int64_t first = 0, low = 0, high = 0;
	uint64_t varies = 0;
	act();
	for (int i = 0; i < PROCESSES; i++) {
		look_at_another(&s);
		int64_t v = (int64_t)of(&s);
		if (i == 0) first = low = high = v;
		varies |= (uint64_t)(v ^ first);
		if (v < low) low = v;
		if (v > high) high = v;
	}
	past();
	int n = __builtin_popcountll(varies), range = 0;
	for (uint64_t width = (uint64_t)(high - low); width; width >>= 1) range++;
	if (range < n) n = range;
	if (n < enough) harm("at most %d bits of %s vary", n, what);
	nothing("up to %d bits of %s vary", n, what);
}
static uint64_t base(const struct seen *s) { return s->at[0] >> 21; }
static uint64_t to_libc(const struct seen *s) { return (uint64_t)((int64_t)(s->at[0] - s->libc) >> 12); }
static uint64_t to_stack(const struct seen *s) { return (uint64_t)((int64_t)(s->at[0] - s->stack) >> 12); }
static uint64_t large_to_libc(const struct seen *s) { return (uint64_t)((int64_t)(s->large - s->libc) >> 12); }
static uint64_t large_to_small(const struct seen *s) { return (uint64_t)((int64_t)(s->large - s->at[0]) >> 12); }
static void place_base(void) { bits(base, 24, "the heap's place, by 2 MiB,"); }
static void place_libc(void) { bits(to_libc, 20, "the distance to the C library"); }
static void place_stack(void) { bits(to_stack, 20, "the distance to the stack"); }
static void place_large_libc(void) { bits(large_to_libc, 20, "the distance from an object of 8 MiB to the C library"); }
static void place_large(void) { bits(large_to_small, 20, "the distance from an object of 8 MiB to a small one"); }
static void place_reuse(void) {
	int same = 0;
	warm(SMALL);
	act();
	for (int i = 0; i < 64; i++) {
		byte *p = take(SMALL);
		Free(p);
		same += hold(SMALL) == p;
	}
	past();
	if (same > 32) harm("%d of 64 requests get the object that was freed last", same);
	nothing("%d of 64 requests get the object that was freed last", same);
}
static void place_adjacent(void) {
	int near = 0;
	byte *last = NULL;
	act();
	for (int i = 0; i < 256; i++) {
		byte *p = hold(SMALL);
		ptrdiff_t d = p - last;
		if (last && d >= -2 * SMALL && d <= 2 * SMALL) near++;
		last = p;
	}
	past();
	if (near > 128) harm("%d of 255 objects lie beside the one before", near);
	nothing("%d of 255 objects lie beside the one before", near);
}
/* How far a write can go from an object before it meets memory that it cannot change. */
static void reach(bool up) {
	byte *p, *low, *high;
	warm(SMALL);
	p = hold(SMALL);
	act();
	span(p, 256 << 20, &low, &high);
	past();
	size_t n = up ? (size_t)(high - p) : (size_t)(p - low);
	if (n > 1 << 20) harm("%zu KiB can be written without a fault", n >> 10);
	nothing("a fault comes after %zu KiB", n >> 10);
}
static void place_reach_up(void) { reach(true); }
static void place_reach_down(void) { reach(false); }

static const struct kind asks[] = {
	{"ask-calloc", "calloc(SIZE_MAX / 2, 4).", ask_calloc},
	{"ask-calloc-zero", "calloc of a product that wraps to 0.", ask_calloc_zero},
	{"ask-calloc-small", "calloc of a product that wraps to 16.", ask_calloc_small},
	{"ask-reallocarray", "reallocarray of a product that wraps to 16.", ask_reallocarray},
	{"ask-malloc", "malloc(SIZE_MAX).", ask_malloc},
	{"ask-malloc-near", "malloc(SIZE_MAX - 64).", ask_malloc_near},
	{"ask-malloc-half", "malloc(PTRDIFF_MAX + 1).", ask_malloc_half},
	{"ask-realloc", "realloc of an object to SIZE_MAX - 16.", ask_realloc},
	{"ask-aligned", "aligned_alloc(4096, SIZE_MAX - 4095).", ask_aligned},
	{"ask-aligned-up", "aligned_alloc of an alignment and a size of 2^62.", ask_aligned_up},
	{"ask-pvalloc", "pvalloc of a size that wraps when it is rounded up.", ask_pvalloc},
	{"ask-alignment", "posix_memalign with an alignment of 24.", ask_alignment},
	{"ask-alignment-zero", "posix_memalign with an alignment of 0.", ask_alignment_zero},
};
static const struct kind tolds[] = {
	{"told-malloc", "malloc(64) after such objects held a secret and were freed.", told_malloc},
	{"told-malloc-medium", "The same of 20000 bytes.", told_malloc_medium},
	{"told-malloc-large", "The same of 300 KiB.", told_malloc_large},
	{"told-malloc-huge", "The same of 8 MiB.", told_malloc_huge},
	{"told-realloc", "realloc from 64 to 1024 bytes after objects of 1024 held a secret.", told_realloc},
	{"told-thread", "malloc(64) after another thread's objects held a secret.", told_thread},
	{"told-address", "A new object holds the address of another one.", told_address},
	{"told-calloc", "calloc of 64 bytes after such objects held a secret.", told_calloc},
	{"told-calloc-large", "calloc of 300 KiB after such objects held a secret.", told_calloc_large},
	{"told-calloc-huge", "calloc of 8 MiB after such objects held a secret.", told_calloc_huge},
};
static const struct kind places[] = {
	{"place-sequence", "Two processes place their first 64 objects alike.", place_sequence},
	{"place-adjacent", "Objects that are allocated in turn lie side by side.", place_adjacent},
	{"place-reuse", "A request gets the object that was freed last.", place_reuse},
	{"place-base", "The heap's place, in steps of 2 MiB, varies in fewer than 24 bits: the kernel alone gives 19.", place_base},
	{"place-libc", "The distance from the heap to the C library varies in fewer than 20 bits.", place_libc},
	{"place-stack", "The distance from the heap to the stack varies in fewer than 20 bits.", place_stack},
	{"place-large-libc", "The distance from an object of 8 MiB to the C library varies in fewer than 20 bits.", place_large_libc},
	{"place-large", "The distance from an object of 8 MiB to a small one varies in fewer than 20 bits.", place_large},
	{"place-reach-up", "More than 1 MiB behind an object can be written without a fault.", place_reach_up},
	{"place-reach-down", "More than 1 MiB before an object can be written without a fault.", place_reach_down},
};
#endif
