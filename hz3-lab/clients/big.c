/* Large objects: random sizes on a logarithmic scale, and buffers that grow by realloc. */
#include "lab.h"

struct slot { byte *p; uint64_t n; };
static uint64_t threads = 1, ws = 16, steps = 20000, min = 64 << 10, max = 32 << 20, stride = 0;
static const char *mode = "random";
static _Atomic uint64_t failures, wrong;

static inline uint64_t log_size(uint64_t r) { /* every doubling between min and max is equally likely */
	unsigned lo = 63u - (unsigned)__builtin_clzll(min), hi = 63u - (unsigned)__builtin_clzll(max);
	unsigned k = lo + pick(r, hi > lo ? hi - lo : 1);
	uint64_t n = (1ull << k) + (r & ((1ull << k) - 1));
	return n < min ? min : n > max ? max : n;
}

static inline void touch(byte *p, uint64_t n) {
	if (stride) for (uint64_t i = 0; i < n; i += stride) p[i] = 1;
	mark(p, n);
}

static void *random_large(void *arg) {
	uint64_t s = lab_stream((uint64_t)(uintptr_t)arg), failed = 0, bad = 0;
	int64_t delta = 0;
	struct slot *slots = book(ws * sizeof *slots);
	lab_enter();
	for (uint64_t i = 0; i < steps; i++) {
		struct slot *o = &slots[pick(lcg(&s), (uint32_t)ws)];
		if (o->p) {
			if (!marked(o->p, o->n)) bad++;
			free(o->p);
			live_add(&delta, -(int64_t)o->n);
			o->p = NULL;
		} else {
			uint64_t n = log_size(lcg(&s));
			byte *p = malloc(n);
			if (!p) { failed++; continue; }
			touch(p, n);
			*o = (struct slot){p, n};
			live_add(&delta, (int64_t)n);
		}
	}
	lab_leave();
	for (uint64_t i = 0; i < ws; i++) if (slots[i].p) { free(slots[i].p); live_add(&delta, -(int64_t)slots[i].n); }
	live_publish(&delta);
	munmap(slots, ws * sizeof *slots);
	failures += failed;
	wrong += bad;
	return NULL;
}

/* Each buffer grows from min to max by a factor or a step, the new end is written, old marks must have moved along;
 * then it is freed and starts again. `ws` buffers grow side by side, so that growth in place is not always possible. */
static void *grow(void *arg) {
	uint64_t s = lab_stream((uint64_t)(uintptr_t)arg), failed = 0, bad = 0;
	int64_t delta = 0;
	struct slot *slots = book(ws * sizeof *slots);
	lab_enter();
	for (uint64_t i = 0; i < steps; i++) {
		struct slot *o = &slots[pick(lcg(&s), (uint32_t)ws)];
		uint64_t n = o->n ? o->n + o->n / 2 + (lcg(&s) >> 60) : min;
		if (n > max) {
			if (!marked(o->p, o->n)) bad++;
			free(o->p);
			live_add(&delta, -(int64_t)o->n);
			*o = (struct slot){0};
			continue;
		}
		byte *p = realloc(o->p, n);
		if (!p) { failed++; continue; }
		if (o->n && !marked(p, o->n)) bad++;
		touch(p, n);
		live_add(&delta, (int64_t)(n - o->n));
		*o = (struct slot){p, n};
	}
	lab_leave();
	for (uint64_t i = 0; i < ws; i++) if (slots[i].p) { free(slots[i].p); live_add(&delta, -(int64_t)slots[i].n); }
	live_publish(&delta);
	munmap(slots, ws * sizeof *slots);
	failures += failed;
	wrong += bad;
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"mode", "random or realloc", NULL, &mode}, {"threads", "threads", &threads, NULL}, {"ws", "slots a thread", &ws, NULL},
		{"steps", "steps a thread", &steps, NULL}, {"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL},
		{"stride", "also write one byte every N bytes; 0: only the two ends", &stride, NULL}, {0}};
	lab_options(argc, argv, "big", "large objects and growing buffers", opts);
	bool is_realloc = !strcmp(mode, "realloc");
	if (!is_realloc && strcmp(mode, "random")) lab_die("--mode: random or realloc");
	if (min < 2 || max < min || ws < 1 || ws > UINT32_MAX || threads < 1 || threads > 1024) lab_die("big: 2 <= min <= max, at least one slot, 1 to 1024 threads");
	pthread_t *id = book(threads * sizeof *id);
	lab_gate_for(threads);
	for (uint64_t i = 0; i < threads; i++) id[i] = lab_thread(is_realloc ? grow : random_large, (void *)(uintptr_t)(i + 1));
	for (uint64_t i = 0; i < threads; i++) pthread_join(id[i], NULL);
	put_str("mode", mode);
	put_u64("threads", threads);
	return lab_end(threads * steps, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
