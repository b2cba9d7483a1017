/* Bursts: each thread takes a number of objects, writes to them, and gives all of them back in another order, again and
 * again. No object goes from one thread to another, so a thread beside others should take the time of one alone. With
 * one thread and large objects these are the rounds of a decoder or a query engine: what is given back is wanted again
 * a moment later, and a page that went to the kernel meanwhile has to be faulted in anew. */
#include "lab.h"
#include <sys/resource.h>

struct object { byte *p; uint32_t n; };
static uint64_t threads = 1, objects = 3000, steps = 3000000, min = 16, max = 256, passes = 3, stride = 0;
static _Atomic uint64_t failures, wrong;
static struct sizes sizes;

static void *work(void *arg) {
	uint64_t s = lab_stream((uint64_t)(uintptr_t)arg + 1), failed = 0, bad = 0;
	int64_t delta = 0;
	struct object *o = book(objects * sizeof *o);
	const bool one = min == max;
	lab_enter();
	for (uint64_t done = 0; done < steps; done += objects) {
		uint64_t n = steps - done < objects ? steps - done : objects;
		for (uint64_t i = 0; i < n; i++) {
			uint32_t z = one ? (uint32_t)min : size_flat(&sizes, lcg(&s));
			byte *p = malloc(z);
			o[i] = (struct object){p, z};
			if (__builtin_expect(!p, 0)) { failed++; continue; }
			if (stride) for (uint64_t k = 0; k < z; k += stride) p[k] = 1;
			mark(p, z);
			live_add(&delta, z);
		}
		/* Written, and as it was after every second pass: a line that another thread writes to as well costs time here. */
		for (uint64_t k = 0; k < passes * 2; k++)
			for (uint64_t i = 0; i < n; i++) if (o[i].p) { volatile byte *b = o[i].p; *b = (byte)~*b; }
		for (uint64_t i = n - 1; i > 0; i--) {
			uint64_t j = pick(lcg(&s), (uint32_t)(i + 1));
			struct object swap = o[i];
			o[i] = o[j];
			o[j] = swap;
		}
		for (uint64_t i = 0; i < n; i++) {
			if (!o[i].p) continue;
			if (!marked(o[i].p, o[i].n)) bad++;
			free(o[i].p);
			live_add(&delta, -(int64_t)o[i].n);
		}
	}
	lab_leave();
	live_publish(&delta);
	munmap(o, objects * sizeof *o);
	failures += failed;
	wrong += bad;
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"threads", "threads", &threads, NULL}, {"objects", "objects of a burst", &objects, NULL}, {"steps", "objects a thread", &steps, NULL},
		{"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL},
		{"passes", "times that each object is written to, twice each, before it goes", &passes, NULL},
		{"stride", "also write one byte every N bytes; 0: only the two ends", &stride, NULL}, {0}};
	lab_options(argc, argv, "bursts", "threads that take objects of their own and give all of them back", opts);
	if (threads < 1 || threads > 1024 || objects < 1 || objects > 1 << 24 || steps < 1) lab_die("bursts: 1 to 1024 threads, 1 to 16M objects, at least one step");
	sizes_init(&sizes, "uniform", min, max);
	pthread_t *id = book(threads * sizeof *id);
	lab_gate_for(threads);
	for (uint64_t i = 0; i < threads; i++) id[i] = lab_thread(work, (void *)(uintptr_t)i);
	for (uint64_t i = 0; i < threads; i++) pthread_join(id[i], NULL);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	put_u64("threads", threads);
	put_u64("faults", (uint64_t)usage.ru_minflt);
	return lab_end(threads * steps, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
