/* Phase change: very many small objects are made and all freed; then the program idles, or ticks along with one small
 * object now and then. What stays resident? */
#include "lab.h"

struct slot { byte *p; uint32_t n; } __attribute__((packed));

int main(int argc, char **argv) {
	uint64_t bytes = 1ull << 30, min = 16, max = 512, idle = 2000, tick = 0;
	const struct opt opts[] = {
		{"bytes", "bytes that are live at the peak", &bytes, NULL}, {"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL},
		{"idle-ms", "milliseconds between the last free and the reading", &idle, NULL},
		{"tick", "1: allocate and free one object every millisecond meanwhile", &tick, NULL}, {0}};
	lab_options(argc, argv, "phase", "a phase of small objects, all freed, and what stays resident", opts);
	struct sizes sizes;
	sizes_init(&sizes, "uniform", min, max);
	uint64_t room = bytes / ((min + max) / 2) * 21 / 20 + 4096;
	struct slot *slots = book(room * sizeof *slots);
	uint64_t s = lab_stream(0), live = 0, n = 0, failures = 0, wrong = 0;
	double t = now();
	for (; live < bytes && n < room; n++) {
		uint32_t z = size_flat(&sizes, lcg(&s));
		byte *p = malloc(z);
		if (!p) { failures++; break; }
		mark(p, z);
		slots[n].p = p;
		slots[n].n = z;
		live += z;
	}
	double made = now() - t;
	uint64_t rss_full = rss_now(), top = live;
	/* Freed in an order that is neither that of allocation nor its reverse: every 61st, 61 times. */
	t = now();
	for (uint64_t k = 0; k < 61; k++)
		for (uint64_t i = k; i < n; i += 61) {
			if (!marked(slots[i].p, slots[i].n)) wrong++;
			free(slots[i].p);
			live -= slots[i].n;
		}
	double gone = now() - t;
	munmap(slots, room * sizeof *slots);
	uint64_t rss_freed = rss_now();
	double until = now() + (double)idle * 1e-3;
	if (tick) while (now() < until) {
		byte *p = malloc(100);
		if (p) { mark(p, 100); free(p); }
		usleep(1000);
	}
	else while (now() < until) usleep((useconds_t)((until - now()) * 1e6) + 1);
	put_u64("rss_full", rss_full);
	put_u64("rss_freed", rss_freed);
	return lab_end(2 * n, made + gone, top, live, failures, wrong);
}
