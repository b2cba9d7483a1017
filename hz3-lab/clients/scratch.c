/* False sharing. active: each thread takes an object, writes it many times, gives it back. passive: the objects were
 * made side by side by one thread and handed out; each thread frees its own, takes a new one of that size, and writes
 * it many times. An allocator that hands pieces of one cache line to several threads pays at every write. */
#include "lab.h"

static uint64_t threads = 4, steps = 2000, writes = 1000, size = 8;
static const char *mode = "active";
static _Atomic uint64_t failures, wrong;
static byte **given;

static void *work(void *arg) {
	uint64_t id = (uint64_t)(uintptr_t)arg, failed = 0, bad = 0;
	int64_t delta = 0;
	lab_enter();
	if (given) { free(given[id]); live_add(&delta, -(int64_t)size); }
	for (uint64_t i = 0; i < steps; i++) {
		byte *p = malloc(size);
		if (!p) { failed++; continue; }
		live_add(&delta, (int64_t)size);
		memset(p, 0, size);
		for (uint64_t k = 0; k < writes; k++) {
			volatile byte *b = p + (k % size);
			*b = (byte)(*b + 1);
		}
		/* Had two objects shared a byte, this sum would not hold. */
		uint64_t sum = 0;
		for (uint64_t k = 0; k < size; k++) if (p[k] != (byte)(writes / size + (k < writes % size))) sum++;
		if (sum) bad++;
		free(p);
		live_add(&delta, -(int64_t)size);
	}
	lab_leave();
	live_publish(&delta);
	failures += failed;
	wrong += bad;
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"mode", "active or passive", NULL, &mode}, {"threads", "threads", &threads, NULL}, {"steps", "objects a thread", &steps, NULL},
		{"writes", "writes to each object", &writes, NULL}, {"size", "bytes of an object", &size, NULL}, {0}};
	lab_options(argc, argv, "scratch", "false sharing of small objects", opts);
	bool passive = !strcmp(mode, "passive");
	if (!passive && strcmp(mode, "active")) lab_die("--mode: active or passive");
	if (size < 1 || size > 4096 || threads < 1 || threads > 1024) lab_die("scratch: 1 to 4096 bytes, 1 to 1024 threads");
	pthread_t *id = book(threads * sizeof *id);
	if (passive) {
		int64_t delta = 0;
		given = book(threads * sizeof *given);
		for (uint64_t i = 0; i < threads; i++) if ((given[i] = malloc(size))) { memset(given[i], 1, size); delta += (int64_t)size; }
		live_publish(&delta);
	}
	lab_gate_for(threads);
	for (uint64_t i = 0; i < threads; i++) id[i] = lab_thread(work, (void *)(uintptr_t)i);
	for (uint64_t i = 0; i < threads; i++) pthread_join(id[i], NULL);
	put_str("mode", mode);
	put_u64("threads", threads);
	return lab_end(threads * steps * writes, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
