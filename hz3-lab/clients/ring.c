/* Random mixed, many threads in a ring: a share of the frees is sent to the neighbour through a bounded queue.
 *
 * A step frees all that the own inbox holds, then does one step of the one-thread workload. If the queue is full, the
 * sender frees locally (classic) or waits (matched), and goes on emptying its own inbox while it does, so that a full
 * ring cannot lock up.
 *
 * How much is live at most depends on who runs when, above all with long queues. With --most nothing is allocated while
 * that many bytes are live: then every run that gets there has the same peak. */
#include "lab.h"

struct slot { byte *p; uint64_t n; };
struct queue { /* one producer, one consumer */
	_Atomic uint32_t head LINE; /* next to read; written by the consumer */
	_Atomic uint32_t tail LINE; /* next to write; written by the producer */
	uint32_t head_seen LINE;    /* the producer's last look at head */
	struct slot *item;
};
struct worker {
	struct queue in LINE;
	struct slot *slots;
	struct queue *out;
	uint64_t id, failures, wrong, remote, local, waits;
	int64_t delta;
};

static uint64_t threads = 4, ws = 400, steps = 1000000, min = 16, max = 2048, remote = 50, length = 1024, most = 0;
static bool matched = true;
static struct sizes sizes;
static _Atomic uint64_t done;

static inline void let_go(struct worker *w, byte *p, uint64_t n) {
	free(p);
	live_add(&w->delta, -(int64_t)n);
}

static inline void empty_inbox(struct worker *w) {
	struct queue *q = &w->in;
	uint32_t h = atomic_load_explicit(&q->head, memory_order_relaxed), t = atomic_load_explicit(&q->tail, memory_order_acquire);
	if (h == t) return;
	for (; h != t; h++) {
		struct slot *o = &q->item[h & (length - 1)];
		/* One in 64 is looked at: reading every mark would bring cache lines that plain frees do not. */
		if ((h & 63) == 0 && !marked(o->p, o->n)) w->wrong++;
		let_go(w, o->p, o->n);
	}
	atomic_store_explicit(&q->head, h, memory_order_release);
}

static inline bool send(struct queue *q, struct slot o) {
	uint32_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
	if (t - q->head_seen == length) {
		q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
		if (t - q->head_seen == length) return false;
	}
	q->item[t & (length - 1)] = o;
	atomic_store_explicit(&q->tail, t + 1, memory_order_release);
	return true;
}

static void *work(void *arg) {
	struct worker *w = arg;
	uint64_t s = lab_stream(w->id + 1);
	uint64_t share = remote * 0x100000000ull / 100;
	lab_enter();
	for (uint64_t i = 0; i < steps; i++) {
		empty_inbox(w);
		uint64_t r = lcg(&s);
		struct slot *o = &w->slots[pick(r, (uint32_t)ws)];
		if (o->p) {
			/* The slot took the upper half of the draw; the coin is a draw of its own. */
			if ((lcg(&s) >> 32) < share) {
				bool sent = send(w->out, *o);
				while (!sent && matched) {
					w->waits++;
					empty_inbox(w);
					sched_yield();
					sent = send(w->out, *o);
				}
				if (sent) w->remote++;
				else { let_go(w, o->p, o->n); w->local++; }
			} else {
				let_go(w, o->p, o->n);
				w->local++;
			}
			o->p = NULL;
		} else {
			uint32_t n = size_of(&sizes, lcg(&s));
			if (most && live_now(w->delta) >= (int64_t)most) continue;
			byte *p = malloc(n);
			if (__builtin_expect(!p, 0)) { w->failures++; continue; }
			mark(p, n);
			o->p = p;
			o->n = n;
			live_add(&w->delta, n);
		}
	}
	lab_leave();
	/* Neighbours may still be sending. */
	atomic_fetch_add(&done, 1);
	while (atomic_load(&done) < threads) { empty_inbox(w); sched_yield(); }
	empty_inbox(w);
	for (uint64_t i = 0; i < ws; i++) {
		struct slot *o = &w->slots[i];
		if (!o->p) continue;
		if (!marked(o->p, o->n)) w->wrong++;
		let_go(w, o->p, o->n);
	}
	live_publish(&w->delta);
	return NULL;
}

int main(int argc, char **argv) {
	const char *dist = "uniform", *mode = "matched";
	const struct opt opts[] = {
		{"threads", "threads", &threads, NULL}, {"ws", "slots a thread", &ws, NULL}, {"steps", "steps a thread", &steps, NULL},
		{"min", "smallest size (uniform)", &min, NULL}, {"max", "largest size (uniform)", &max, NULL},
		{"dist", "uniform, app or trimix4096", NULL, &dist}, {"remote", "percent of frees that are sent", &remote, NULL},
		{"queue", "length of a queue, a power of two", &length, NULL},
		{"most", "live bytes at which nothing is allocated; 0: no limit", &most, NULL},
		{"mode", "matched (wait) or classic (free locally) when a queue is full", NULL, &mode}, {0}};
	lab_options(argc, argv, "ring", "random mixed malloc and free, threads in a ring with remote frees", opts);
	if (threads < 1 || threads > 4096 || remote > 100 || length < 2 || length & (length - 1) || length > 1u << 30 || ws < 1 || ws > UINT32_MAX)
		lab_die("ring: 1 to 4096 threads, 0 to 100 %% remote, a queue of 2^k, at least one slot");
	matched = !strcmp(mode, "matched");
	if (!matched && strcmp(mode, "classic")) lab_die("--mode: matched or classic");
	sizes_init(&sizes, dist, min, max);
	struct worker *w = book(threads * sizeof *w);
	pthread_t *id = book(threads * sizeof *id);
	for (uint64_t i = 0; i < threads; i++) {
		w[i].id = i;
		w[i].slots = book(ws * sizeof(struct slot));
		w[i].in.item = book(length * sizeof(struct slot));
		w[i].out = &w[(i + 1) % threads].in;
	}
	lab_gate_for(threads);
	for (uint64_t i = 0; i < threads; i++) id[i] = lab_thread(work, &w[i]);
	uint64_t failures = 0, wrong = 0, far = 0, near = 0, waits = 0;
	for (uint64_t i = 0; i < threads; i++) {
		pthread_join(id[i], NULL);
		failures += w[i].failures;
		wrong += w[i].wrong;
		far += w[i].remote;
		near += w[i].local;
		waits += w[i].waits;
		munmap(w[i].slots, ws * sizeof(struct slot));
		munmap(w[i].in.item, length * sizeof(struct slot));
	}
	put_u64("threads", threads);
	put_u64("ws", ws);
	put_f64("remote_percent", far + near ? 100.0 * (double)far / (double)(far + near) : 0);
	put_u64("waits", waits);
	return lab_end(threads * steps, lab_span(), (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
