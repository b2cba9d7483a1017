/* Plateau: a program climbs to a plateau of live memory, stays there while its objects come and go, frees most of them at
 * random, and stays with the rest, which come and go as well. What is resident at the end of each part? The live bytes
 * stand beside it: what is above them on the plateau is the allocator's, and what is above them at the end is what
 * objects that stay alive keep of the pages that the others had. */
#include "lab.h"

struct slot { byte *p; uint32_t n; } __attribute__((packed));
static struct slot *slots;
static struct sizes sizes;
static uint64_t s, live, top, failures, wrong, ops;

static void fill(struct slot *o) {
	uint32_t z = size_of(&sizes, lcg(&s));
	byte *p = malloc(z);
	ops++;
	if (!p) { failures++; return; }
	for (uint32_t i = 0; i < z; i += 4096) p[i] = 1;
	mark(p, z);
	*o = (struct slot){p, z};
	live += z;
	if (live > top) top = live;
}

static void clear(struct slot *o) {
	if (!o->p) return;
	if (!marked(o->p, o->n)) wrong++;
	free(o->p);
	live -= o->n;
	o->p = NULL;
	ops++;
}

/* Replaces objects chosen at random, as often as said. */
static void churn(uint64_t n, uint64_t steps) {
	for (uint64_t i = 0; i < steps && n; i++) {
		struct slot *o = &slots[pick(lcg(&s), (uint32_t)n)];
		clear(o);
		fill(o);
	}
}

int main(int argc, char **argv) {
	uint64_t bytes = 512ull << 20, min = 16, max = 32768, steps = 4, keep = 10, stay = 2000, each = 20;
	const char *dist = "app";
	const struct opt opts[] = {
		{"bytes", "bytes that are live on the plateau", &bytes, NULL}, {"dist", "uniform, app or trimix4096", NULL, &dist},
		{"min", "smallest size (uniform)", &min, NULL}, {"max", "largest size (uniform)", &max, NULL},
		{"steps", "times that an object is replaced on the plateau, on average", &steps, NULL},
		{"keep", "percent of the objects that stay", &keep, NULL},
		{"stay-ms", "milliseconds with those that stayed", &stay, NULL},
		{"each-ms", "objects replaced in each of these", &each, NULL}, {0}};
	lab_options(argc, argv, "plateau", "live memory that climbs, stays, falls and stays: what is resident", opts);
	if (keep > 100 || steps < 1) lab_die("plateau: keep 0 to 100 percent, at least one step");
	sizes_init(&sizes, dist, min, max);
	s = lab_stream(0);
	/* Objects of 16 bytes at the least. (What is not touched of the books costs nothing.) */
	uint64_t room = bytes / 16 + 1, n = 0;
	if (room > UINT32_MAX) lab_die("plateau: at most 64 GiB");
	slots = book(room * sizeof *slots);
	double t = now();
	for (; live < bytes && n < room; n++) fill(&slots[n]);
	double took = now() - t;
	uint64_t rss_full = rss_now(), live_full = live;
	t = now();
	churn(n, n * steps);
	took += now() - t;
	uint64_t rss_churned = rss_now(), live_churned = live;
	t = now();
	uint64_t left = 0;
	for (uint64_t i = 0; i < n; i++) {
		if (pick(lcg(&s), 100) < keep) slots[left++] = slots[i];
		else clear(&slots[i]);
	}
	took += now() - t;
	/* The books of what is gone are not resident any more, either. */
	uint64_t used = (left * sizeof *slots + 4095) & ~4095ull, were = n * sizeof *slots;
	if (were > used) madvise((byte *)slots + used, were - used, MADV_DONTNEED);
	uint64_t rss_fallen = rss_now(), live_fallen = live;
	for (double until = now() + (double)stay * 1e-3; now() < until; usleep(1000)) {
		t = now();
		churn(left, each);
		took += now() - t;
	}
	lab_resident = rss_now();
	uint64_t live_stayed = live;
	for (uint64_t i = 0; i < left; i++) clear(&slots[i]);
	munmap(slots, room * sizeof *slots);
	put_str("dist", dist);
	put_u64("rss_full", rss_full);
	put_u64("live_full", live_full);
	put_u64("rss_churned", rss_churned);
	put_u64("live_churned", live_churned);
	put_u64("rss_fallen", rss_fallen);
	put_u64("live_fallen", live_fallen);
	put_u64("rss_stayed", lab_resident);
	put_u64("live_stayed", live_stayed);
	return lab_end(ops, took, top, live, failures, wrong);
}
