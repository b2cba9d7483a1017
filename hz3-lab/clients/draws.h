/* What a workload draws: kinds of objects, their sizes and lifetimes. Every number was prepared, and no text is read. */
#ifndef HZ3_LAB_DRAWS_H
#define HZ3_LAB_DRAWS_H
#include "lab.h"

enum form { FIXED, FLAT, LOG, MEAN, PHASE, RUN };
enum call { MALLOC, CALLOC, MEMALIGN };
enum touch { ENDS, PAGES, ALL };
/* LOG: `more` is the log2 of b / a, in 2^-32. MEAN: exponential around a, at most b. PHASE, RUN: as long as these. */
struct dist { uint64_t form, a, b, more; };
struct kind {
	uint64_t weight;
	struct dist size, life;
	uint64_t call, align, handed; /* handed: of 2^32 */
	uint64_t times, percent;      /* resized so often, each time to so many percent */
	uint64_t touch;
};
struct phase { uint64_t steps, pause_ms, first, kinds; };
struct head { char magic[8]; uint64_t threads, renew, phases, kinds, resident; };

/* Which kind a step makes. A phase of up to DECK steps has a deck, in which each kind is as often as its weight says, to one:
 * of a large object that comes once in a phase there is one, and not none or three. Threads begin at different places of it.
 * In longer phases kinds are drawn: below `share` it is the choice's own kind, else the other. */
#define DECK (256 << 10)
struct choice { uint32_t share; uint16_t own, other; };
struct draw { uint16_t *deck; struct choice *choices; };

static struct kind *kinds;

static double powers[257], logs[1025];

/* 2^(i/256), and the quantiles of an exponential distribution around 1. */
static void tables(void) {
	powers[0] = 1;
	for (int i = 1; i < 257; i++) powers[i] = powers[i - 1] * 1.0027112750502024854;
	for (int i = 0; i < 1025; i++) {
		/* -ln(x): halved until it is near 1, then the series of 2 atanh((x-1)/(x+1)). */
		double x = (1025 - i - .5) / 1024.5, sum = 0;
		for (; x < .70710678118654752; x *= 2) sum += 0.69314718055994530942;
		double y = (x - 1) / (x + 1), term = y, more = 0;
		for (int k = 1; k < 30; k += 2, term *= y * y) more += term / k;
		logs[i] = sum - 2 * more;
	}
}

static inline uint64_t draw(const struct dist *d, uint64_t *s) {
	if (d->form == FIXED) return d->a;
	uint64_t r = lcg(s);
	if (d->form == FLAT) return d->a + (uint64_t)(((unsigned __int128)r * (d->b - d->a + 1)) >> 64);
	double v;
	if (d->form == LOG) {
		uint64_t x = (uint64_t)(((unsigned __int128)r * d->more) >> 64); /* in 2^-32 */
		unsigned at = (unsigned)(x >> 24) & 255;
		double rest = (double)(x & 0xffffff) * (1.0 / (1 << 24));
		v = (double)d->a * (double)(1ull << (x >> 32)) * (powers[at] + (powers[at + 1] - powers[at]) * rest);
	} else {
		unsigned at = (unsigned)(r >> 54);
		double rest = (double)((r >> 22) & 0xffffffff) * (1.0 / 4294967296.0);
		v = (double)d->a * (logs[at] + (logs[at + 1] - logs[at]) * rest);
	}
	uint64_t low = d->form == LOG ? d->a : 1, n = (uint64_t)(v + .5);
	return n < low ? low : n > d->b ? d->b : n;
}

/* As many of each kind as its weight says, and what is left to those that lost most by rounding; then shuffled. */
static void fill_deck(const struct phase *f, uint16_t *deck) {
	uint32_t n = (uint32_t)f->kinds, filled = 0;
	double sum = 0, *lost = book(n * sizeof *lost);
	for (uint32_t i = 0; i < n; i++) sum += (double)kinds[f->first + i].weight;
	for (uint32_t i = 0; i < n; i++) {
		double want = (double)kinds[f->first + i].weight * (double)f->steps / sum;
		uint32_t have = (uint32_t)want;
		lost[i] = want - have;
		while (have-- && filled < f->steps) deck[filled++] = (uint16_t)(f->first + i);
	}
	while (filled < f->steps) {
		uint32_t most = 0;
		for (uint32_t i = 1; i < n; i++) if (lost[i] > lost[most]) most = i;
		lost[most] -= 1;
		deck[filled++] = (uint16_t)(f->first + most);
	}
	uint64_t s = lab_stream(1ull << 32 | f->first);
	for (uint32_t i = filled; i > 1; i--) {
		uint32_t k = pick(lcg(&s), i);
		uint16_t old = deck[i - 1];
		deck[i - 1] = deck[k];
		deck[k] = old;
	}
	munmap(lost, n * sizeof *lost);
}

/* Each choice is equally likely, and has one kind or two (Vose's alias method). */
static void choose(const struct phase *f, struct choice *c) {
	uint32_t n = (uint32_t)f->kinds, *small = book(n * 2 * sizeof *small), *large = small + n, smalls = 0, larges = 0;
	double *w = book(n * sizeof *w), sum = 0;
	for (uint32_t i = 0; i < n; i++) sum += (double)kinds[f->first + i].weight;
	for (uint32_t i = 0; i < n; i++) {
		w[i] = (double)kinds[f->first + i].weight * n / sum;
		if (w[i] < 1) small[smalls++] = i;
		else large[larges++] = i;
	}
	while (smalls && larges) {
		uint32_t i = small[--smalls], k = large[larges - 1];
		c[i] = (struct choice){(uint32_t)(w[i] * 4294967295.0), (uint16_t)(f->first + i), (uint16_t)(f->first + k)};
		w[k] -= 1 - w[i];
		if (w[k] < 1) { larges--; small[smalls++] = k; }
	}
	while (smalls || larges) {
		uint32_t i = smalls ? small[--smalls] : large[--larges];
		c[i] = (struct choice){UINT32_MAX, (uint16_t)(f->first + i), (uint16_t)(f->first + i)};
	}
	munmap(small, n * 2 * sizeof *small);
	munmap(w, n * sizeof *w);
}
#endif
