/* The other members of the malloc family under the random workload: calloc, aligned allocation, realloc of small
 * objects. */
#include "lab.h"

struct slot { byte *p; uint64_t n; };

int main(int argc, char **argv) {
	uint64_t ws = 400, steps = 2000000, min = 16, max = 8192, align_max = 4096, rounds = 16;
	const char *mode = "calloc";
	const struct opt opts[] = {
		{"mode", "calloc, aligned or resize", NULL, &mode}, {"ws", "slots", &ws, NULL}, {"steps", "steps in all", &steps, NULL},
		{"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL},
		{"align", "aligned: largest alignment, a power of two", &align_max, NULL}, {0}};
	lab_options(argc, argv, "families", "calloc, aligned allocation, small realloc", opts);
	bool zero = !strcmp(mode, "calloc"), aligned = !strcmp(mode, "aligned");
	if (!zero && !aligned && strcmp(mode, "resize")) lab_die("--mode: calloc, aligned or resize");
	if (ws < 1 || ws > UINT32_MAX || align_max < 16 || align_max & (align_max - 1)) lab_die("families: at least one slot, an alignment of 2^k >= 16");
	unsigned doublings = (unsigned)__builtin_ctzll(align_max) - 3;
	struct sizes sizes;
	sizes_init(&sizes, "uniform", min, max);
	struct slot *slots = book(ws * sizeof *slots);
	uint64_t s = lab_stream(0), live = 0, top = 0, failures = 0, wrong = 0;
	double took = 0;
	for (uint64_t r = 0; r < rounds; r++) {
		uint64_t part = steps / rounds + (r < steps % rounds);
		double t = cpu();
		for (uint64_t i = 0; i < part; i++) {
			struct slot *o = &slots[pick(lcg(&s), (uint32_t)ws)];
			uint64_t draw = lcg(&s);
			uint32_t n = size_flat(&sizes, draw);
			byte *p;
			if (o->p && (zero || aligned)) {
				free(o->p);
				live -= o->n;
				o->p = NULL;
				continue;
			}
			if (zero) {
				p = calloc(1, n);
				if (p && (p[0] | p[n / 2] | p[n - 1])) wrong++;
			} else if (aligned) {
				uint64_t a = 16ull << ((draw & 0xffff) % doublings);
				p = aligned_alloc(a, n);
				if ((uintptr_t)p & (a - 1)) wrong++;
			} else {
				p = realloc(o->p, n);
				if (p && o->p && p[0] != (byte)o->n) wrong++;
				if (p && o->p) live -= o->n;
			}
			if (!p) { failures++; continue; }
			mark(p, n);
			if (zero) p[n / 2] |= 1; /* dirty what the next calloc of these bytes must find clean */
			*o = (struct slot){p, n};
			live += n;
			if (live > top) top = live;
		}
		took += cpu() - t;
		for (uint64_t i = 0; i < ws; i++) if (slots[i].p && slots[i].n > 2 && !marked(slots[i].p, slots[i].n)) wrong++;
	}
	/* calloc: every byte of some fresh objects, after dirty frees. */
	for (uint64_t i = 0; i < ws; i++) if (slots[i].p) { memset(slots[i].p, 0xa5, slots[i].n); free(slots[i].p); live -= slots[i].n; }
	if (zero) for (uint64_t i = 0; i < 64; i++) {
		uint32_t n = size_flat(&sizes, lcg(&s));
		byte *p = calloc(n, 1);
		for (uint32_t k = 0; p && k < n; k++) if (p[k]) { wrong++; break; }
		free(p);
	}
	munmap(slots, ws * sizeof *slots);
	put_str("mode", mode);
	return lab_end(steps, took, top, live, failures, wrong);
}
