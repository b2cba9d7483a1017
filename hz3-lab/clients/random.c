/* Random mixed, one thread: each step picks a slot; what is in it is freed, or else something new is put there. */
#include "lab.h"

struct slot { byte *p; uint64_t n; };
static uint64_t live, live_peak, failures, wrong;

static inline __attribute__((always_inline)) void run(struct slot *slots, uint32_t ws, const struct sizes *sizes,
		uint64_t steps, uint64_t *seed, const bool flat) {
	uint64_t s = *seed, now = live, top = live_peak, failed = 0;
	for (uint64_t i = 0; i < steps; i++) {
		struct slot *o = &slots[pick(lcg(&s), ws)];
		if (o->p) {
			free(o->p);
			now -= o->n;
			o->p = NULL;
		} else {
			uint32_t n = flat ? size_flat(sizes, lcg(&s)) : size_band(sizes, lcg(&s));
			byte *p = malloc(n);
			if (__builtin_expect(!p, 0)) { failed++; continue; }
			mark(p, n);
			o->p = p;
			o->n = n;
			now += n;
			if (now > top) top = now;
		}
	}
	*seed = s;
	live = now;
	live_peak = top;
	failures += failed;
}

int main(int argc, char **argv) {
	uint64_t ws = 400, steps = 20000000, min = 16, max = 2048, rounds = 16;
	const char *dist = "uniform";
	const struct opt opts[] = {
		{"ws", "slots", &ws, NULL}, {"steps", "steps in all", &steps, NULL}, {"min", "smallest size (uniform)", &min, NULL},
		{"max", "largest size (uniform)", &max, NULL}, {"dist", "uniform, app or trimix4096", NULL, &dist}, {0}};
	lab_options(argc, argv, "random", "random mixed malloc and free, one thread", opts);
	if (ws < 1 || ws > UINT32_MAX) lab_die("--ws: 1 to 4G");
	struct sizes sizes;
	sizes_init(&sizes, dist, min, max);
	struct slot *slots = book(ws * sizeof *slots);
	memset(slots, 0, ws * sizeof *slots);
	uint64_t s = lab_stream(0);
	double took = 0;
	/* The marks of all live objects are looked at between rounds, outside of the measured time. */
	for (uint64_t r = 0; r < rounds; r++) {
		uint64_t part = steps / rounds + (r < steps % rounds);
		double t = cpu();
		if (sizes.flat) run(slots, (uint32_t)ws, &sizes, part, &s, true);
		else run(slots, (uint32_t)ws, &sizes, part, &s, false);
		took += cpu() - t;
		for (uint64_t i = 0; i < ws; i++) if (slots[i].p && !marked(slots[i].p, slots[i].n)) wrong++;
	}
	for (uint64_t i = 0; i < ws; i++) if (slots[i].p) { live -= slots[i].n; free(slots[i].p); }
	munmap(slots, ws * sizeof *slots);
	put_u64("ws", ws);
	put_str("dist", dist);
	return lab_end(steps, took, live_peak, live, failures, wrong);
}
