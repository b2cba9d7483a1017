/* Very many threads: each takes up to so many bytes, writes them, gives all of it back and then sleeps. What do those hold
 * that do nothing any more? */
#include "lab.h"

static uint64_t threads = 2000, bytes = 800 << 10, min = 16, max = 2048, at_once = 16, idle = 200;
static const char *dist = "uniform";
static struct sizes sizes;
static _Atomic uint64_t failures, wrong, ops;

struct slot { byte *p; uint64_t n; };

/* At most `at_once` threads are at work, so that what is live does not grow with the number of threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER, end = PTHREAD_COND_INITIALIZER;
static uint64_t working, asleep, over;

static void work(struct slot *mine, uint64_t room, uint64_t *s) {
	uint64_t live = 0, n = 0, most = bytes / 2 + pick(lcg(s), (uint32_t)(bytes / 2 + 1));
	uint64_t failed = 0, bad = 0;
	int64_t delta = 0;
	for (; n < room; n++) {
		uint32_t z = size_of(&sizes, lcg(s));
		if (live + z > most) break;
		byte *p = malloc(z);
		if (!p) { failed++; break; }
		for (uint32_t i = 4096; i < z; i += 4096) p[i] = 1;
		mark(p, z);
		mine[n] = (struct slot){p, z};
		live += z;
		live_add(&delta, z);
	}
	for (uint64_t left = n; left; left--) {
		struct slot *o = &mine[pick(lcg(s), (uint32_t)left)];
		if (!marked(o->p, o->n)) bad++;
		free(o->p);
		live_add(&delta, -(int64_t)o->n);
		*o = mine[left - 1];
	}
	live_publish(&delta);
	failures += failed;
	wrong += bad;
	ops += 2 * n;
}

static void *sleeper(void *arg) {
	uint64_t s = lab_stream((uint64_t)(uintptr_t)arg), room = bytes / 16 + 1;
	struct slot *mine = book(room * sizeof *mine);
	lab_enter();
	pthread_mutex_lock(&lock);
	while (working == at_once) pthread_cond_wait(&turn, &lock);
	working++;
	pthread_mutex_unlock(&lock);
	work(mine, room, &s);
	lab_leave();
	munmap(mine, room * sizeof *mine);
	pthread_mutex_lock(&lock);
	working--;
	if (++asleep == threads) pthread_cond_signal(&done);
	pthread_cond_signal(&turn);
	while (!over) pthread_cond_wait(&end, &lock);
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"threads", "threads", &threads, NULL}, {"bytes", "most bytes of a thread", &bytes, NULL},
		{"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL},
		{"dist", "uniform or app", NULL, &dist},
		{"at-once", "threads that work at a time", &at_once, NULL},
		{"idle-ms", "milliseconds between the last free and the reading", &idle, NULL}, {0}};
	lab_options(argc, argv, "sleepers", "threads that worked and sleep, and what stays resident", opts);
	sizes_init(&sizes, dist, min, max);
	if (threads < 1 || threads > 16384 || at_once < 1 || bytes < 2 || bytes > UINT32_MAX) lab_die("sleepers: 1 to 16384 threads, at least one at a time");
	pthread_t *id = book(threads * sizeof *id);
	lab_gate_for(threads);
	lab_clock = CLOCK_MONOTONIC;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (uint64_t i = 0; i < threads; i++) {
		int e = pthread_create(&id[i], &small, sleeper, (void *)(uintptr_t)(i + 1));
		if (e) lab_die("pthread_create: %s", strerror(e));
	}
	pthread_mutex_lock(&lock);
	while (asleep < threads) pthread_cond_wait(&done, &lock);
	pthread_mutex_unlock(&lock);
	double until = now() + (double)idle * 1e-3;
	while (now() < until) usleep((useconds_t)((until - now()) * 1e6) + 1);
	lab_resident = rss_now();
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_broadcast(&end);
	pthread_mutex_unlock(&lock);
	for (uint64_t i = 0; i < threads; i++) pthread_join(id[i], NULL);
	put_u64("threads", threads);
	return lab_end(ops, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
