/* Overflows, underflows, and writes that go on until something stops them. */
#ifndef HZ3_MISUSE_BOUNDS_H
#define HZ3_MISUSE_BOUNDS_H
#include "misuse.h"

/* Bytes `from` to `to`, counted from an object's start, are overwritten by addresses of the writer's choice. */
static void overwrite(byte *p, ptrdiff_t from, ptrdiff_t to) {
	uint64_t value = (uint64_t)(uintptr_t)victim;
	act();
	for (ptrdiff_t i = from; i < to; i++) ((wild *)p)[i] = (byte)(value >> (uintptr_t)(p + i) % 8 * 8);
	past();
}

/* Who wrote too far frees the object: that is when an allocator can see it. Then harm is looked for. */
__attribute__((noreturn)) static void ended(byte *p, size_t n) {
	disown(p);
	Free(p);
	look_all();
	aftermath(n);
}

/* Beyond what the object can be used for. */
static void beyond(size_t n, size_t by) {
	warm(n);
	byte *a, *b;
	if (!neighbours(n, &a, &b)) a = hold(n);
	if (!a) absent("no memory");
	size_t whole = Usable(a);
	overwrite(a, (ptrdiff_t)whole, (ptrdiff_t)(whole + by));
	ended(a, n);
}
static void over_1(void) { beyond(SMALL, 1); }
static void over_8(void) { beyond(SMALL, 8); }
static void over_16(void) { beyond(SMALL, 16); }
static void over_64(void) { beyond(SMALL, 64); }
static void over_page(void) { beyond(SMALL, 4096); }
static void over_megabyte(void) { beyond(SMALL, 1 << 20); }
static void over_medium(void) { beyond(MEDIUM, 16); }
static void over_large(void) { beyond(LARGE_N, 1); }
static void over_large_page(void) { beyond(LARGE_N, 4096); }
static void over_huge(void) { beyond(HUGE_N, 1); }
static void over_huge_page(void) { beyond(HUGE_N, 4096); }

/* Within what the object's class has beyond the request. */
static void slack(size_t n, size_t by) {
	warm(n);
	byte *p = hold(n);
	overwrite(p, (ptrdiff_t)n, (ptrdiff_t)(n + by));
	ended(p, n);
}
static void over_slack(void) { slack(ODD, 1); }
static void over_slack_large(void) { slack(LARGE_N + 100, 1); }
static void over_slack_page(void) { slack(4000, 8); }

static void over_nothing(void) {
	byte *p = NULL;
	for (int i = 0; i < 8; i++) p = Malloc(0);
	if (!p) absent("malloc(0) is null");
	overwrite(p, 0, 16);
	ended(p, 16);
}

/* Up to the first word of the object behind, which was freed. */
static void over_free(void) {
	byte *a, *b;
	warm(SMALL);
	if (!neighbours(SMALL, &a, &b)) absent("no object lies behind another one");
	drop_object(b);
	overwrite(a, SMALL, b - a + 8);
	ended(a, SMALL);
}

/* The classic of strings: the zero at the end stands one byte too far. */
static void over_zero(void) {
	byte *a, *b;
	warm(SMALL);
	if (!neighbours(SMALL, &a, &b)) absent("no object lies behind another one");
	drop_object(b);
	size_t whole = Usable(a);
	act();
	((wild *)a)[whole] = 0;
	past();
	ended(a, SMALL);
}

static void over_live_of(size_t n) {
	byte *a, *b;
	warm(n);
	if (!neighbours(n, &a, &b)) absent("no object lies behind another one");
	overwrite(a, (ptrdiff_t)n, b - a + 16);
	ended(a, n);
}
static void over_live(void) { over_live_of(SMALL); }
static void over_live_large(void) { over_live_of(LARGE_N); }
static void over_live_huge(void) { over_live_of(HUGE_N); }

static void over_read(void) {
	byte *a, *b;
	warm(SMALL);
	if (!neighbours(SMALL, &a, &b)) absent("no object lies behind another one");
	uint64_t seen = 0, there = *(volatile uint64_t *)(void *)b;
	act();
	for (ptrdiff_t i = b - a; i < b - a + 8; i++) seen |= (uint64_t)((wild *)a)[i] << (i - (b - a)) * 8;
	past();
	if (seen == there) harm("the data of a live object was read from its neighbour");
	nothing("nothing was read");
}

/* A fault that a program commits again and again: who looks at some objects only finds it so. */
static void over_often(void) {
	static byte *ring[64];
	act();
	for (size_t i = 0; i < 400000; i++) {
		Free(ring[i % 64]);
		byte *p = ring[i % 64] = Malloc(ODD);
		if (p) (void)((wild *)p)[Usable(p)];
	}
	past();
	nothing("no harm was seen");
}

/* Before the object. */
static void before(size_t n, size_t by) {
	byte *a, *b;
	warm(n);
	/* The second of two has something before it. */
	if (!neighbours(n, &a, &b)) b = hold(n);
	if (!b) absent("no memory");
	overwrite(b, -(ptrdiff_t)by, 0);
	ended(b, n);
}
static void under_1(void) { before(SMALL, 1); }
static void under_8(void) { before(SMALL, 8); }
static void under_16(void) { before(SMALL, 16); }
static void under_64(void) { before(SMALL, 64); }
static void under_medium(void) { before(MEDIUM, 16); }
static void under_large(void) { before(LARGE_N, 16); }
static void under_huge(void) { before(HUGE_N, 16); }

static void under_free(void) {
	byte *a, *b;
	warm(SMALL);
	if (!neighbours(SMALL, &a, &b)) absent("no object lies behind another one");
	drop_object(a);
	overwrite(b, a - b, 0);
	ended(b, SMALL);
}

/* ---- as far as it goes ---- */

/* What is overwritten on the way is not looked after any more: only what the allocator does with it counts. Where nothing can be
 * overwritten, the first byte of it is the fault. */
static void sweep(byte *p, ptrdiff_t from, ptrdiff_t to) {
	lives = 0;
	if (from == to) overwrite(p, to ? from : -1, to ? to + 1 : 0);
	overwrite(p, from, to);
	aftermath(SMALL);
}
enum { FAR = 16 << 20 };

static void sweep_page(void) {
	warm(SMALL);
	byte *p = hold(SMALL), *page = p - (uintptr_t)p % 4096;
	if (!reachable(page - 1)) absent("the page before cannot be written");
	sweep(page, -4096, 0);
}
static void sweep_down(void) {
	warm(SMALL);
	byte *p = hold(SMALL), *low, *high;
	span(p, FAR, &low, &high);
	sweep(p, low - p, 0);
}
static void sweep_up(void) {
	warm(SMALL);
	byte *p = hold(SMALL), *low, *high;
	span(p, FAR, &low, &high);
	sweep(p, SMALL, high - p);
}
static void sweep_down_from(size_t n) {
	byte *p = hold(n), *low, *high;
	span(p, FAR, &low, &high);
	sweep(p, low - p, 0);
}
static void sweep_up_from(size_t n) {
	byte *p = hold(n), *low, *high;
	span(p, n + FAR, &low, &high);
	sweep(p, (ptrdiff_t)n, high - p);
}
static void sweep_large_down(void) { sweep_down_from(LARGE_N); }
static void sweep_large_up(void) { sweep_up_from(LARGE_N); }
static void sweep_huge_down(void) { sweep_down_from(HUGE_N); }
static void sweep_huge_up(void) { sweep_up_from(HUGE_N); }

/* Where allocators keep a header: at the start of an aligned piece of memory. */
static void header(size_t unit) {
	warm(SMALL);
	byte *p = hold(SMALL), *h = p - (uintptr_t)p % unit;
	if (!reachable(h)) absent("nothing can be written there");
	sweep(h, 0, 256);
}
static void header_64k(void) { header(64 << 10); }
static void header_2m(void) { header(2 << 20); }
static void header_4m(void) { header(4 << 20); }
static void header_32m(void) { header(32 << 20); }

static const struct kind overs[] = {
	{"over-slack", "An object of 100 bytes is written to at byte 100.", over_slack},
	{"over-slack-page", "An object of 4000 bytes is written to at bytes 4000 to 4007.", over_slack_page},
	{"over-slack-large", "An object of 300 KiB and 100 bytes is written to one byte behind its end.", over_slack_large},
	{"over-nothing", "Sixteen bytes are written to an object of 0 bytes.", over_nothing},
	{"over-1", "One byte is written behind malloc_usable_size.", over_1},
	{"over-8", "Eight bytes are written behind malloc_usable_size.", over_8},
	{"over-16", "Sixteen bytes are written there.", over_16},
	{"over-64", "64 bytes are written there.", over_64},
	{"over-page", "4096 bytes are written there.", over_page},
	{"over-megabyte", "A megabyte is written there.", over_megabyte},
	{"over-zero", "One zero is written behind an object; the object behind it is free.", over_zero},
	{"over-free", "An object is overrun up to the first word of a free one.", over_free},
	{"over-live", "An object is overrun up to the second word of a live one.", over_live},
	{"over-live-large", "An object of 300 KiB is overrun up to the second word of a live one.", over_live_large},
	{"over-live-huge", "An object of 8 MiB is overrun up to the second word of a live one.", over_live_huge},
	{"over-medium", "Sixteen bytes are written behind an object of 20000.", over_medium},
	{"over-large", "One byte is written behind an object of 300 KiB.", over_large},
	{"over-large-page", "4096 bytes are written behind an object of 300 KiB.", over_large_page},
	{"over-huge", "One byte is written behind an object of 8 MiB.", over_huge},
	{"over-huge-page", "4096 bytes are written behind an object of 8 MiB.", over_huge_page},
	{"over-read", "The first word of the object behind is read.", over_read},
	{"over-often", "A byte is read behind each of 400000 objects.", over_often},
};
static const struct kind unders[] = {
	{"under-1", "One byte is written before an object.", under_1},
	{"under-8", "Eight bytes are written before an object.", under_8},
	{"under-16", "Sixteen bytes are written before an object.", under_16},
	{"under-64", "64 bytes are written before an object.", under_64},
	{"under-free", "Everything is overwritten back to the start of the free object before.", under_free},
	{"under-medium", "Sixteen bytes are written before an object of 20000.", under_medium},
	{"under-large", "Sixteen bytes are written before an object of 300 KiB.", under_large},
	{"under-huge", "Sixteen bytes are written before an object of 8 MiB.", under_huge},
};
static const struct kind sweeps[] = {
	{"meta-page", "The page before an object's page is overwritten.", sweep_page},
	{"meta-down", "Everything before an object is overwritten until a fault, at most 16 MiB.", sweep_down},
	{"meta-up", "Everything behind an object is overwritten until a fault, at most 16 MiB.", sweep_up},
	{"meta-large-down", "Everything before an object of 300 KiB is overwritten until a fault, at most 16 MiB.", sweep_large_down},
	{"meta-large-up", "Everything behind an object of 300 KiB is overwritten until a fault, at most 16 MiB.", sweep_large_up},
	{"meta-huge-down", "Everything before an object of 8 MiB is overwritten until a fault, at most 16 MiB.", sweep_huge_down},
	{"meta-huge-up", "Everything behind an object of 8 MiB is overwritten until a fault, at most 16 MiB.", sweep_huge_up},
	{"meta-64k", "256 bytes are overwritten at the multiple of 64 KiB before an object.", header_64k},
	{"meta-2m", "256 bytes are overwritten at the multiple of 2 MiB before an object.", header_2m},
	{"meta-4m", "256 bytes are overwritten at the multiple of 4 MiB before an object.", header_4m},
	{"meta-32m", "256 bytes are overwritten at the multiple of 32 MiB before an object.", header_32m},
};
#endif
