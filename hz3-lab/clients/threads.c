/* Workloads about threads: flood, larson, churn. */
#include "lab.h"

static uint64_t threads = 80, steps = 20000, min = 256, max = 256, ws = 1000, rounds = 20;
static const char *mode = "flood";
static struct sizes sizes;
static _Atomic uint64_t failures, wrong, ops, servers_done;

struct slot { byte *p; uint64_t n; };
struct server { struct slot *slots; uint64_t seed, left; };

/* flood: far more threads than cores, each takes, touches and gives back one small object after the other. */
static void *flood(void *arg) {
	uint64_t s = lab_stream((uint64_t)(uintptr_t)arg), failed = 0, bad = 0;
	int64_t delta = 0;
	lab_enter();
	for (uint64_t i = 0; i < steps; i++) {
		uint32_t n = size_flat(&sizes, lcg(&s));
		byte *p = malloc(n);
		if (!p) { failed++; continue; }
		mark(p, n);
		live_add(&delta, n);
		if ((i & 63) == 0 && !marked(p, n)) bad++;
		free(p);
		live_add(&delta, -(int64_t)n);
	}
	lab_leave();
	live_publish(&delta);
	failures += failed;
	wrong += bad;
	ops += steps;
	return NULL;
}

/* larson: a server whose objects survive the thread that made them. Each thread replaces random objects for a while,
 * hands the whole table to a new thread, and ends. */
static void *larson(void *arg) {
	struct server *v = arg;
	uint64_t s = v->seed, failed = 0, bad = 0;
	int64_t delta = 0;
	if (v->left == rounds) lab_enter();
	for (uint64_t i = 0; i < steps; i++) {
		struct slot *o = &v->slots[pick(lcg(&s), (uint32_t)ws)];
		if (o->p) {
			if ((i & 63) == 0 && !marked(o->p, o->n)) bad++;
			free(o->p);
			live_add(&delta, -(int64_t)o->n);
		}
		uint32_t n = size_flat(&sizes, lcg(&s));
		o->p = malloc(n);
		if (!o->p) { failed++; continue; }
		mark(o->p, n);
		o->n = n;
		live_add(&delta, n);
	}
	live_publish(&delta);
	failures += failed;
	wrong += bad;
	ops += steps;
	v->seed = s;
	if (--v->left) {
		pthread_t next = lab_thread(larson, v);
		pthread_detach(next);
	} else {
		lab_leave();
		atomic_fetch_add(&servers_done, 1);
	}
	return NULL;
}

/* churn: short threads one after the other, several at a time; each allocates a few objects, keeps some of them for
 * the next one in its row, and ends. */
static void *brief(void *arg) {
	struct server *v = arg;
	uint64_t s = v->seed;
	int64_t delta = 0;
	struct slot mine[16];
	for (uint64_t i = 0; i < 16; i++) {
		uint32_t n = size_flat(&sizes, lcg(&s));
		mine[i].p = malloc(n);
		if (!mine[i].p) { failures++; continue; }
		mark(mine[i].p, n);
		mine[i].n = n;
		live_add(&delta, n);
	}
	for (uint64_t i = 0; i < 16; i++) {
		struct slot gone = mine[i];
		if (i < 4) { gone = v->slots[i]; v->slots[i] = mine[i]; }
		if (!gone.p) continue;
		if (!marked(gone.p, gone.n)) wrong++;
		free(gone.p);
		live_add(&delta, -(int64_t)gone.n);
	}
	live_publish(&delta);
	v->seed = s;
	return NULL;
}
static void *churn(void *arg) {
	struct server *v = arg;
	lab_enter();
	for (uint64_t i = 0; i < steps; i++) pthread_join(lab_thread(brief, v), NULL);
	lab_leave();
	ops += steps;
	return NULL;
}

int main(int argc, char **argv) {
	const struct opt opts[] = {
		{"mode", "flood, larson (objects outlive their thread) or churn (short threads)", NULL, &mode},
		{"threads", "threads at a time", &threads, NULL}, {"steps", "flood, larson: operations a thread; churn: threads in each row", &steps, NULL},
		{"min", "smallest size", &min, NULL}, {"max", "largest size", &max, NULL}, {"ws", "larson: objects of each server", &ws, NULL},
		{"rounds", "larson: threads one after the other", &rounds, NULL}, {0}};
	lab_options(argc, argv, "threads", "floods of threads, servers whose objects outlive threads, short threads", opts);
	sizes_init(&sizes, "uniform", min, max);
	bool is_flood = !strcmp(mode, "flood"), is_larson = !strcmp(mode, "larson");
	if (!is_flood && !is_larson && strcmp(mode, "churn")) lab_die("--mode: flood, larson or churn");
	if (threads < 1 || threads > 16384 || ws < 1 || ws > UINT32_MAX || rounds < 1) lab_die("threads: 1 to 16384 threads, at least one object and one round");
	pthread_t *id = book(threads * sizeof *id);
	struct server *v = book(threads * sizeof *v);
	size_t bytes = (is_larson ? ws : 4) * sizeof(struct slot);
	lab_gate_for(threads);
	lab_clock = CLOCK_MONOTONIC; /* threads that start threads: only the wall clock sees them all */
	for (uint64_t i = 0; i < threads; i++) {
		v[i] = (struct server){book(bytes), lab_stream(i + 1), rounds};
		if (is_flood) id[i] = lab_thread(flood, (void *)(uintptr_t)(i + 1));
		else id[i] = lab_thread(is_larson ? larson : churn, &v[i]);
	}
	if (is_larson) {
		while (atomic_load(&servers_done) < threads) usleep(500);
		for (uint64_t i = 0; i < threads; i++) pthread_detach(id[i]);
		usleep(20000); /* let the detached threads be gone before memory is read */
	} else {
		for (uint64_t i = 0; i < threads; i++) pthread_join(id[i], NULL);
	}
	int64_t delta = 0;
	for (uint64_t i = 0; i < threads; i++)
		for (uint64_t k = 0; k < bytes / sizeof(struct slot); k++) {
			struct slot *o = &v[i].slots[k];
			if (!o->p) continue;
			if (!marked(o->p, o->n)) wrong++;
			free(o->p);
			delta -= (int64_t)o->n;
		}
	live_publish(&delta);
	put_str("mode", mode);
	put_u64("threads", threads);
	return lab_end(ops, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
