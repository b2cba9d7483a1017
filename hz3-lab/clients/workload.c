/* A workload that a file describes: kinds of objects, each with a weight, sizes and lifetimes, in phases. The file is what
 * `hz3 workload` makes of a TOML: every number is ready, no text is read while the clock runs.
 *
 * A step of a thread frees what is due, and makes one object. Its kind, size and lifetime are drawn; a lifetime is a
 * number of the thread's own steps. What is due stands in a wheel of four levels, so that a step costs the same however
 * many objects wait. A share of the objects is handed to the neighbour, who frees them before its next step; whose
 * neighbour's queue is full waits, and goes on freeing what comes to itself. A thread may end after so many steps: a new
 * one then goes on with its objects. */
#include "draws.h"
#include <malloc.h>

struct object {
	byte *p;
	uint64_t n;
	uint32_t due, next, gap; /* gap: steps between two resizes */
	uint16_t kind, left;     /* left: resizes to come */
};
struct item { byte *p; uint64_t n; };
struct queue { /* one producer, one consumer */
	_Atomic uint32_t head LINE;
	_Atomic uint32_t tail LINE;
	struct item item[1024];
};
#define QUEUE (sizeof ((struct queue *)0)->item / sizeof(struct item))

struct worker {
	struct queue in LINE;
	struct worker *to;
	struct object *objects; /* number 0 is none */
	uint32_t fresh, most, idle, of_phase, of_run, now, end, at; /* at: place in the deck */
	uint32_t wheel[4][256];
	uint64_t s, id, failures, wrong, handed, waits, resizes;
	int64_t delta;
	unsigned phase;
	uint64_t round;
};

static struct head head;
static struct phase *phases;
static struct draw *draws;
static uint64_t threads, rounds = 1;
static struct worker *workers;
static _Atomic uint64_t finished, at_end LINE;
static _Atomic uint64_t nanoseconds;
static struct { uint64_t rss, live, ns; } *seen; /* by phase, of the last round */

/* ---- objects ---- */

static inline void touch(byte *p, uint64_t n, uint64_t how) {
	if (how == PAGES) for (uint64_t i = 0; i < n; i += 4096) p[i] = 1;
	else if (how == ALL) memset(p, 0x5a, n);
	mark(p, n);
}

static inline void end(struct worker *w, byte *p, uint64_t n, bool look) {
	if (look && !marked(p, n)) w->wrong++;
	free(p);
	live_add(&w->delta, -(int64_t)n);
}

static inline void empty_inbox(struct worker *w) {
	struct queue *q = &w->in;
	uint32_t h = atomic_load_explicit(&q->head, memory_order_relaxed), t = atomic_load_explicit(&q->tail, memory_order_acquire);
	if (h == t) return;
	for (; h != t; h++) end(w, q->item[h % QUEUE].p, q->item[h % QUEUE].n, (h & 15) == 0);
	atomic_store_explicit(&q->head, h, memory_order_release);
}

static inline void hand(struct worker *w, byte *p, uint64_t n) {
	struct queue *q = &w->to->in;
	uint32_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
	while (t - atomic_load_explicit(&q->head, memory_order_acquire) == QUEUE) {
		w->waits++;
		empty_inbox(w);
		sched_yield();
	}
	q->item[t % QUEUE] = (struct item){p, n};
	atomic_store_explicit(&q->tail, t + 1, memory_order_release);
	w->handed++;
}

static inline void wait_until(struct worker *w, uint32_t i, uint32_t due) {
	struct object *o = &w->objects[i];
	uint32_t steps = due - w->now;
	unsigned level = steps < 1u << 8 ? 0 : steps < 1u << 16 ? 1 : steps < 1u << 24 ? 2 : 3;
	uint32_t *slot = &w->wheel[level][(due >> 8 * level) & 255];
	o->due = due;
	o->next = *slot;
	*slot = i;
}

static inline void recycle(struct worker *w, uint32_t i) {
	w->objects[i].next = w->idle;
	w->idle = i;
}

static inline void grow(struct worker *w, struct object *o, const struct kind *k) {
	uint64_t n = o->n * k->percent / 100;
	if (n < 1) n = 1;
	if (n > 1ull << 40) n = o->n;
	byte *p = realloc(o->p, n);
	w->resizes++;
	o->left--;
	if (!p) { w->failures++; return; }
	if (p[0] != (byte)o->n) w->wrong++;
	touch(p, n, k->touch);
	live_add(&w->delta, (int64_t)n - (int64_t)o->n);
	o->p = p;
	o->n = n;
}

/* An object's time has come: it is resized, or it ends. */
static inline void due(struct worker *w, uint32_t i) {
	struct object *o = &w->objects[i];
	const struct kind *k = &kinds[o->kind];
	if (__builtin_expect(o->left, 0)) {
		grow(w, o, k);
		uint32_t *list = k->life.form == PHASE ? &w->of_phase : k->life.form == RUN ? &w->of_run : NULL;
		if (list && !o->left) { o->next = *list; *list = i; }
		else wait_until(w, i, w->now + o->gap);
		return;
	}
	if (k->handed && w->to != w && (lcg(&w->s) >> 32) < k->handed) hand(w, o->p, o->n);
	else end(w, o->p, o->n, (i & 15) == 0);
	recycle(w, i);
}

static inline uint32_t take(uint32_t *slot) {
	uint32_t i = *slot;
	*slot = 0;
	return i;
}

static inline void advance(struct worker *w) {
	uint32_t now = ++w->now;
	for (unsigned level = 1; level < 4 && (now & ((1u << 8 * level) - 1)) == 0; level++)
		for (uint32_t i = take(&w->wheel[level][(now >> 8 * level) & 255]), next; i; i = next) {
			next = w->objects[i].next;
			wait_until(w, i, w->objects[i].due);
		}
	for (uint32_t i = take(&w->wheel[0][now & 255]), next; i; i = next) {
		next = w->objects[i].next;
		due(w, i);
	}
}

static inline unsigned which_kind(struct worker *w, const struct phase *f, const struct draw *d) {
	if (d->deck) {
		uint32_t at = w->at++;
		if (w->at == f->steps) w->at = 0;
		return d->deck[at];
	}
	const struct choice *one = &d->choices[pick(lcg(&w->s), (uint32_t)f->kinds)];
	return (uint32_t)(lcg(&w->s) >> 32) <= one->share ? one->own : one->other;
}

static inline void make(struct worker *w, const struct phase *f, const struct draw *d) {
	unsigned which = which_kind(w, f, d);
	const struct kind *k = &kinds[which];
	uint64_t n = draw(&k->size, &w->s);
	byte *p;
	if (__builtin_expect(k->call == MALLOC, 1)) p = malloc(n);
	else if (k->call == CALLOC) {
		p = calloc(1, n);
		if (p && (p[0] | p[n - 1])) w->wrong++;
	} else {
		p = memalign(k->align, n);
		if ((uintptr_t)p & (k->align - 1)) w->wrong++;
	}
	if (__builtin_expect(!p, 0)) { w->failures++; return; }
	touch(p, n, k->touch);
	live_add(&w->delta, (int64_t)n);
	uint32_t i = w->idle;
	if (i) w->idle = w->objects[i].next;
	else i = w->fresh++;
	struct object *o = &w->objects[i];
	*o = (struct object){.p = p, .n = n, .kind = (uint16_t)which};
	uint64_t life;
	if (k->life.form < PHASE) {
		life = draw(&k->life, &w->s);
		if (life > UINT32_MAX / 2) life = UINT32_MAX / 2; /* beyond the end of any run */
	} else {
		life = w->end - w->now;
		if (!k->times || life <= k->times) {
			uint32_t *list = k->life.form == PHASE ? &w->of_phase : &w->of_run;
			o->next = *list;
			*list = i;
			return;
		}
	}
	if (__builtin_expect(k->times, 0) && life > k->times) {
		o->left = (uint16_t)k->times;
		o->gap = (uint32_t)(life / (k->times + 1));
		life = o->gap;
	}
	wait_until(w, i, w->now + (uint32_t)life);
}

static void end_list(struct worker *w, uint32_t *list) {
	for (uint32_t i = take(list), next; i; i = next) {
		struct object *o = &w->objects[i];
		next = o->next;
		end(w, o->p, o->n, true);
		recycle(w, i);
	}
}

/* ---- threads ---- */

/* After the last step of a phase: what lives as long as it ends; then all threads wait for each other, emptying what still
 * comes to them, and one of them looks at memory. */
static void leave_phase(struct worker *w) {
	const struct phase *f = &phases[w->phase];
	end_list(w, &w->of_phase);
	lab_leave();
	uint64_t target = (w->round * head.phases + w->phase + 1) * threads;
	atomic_fetch_add(&at_end, 1);
	while (atomic_load(&at_end) < target) { empty_inbox(w); sched_yield(); }
	empty_inbox(w);
	live_publish(&w->delta);
	pthread_barrier_wait(&lab_gate);
	if (w->id == 0) {
		uint64_t took = lab_last - lab_first;
		nanoseconds += took;
		lab_first = lab_last = 0;
		if (f->pause_ms) usleep((useconds_t)(f->pause_ms * 1000));
		seen[w->phase].ns = took;
		seen[w->phase].rss = rss_now();
		seen[w->phase].live = (uint64_t)live_now(0);
	}
	pthread_barrier_wait(&lab_gate);
}

/* The end of a run: nothing stays. */
static void leave_run(struct worker *w) {
	for (unsigned level = 0; level < 4; level++)
		for (unsigned k = 0; k < 256; k++) end_list(w, &w->wheel[level][k]);
	end_list(w, &w->of_run);
	live_publish(&w->delta);
	if (w->fresh > w->most) w->most = w->fresh;
	w->now = w->end = w->idle = 0;
	w->fresh = 1;
}

static void *work(void *arg) {
	struct worker *w = arg;
	for (;;) {
		const struct phase *f = &phases[w->phase];
		if (w->now == w->end) {
			w->end = w->now + (uint32_t)f->steps;
			w->at = (uint32_t)(f->steps * w->id / threads);
			lab_enter();
		}
		const struct draw *d = &draws[w->phase];
		uint32_t until = w->end;
		if (head.renew && w->end - w->now > head.renew) until = w->now + (uint32_t)head.renew;
		while (w->now != until) {
			empty_inbox(w);
			advance(w);
			make(w, f, d);
		}
		if (w->now == w->end) {
			leave_phase(w);
			if (++w->phase == head.phases) {
				w->phase = 0;
				leave_run(w);
				if (++w->round == rounds) break;
			}
		}
		if (head.renew) {
			live_publish(&w->delta);
			pthread_detach(lab_thread(work, w));
			return NULL;
		}
	}
	atomic_fetch_add(&finished, 1);
	return NULL;
}

/* ---- the file ---- */

static void sound(bool holds, const char *file, const char *what) {
	if (!holds) lab_die("'%s' is not a prepared workload: %s", file, what);
}

static void read_file(const char *file, uint64_t percent) {
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (bytes < 0) lab_die("--file: cannot read '%s'", file);
	byte *all = bytes < (off_t)sizeof head ? NULL : mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (!all || all == MAP_FAILED || memcmp(all, "hz3work", 8)) lab_die("'%s' is not a prepared workload", file);
	memcpy(&head, all, sizeof head);
	uint64_t P = head.phases, K = head.kinds;
	sound(P >= 1 && P <= 4096 && K >= 1 && K <= UINT16_MAX, file, "numbers of phases and kinds");
	sound((uint64_t)bytes == sizeof head + P * sizeof *phases + K * sizeof *kinds, file, "its length");
	phases = book(P * sizeof *phases);
	kinds = book(K * sizeof *kinds);
	memcpy(phases, all + sizeof head, P * sizeof *phases);
	memcpy(kinds, all + sizeof head + P * sizeof *phases, K * sizeof *kinds);
	munmap(all, (size_t)bytes);
	close(fd);
	if (!threads) threads = head.threads;
	sound(threads >= 1 && threads <= 4096, file, "1 to 4096 threads");
	uint64_t steps = 0;
	for (uint64_t i = 0; i < P; i++) {
		struct phase *f = &phases[i];
		sound(f->steps >= 1 && f->steps <= 1u << 30 && f->pause_ms <= 3600000 && f->kinds >= 1 && f->first < K && f->kinds <= K - f->first, file, "a phase");
		f->steps = f->steps * percent / 100;
		if (!f->steps) f->steps = 1;
		steps += f->steps;
	}
	sound(steps <= 1u << 30, file, "at most 2^30 steps");
	for (uint64_t i = 0; i < K; i++) {
		const struct kind *k = &kinds[i];
		const struct dist *d[] = {&k->size, &k->life};
		for (int j = 0; j < 2; j++)
			sound(d[j]->form <= (j ? RUN : LOG) && (d[j]->form >= PHASE || (d[j]->a >= 1 && d[j]->a <= 1ull << 40 && d[j]->b <= 1ull << 40
				&& (d[j]->form == FIXED || d[j]->form == MEAN || d[j]->b >= d[j]->a) && d[j]->more >> 32 <= 40)), file, "a size or a lifetime");
		sound(k->weight >= 1 && k->weight <= 1u << 30 && k->call <= MEMALIGN && k->touch <= ALL && k->times <= UINT16_MAX && k->percent <= 100000
			&& k->handed <= 1ull << 32 && (k->call != MEMALIGN || (k->align >= 8 && k->align <= 1u << 30 && !(k->align & (k->align - 1)))), file, "a kind of objects");
	}
	draws = book(P * sizeof *draws);
	for (uint64_t i = 0; i < P; i++) {
		if (phases[i].steps <= DECK) fill_deck(&phases[i], draws[i].deck = book(phases[i].steps * sizeof(uint16_t)));
		else choose(&phases[i], draws[i].choices = book(phases[i].kinds * sizeof(struct choice)));
	}
	seen = book(P * sizeof *seen);
	/* Books of objects: what is not touched of them is not there. */
	size_t room = (steps + 2) * sizeof(struct object);
	workers = book(threads * sizeof *workers);
	for (uint64_t i = 0; i < threads; i++) {
		struct worker *w = &workers[i];
		w->objects = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (w->objects == MAP_FAILED) lab_die("no memory for the client's own books (%zu bytes)", room);
		w->id = i;
		w->to = &workers[(i + 1) % threads];
		w->fresh = 1;
		w->s = lab_stream(i + 1);
	}
}

int main(int argc, char **argv) {
	const char *file = "";
	uint64_t percent = 100;
	const struct opt opts[] = {{"file", "workload, as prepared by hz3", NULL, &file}, {"threads", "threads; 0: as the file says", &threads, NULL},
		{"rounds", "times", &rounds, NULL}, {"percent", "so much of each phase's steps", &percent, NULL}, {0}};
	lab_options(argc, argv, "workload", "a workload that a file describes", opts);
	if (rounds < 1 || rounds > 1u << 30 || percent < 1 || percent > 10000) lab_die("workload: at least one round, 1 to 10000 percent");
	tables();
	read_file(file, percent);
	lab_gate_for(threads);
	if (head.renew) lab_clock = CLOCK_MONOTONIC; /* threads that start threads: only the wall clock sees them all */
	for (uint64_t i = 0; i < threads; i++) pthread_detach(lab_thread(work, &workers[i]));
	while (atomic_load(&finished) < threads) usleep(200);
	usleep(head.renew ? 20000 : 0); /* let detached threads be gone before memory is read */
	uint64_t failures = 0, wrong = 0, handed = 0, waits = 0, resizes = 0, steps = 0, books = 0;
	for (uint64_t i = 0; i < threads; i++) {
		struct worker *w = &workers[i];
		failures += w->failures;
		wrong += w->wrong;
		handed += w->handed;
		waits += w->waits;
		resizes += w->resizes;
	}
	put_u64("threads", threads);
	put_u64("handed", handed);
	put_u64("waits", waits);
	put_u64("resizes", resizes);
	lab_key("phases");
	for (uint64_t i = 0; i < head.phases; i++) {
		steps += phases[i].steps;
		if (i < 256) lab_put("%s{\"rss\":%llu,\"live\":%llu,\"seconds\":%.6f}", i ? "," : "[", (unsigned long long)seen[i].rss,
			(unsigned long long)seen[i].live, (double)seen[i].ns * 1e-9);
	}
	lab_put("]");
	for (uint64_t i = 0; i < threads; i++) {
		/* What of the books is resident: as many objects as were live at a time. */
		books += (uint64_t)workers[i].most * sizeof(struct object) + sizeof *workers;
		munmap(workers[i].objects, (steps + 2) * sizeof(struct object));
	}
	put_u64("books", books);
	if (head.resident) lab_resident = seen[head.phases - 1].rss;
	return lab_end(steps * threads * rounds, (double)nanoseconds * 1e-9, (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
