/* Use after free. */
#ifndef HZ3_MISUSE_STALE_H
#define HZ3_MISUSE_STALE_H
#include "misuse.h"

/* Words of a freed object are overwritten from `from` to `to`. */
static void stain(byte *p, size_t from, size_t to, uint64_t value) {
	volatile uint64_t *w = (volatile uint64_t *)(void *)p;
	act();
	for (size_t i = from; i < to; i++) w[i] = value;
	past();
}
static uint64_t choice(void) { return (uint64_t)(uintptr_t)victim; }

static void stale_write(size_t n, size_t from, size_t to, uint64_t value) {
	warm(n);
	byte *p = take(n);
	Free(p);
	stain(p, from, to, value);
	aftermath(n);
}
static void stale_link(void) { stale_write(SMALL, 0, 1, choice()); }
static void stale_second(void) { stale_write(SMALL, 1, 2, choice()); }
static void stale_fill(void) { stale_write(SMALL, 0, SMALL / 8, choice()); }
static void stale_zero(void) { stale_write(SMALL, 0, 1, 0); }
static void stale_garbage(void) { stale_write(SMALL, 0, SMALL / 8, 0x4141414141414141); }
static void stale_far(void) { stale_write(1024, 1024 / 8 - 1, 1024 / 8, choice()); }
static void stale_middle(void) { stale_write(1024, 1024 / 16, 1024 / 16 + 1, choice()); }
static void stale_medium(void) { stale_write(MEDIUM, 0, 64, choice()); }
static void stale_large(void) { stale_write(LARGE_N, 0, 64, choice()); }
static void stale_large_far(void) { stale_write(LARGE_N, LARGE_N / 16, LARGE_N / 16 + 64, choice()); }
static void stale_huge(void) { stale_write(HUGE_N, HUGE_N / 16, HUGE_N / 16 + 64, choice()); }

static void stale_link_many(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	hold_many(300, SMALL);
	Free(p);
	while (lives > 20) drop(lives - 1);
	stain(p, 0, 1, choice());
	aftermath(SMALL);
}

static void stale_all(void) {
	static byte *all[1500];
	for (size_t i = 0; i < 1500; i++) all[i] = take(SMALL);
	for (size_t i = 0; i < 1500; i++) Free(all[i]);
	act();
	for (size_t i = 0; i < 1500; i++) *(volatile uint64_t *)(void *)all[i] = choice();
	past();
	aftermath(SMALL);
}

/* A writer who can read what is there, and knows where another object lies, can undo what only depends on a key. */
static void stale_forged(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = take(SMALL);
	Free(q);
	Free(p);
	act();
	volatile uint64_t *link = (volatile uint64_t *)(void *)p;
	uint64_t key = *link ^ (uint64_t)(uintptr_t)q;
	*link = choice() ^ key;
	past();
	aftermath(SMALL);
}

static void stale_self(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	Free(p);
	stain(p, 0, 1, (uint64_t)(uintptr_t)p);
	aftermath(SMALL);
}

/* The lowest byte of a link: an object sixteen bytes further on. */
static void stale_low(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = take(SMALL);
	Free(q);
	Free(p);
	act();
	*(wild *)p ^= 0x10;
	past();
	aftermath(SMALL);
}

/* A link to an object that is live. */
static void stale_live(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = hold(SMALL);
	Free(p);
	stain(p, 0, 1, (uint64_t)(uintptr_t)q);
	aftermath(SMALL);
}

static void stale_given(void) {
	stain(given_away(), 2, 3, choice());
	aftermath(SMALL);
}

static void stale_realloc(void) {
	stain(moved_away(), 0, 1, choice());
	aftermath(SMALL);
}

static byte *stale;
static void free_stale(void) { Free(stale); }
static void use_size(void) { live_on(SMALL); }
static void stale_thread(void) {
	warm(SMALL);
	stale = take(SMALL);
	in_worker(free_stale);
	stain(stale, 0, 1, choice());
	in_worker(use_size);
	aftermath(SMALL);
}
static void stale_thread_gone(void) {
	warm(SMALL);
	stale = take(SMALL);
	in_thread(free_stale);
	stain(stale, 0, 1, choice());
	aftermath(SMALL);
}

static void stale_read_of(size_t n) {
	warm(n);
	byte *p = take(n);
	memset(p, 0x77, n);
	Free(p);
	act();
	size_t old = 0;
	for (size_t i = 0; i < n; i += 8) old += *(wild *)(p + i) == 0x77;
	past();
	if (old > n / 16) harm("what a freed object held can still be read");
	nothing("the old data is gone");
}
static void stale_read(void) { stale_read_of(SMALL); }
static void stale_read_large(void) { stale_read_of(LARGE_N); }
static void stale_read_huge(void) { stale_read_of(HUGE_N); }

static void stale_read_given(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = NULL;
	Free(p);
	for (size_t i = 0; i < many(SMALL) && q != p; i++) {
		q = Malloc(SMALL);
		if (q) memset(q, 0x77, SMALL);
	}
	act();
	byte seen = *(wild *)(p + 24);
	past();
	if (seen == 0x77) harm("the data of a live object was read by an old address");
	nothing("the memory was given to nobody else");
}

/* A fault that a program commits again and again: who looks at some objects only finds it so. */
static void stale_often(void) {
	static byte *ring[64];
	act();
	for (size_t i = 0; i < 400000; i++) {
		byte *p = ring[i % 64];
		Free(p);
		if (p) (void)*(wild *)p;
		ring[i % 64] = Malloc(ODD);
	}
	past();
	nothing("no harm was seen");
}

static const struct kind stales[] = {
	{"stale-link", "The first word of a freed object becomes an address.", stale_link},
	{"stale-link-many", "The same, after 300 other objects were freed.", stale_link_many},
	{"stale-all", "The same to 1500 freed objects.", stale_all},
	{"stale-second", "The second word of a freed object becomes an address.", stale_second},
	{"stale-fill", "All words of a freed object become an address.", stale_fill},
	{"stale-zero", "The first word of a freed object becomes 0.", stale_zero},
	{"stale-garbage", "A freed object is filled with letters.", stale_garbage},
	{"stale-low", "The lowest byte of a freed object changes.", stale_low},
	{"stale-self", "The first word of a freed object becomes its own address.", stale_self},
	{"stale-live", "The first word of a freed object becomes the address of a live one.", stale_live},
	{"stale-forged", "The first word is read, and forged by what it says and where the object lies that was freed before.", stale_forged},
	{"stale-far", "The last word of a freed object of 1024 bytes becomes an address.", stale_far},
	{"stale-middle", "The middle word of a freed object of 1024 bytes becomes an address.", stale_middle},
	{"stale-medium", "The first 512 bytes of a freed object of 20000 are overwritten.", stale_medium},
	{"stale-large", "The first 512 bytes of a freed object of 300 KiB are overwritten.", stale_large},
	{"stale-large-far", "The middle of a freed object of 300 KiB is overwritten.", stale_large_far},
	{"stale-huge", "The middle of a freed object of 8 MiB is overwritten.", stale_huge},
	{"stale-realloc", "realloc moves an object, and the old address is written to.", stale_realloc},
	{"stale-thread", "Another thread frees an object, which is written to.", stale_thread},
	{"stale-thread-gone", "A thread frees an object and ends; the object is written to.", stale_thread_gone},
	{"stale-given", "The memory was given to somebody else before it is written to.", stale_given},
	{"stale-read", "A freed object is read.", stale_read},
	{"stale-read-large", "A freed object of 300 KiB is read.", stale_read_large},
	{"stale-read-huge", "A freed object of 8 MiB is read.", stale_read_huge},
	{"stale-often", "A byte of each of 400000 freed objects is read.", stale_often},
	{"stale-read-given", "The memory was given to somebody else before it is read.", stale_read_given},
};
#endif
