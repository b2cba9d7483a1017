/* Runs a recorded trace again, as fast as it goes: each recorded thread does its own events in order; who frees or
 * resizes an object of another thread waits until that thread has made it. The file is what `hz3 replay` makes of a
 * trace: no decoding happens while the clock runs. */
#include "lab.h"

struct event {
	uint32_t object, old; /* numbers of objects; old only of a resize */
	uint64_t what;        /* bits 0-47 bytes, 48-55 log2 of the alignment, 56-63 kind */
};
struct head { char magic[8]; uint64_t threads, events, objects; uint64_t first[]; }; /* first[t]..first[t+1] are thread t's */
enum { MALLOC = 1, FREE, RESIZE, CALLOC, MEMALIGN };

static const struct head *trace;
static const struct event *events;
static _Atomic(byte *) *objects;
static uint64_t rounds = 1;
static _Atomic uint64_t failures, wrong;
static _Atomic uint64_t nanoseconds;
#define FAILED ((byte *)1)

static inline byte *wait_for(uint32_t k) {
	byte *p;
	while (!(p = atomic_load_explicit(&objects[k], memory_order_acquire))) sched_yield();
	return p;
}

static inline void check(const byte *p, uint64_t n, uint32_t k, uint64_t *bad) {
	if ((k & 31) == 0 && n && !marked(p, n)) ++*bad;
}

static void *work(void *arg) {
	uint64_t id = (uint64_t)(uintptr_t)arg, failed = 0, bad = 0;
	int64_t delta = 0;
	for (uint64_t r = 0; r < rounds; r++) {
		if (id == 0) lab_first = 0;
		pthread_barrier_wait(&lab_gate);
		lab_enter();
		const struct event *e = events + trace->first[id], *end = events + trace->first[id + 1];
		for (; e < end; e++) {
			uint64_t n = e->what & 0xffffffffffff;
			byte *p, *old;
			switch (e->what >> 56) {
			case FREE:
				p = wait_for(e->object);
				atomic_store_explicit(&objects[e->object], NULL, memory_order_relaxed);
				if (p == FAILED) break;
				check(p, n, e->object, &bad);
				free(p);
				live_add(&delta, -(int64_t)n);
				break;
			case RESIZE: /* the old size stands in the entry after */
				old = wait_for(e->old);
				p = realloc(old == FAILED ? NULL : old, n ? n : 1);
				atomic_store_explicit(&objects[e->old], NULL, memory_order_relaxed);
				if (p) live_add(&delta, (int64_t)n - (int64_t)(old == FAILED ? 0 : e[1].what));
				else { failed++; if (old != FAILED) { free(old); live_add(&delta, -(int64_t)e[1].what); } }
				goto made;
			case MALLOC: p = malloc(n); goto new;
			case CALLOC:
				p = calloc(1, n);
				if (p && n && (p[0] | p[n - 1])) bad++;
				goto new;
			case MEMALIGN:
				p = NULL;
				if (posix_memalign((void **)&p, (size_t)1 << (e->what >> 48 & 0xff), n)) p = NULL;
				goto new;
			default: break; /* the entry after a resize */
			new:
				if (p) live_add(&delta, (int64_t)n);
				else failed++;
			made:
				if (p && n) mark(p, n);
				atomic_store_explicit(&objects[e->object], p ? p : FAILED, memory_order_release);
			}
		}
		lab_leave();
		live_publish(&delta);
		pthread_barrier_wait(&lab_gate);
		if (id == 0) {
			nanoseconds += lab_last - lab_first;
			lab_last = 0;
			/* What the trace leaves alive is freed here, outside of the measured time. */
			for (uint64_t k = 0; k < trace->objects; k++) {
				byte *p = objects[k];
				if (p && p != FAILED) free(p);
				objects[k] = NULL;
			}
			live_all = 0;
		}
		pthread_barrier_wait(&lab_gate);
	}
	failures += failed;
	wrong += bad;
	return NULL;
}

int main(int argc, char **argv) {
	const char *file = "";
	const struct opt opts[] = {{"file", "trace, as prepared by hz3 replay", NULL, &file}, {"rounds", "times", &rounds, NULL}, {0}};
	lab_options(argc, argv, "replay", "a recorded trace, run again", opts);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (bytes < (off_t)sizeof *trace) lab_die("--file: cannot read '%s'", file);
	trace = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (trace == MAP_FAILED || memcmp(trace->magic, "hz3flat", 8) || trace->threads < 1 || trace->threads > 64 || rounds < 1)
		lab_die("'%s' is not a prepared trace", file);
	events = (const struct event *)(trace->first + trace->threads + 1);
	if ((off_t)sizeof *trace + (off_t)((trace->threads + 1) * 8 + trace->first[trace->threads] * sizeof *events) != bytes)
		lab_die("'%s' is cut short", file);
	objects = book((trace->objects + 1) * sizeof *objects);
	pthread_t id[64];
	lab_gate_for(trace->threads);
	for (uint64_t i = 0; i < trace->threads; i++) id[i] = lab_thread(work, (void *)(uintptr_t)i);
	for (uint64_t i = 0; i < trace->threads; i++) pthread_join(id[i], NULL);
	munmap(objects, (trace->objects + 1) * sizeof *objects);
	put_u64("threads", trace->threads);
	uint64_t ops = trace->events * rounds;
	munmap((void *)trace, (size_t)bytes);
	return lab_end(ops, (double)nanoseconds * 1e-9, (uint64_t)live_top, (uint64_t)live_all, failures, wrong);
}
