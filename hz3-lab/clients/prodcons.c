/* Producer and consumer: one side only allocates, the other only frees, through a bounded queue. Memory must stay
 * bounded however long it goes on; `rss_tenths` shows it at every tenth of the way. */
#include "lab.h"
#include <malloc.h>

#define BATCH 32
struct pair {
	_Atomic uint64_t head LINE;
	_Atomic uint64_t tail LINE;
	byte **item LINE;
	uint32_t *size;
	uint64_t id, failures, misplaced;
	/* Of the side that frees alone. */
	uint64_t wrong LINE;
};
static uint64_t pairs = 1, steps = 4000000, min = 64, max = 64, align = 0, length = 4096;
static uint64_t rss[10];
static struct sizes sizes;

static void *produce(void *arg) {
	struct pair *q = arg;
	uint64_t s = lab_stream(q->id + 1), t = 0;
	int64_t made = 0;
	const bool one = min == max;
	lab_enter();
	for (uint64_t i = 0; i < steps;) {
		uint64_t end = i + BATCH < steps ? i + BATCH : steps;
		while (t + BATCH - atomic_load_explicit(&q->head, memory_order_acquire) > length) sched_yield();
		for (; i < end; i++, t++) {
			uint32_t n = one ? (uint32_t)min : size_flat(&sizes, lcg(&s));
			byte *p = align ? memalign(align, n) : malloc(n);
			if (__builtin_expect(!p, 0)) q->failures++;
			else if (__builtin_expect(align && (uintptr_t)p & (align - 1), 0)) q->misplaced++;
			else { mark(p, n); made += n; }
			q->item[t & (length - 1)] = p;
			q->size[t & (length - 1)] = n;
		}
		atomic_store_explicit(&q->tail, t, memory_order_release);
		live_add(&made, 0); /* Once a batch: all threads share the counter, and large objects would have it in use all the time. */
		if (q->id == 0 && (i * 10 / steps) != ((i - BATCH) * 10 / steps)) rss[(i * 10 / steps) - 1] = rss_now();
	}
	live_publish(&made);
	return NULL;
}

static void *consume(void *arg) {
	struct pair *q = arg;
	int64_t gone = 0;
	lab_enter();
	for (uint64_t h = 0; h < steps;) {
		uint64_t t = atomic_load_explicit(&q->tail, memory_order_acquire);
		if (t == h) { sched_yield(); continue; }
		for (; h < t; h++) {
			byte *p = q->item[h & (length - 1)];
			if (!p) continue;
			uint32_t n = q->size[h & (length - 1)];
			if ((h & 63) == 0 && !marked(p, n)) q->wrong++;
			free(p);
			gone -= n;
		}
		live_add(&gone, 0);
		atomic_store_explicit(&q->head, h, memory_order_release);
	}
	lab_leave();
	live_publish(&gone);
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"pairs", "pairs of threads", &pairs, NULL}, {"steps", "objects a pair", &steps, NULL}, {"min", "smallest size", &min, NULL},
		{"max", "largest size", &max, NULL},
		{"align", "alignment of every object, a power of two; 0: malloc's own", &align, NULL}, {"queue", "length of a queue, a power of two", &length, NULL}, {0}};
	lab_options(argc, argv, "prodcons", "one thread only allocates, the other only frees", opts);
	if (pairs < 1 || pairs > 1024 || length < 2 * BATCH || length & (length - 1)) lab_die("prodcons: 1 to 1024 pairs, a queue of 2^k >= %d", 2 * BATCH);
	if (align & (align - 1)) lab_die("prodcons: --align is a power of two");
	sizes_init(&sizes, "uniform", min, max);
	struct pair *q = book(pairs * sizeof *q);
	pthread_t *id = book(2 * pairs * sizeof *id);
	lab_gate_for(2 * pairs);
	for (uint64_t i = 0; i < pairs; i++) {
		q[i].id = i;
		q[i].item = book(length * sizeof(byte *));
		q[i].size = book(length * sizeof(uint32_t));
		id[2 * i] = lab_thread(produce, &q[i]);
		id[2 * i + 1] = lab_thread(consume, &q[i]);
	}
	uint64_t failures = 0, wrong = 0;
	for (uint64_t i = 0; i < 2 * pairs; i++) pthread_join(id[i], NULL);
	for (uint64_t i = 0; i < pairs; i++) { failures += q[i].failures; wrong += q[i].wrong + q[i].misplaced; }
	lab_key("rss_tenths");
	for (int i = 0; i < 10; i++) lab_put("%c%llu", i ? ',' : '[', (unsigned long long)rss[i]);
	lab_put("]");
	return lab_end(pairs * steps, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
