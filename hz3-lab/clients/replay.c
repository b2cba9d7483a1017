/* Runs a recorded trace again, as fast as it goes: each recorded thread does its own events in order; who frees or
 * resizes an object of another thread waits until that thread has made it. The file is what `hz3 replay` makes of a
 * trace: no decoding happens while the clock runs. */
#include "lab.h"

/* Variants that record have it. */
extern int hz3_profile_dump(const char *path) __attribute__((weak));

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
static const char *profile = "";
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

static bool makes(uint64_t kind) { return kind == MALLOC || kind == RESIZE || kind == CALLOC || kind == MEMALIGN; }

/* Whether the file can be run at all, looked at before the clock runs: every field is within its bounds, and no wait can be
 * for ever. For the latter the threads go here as far as they can, in turns; an object is made before it goes, and goes
 * once. The threads of the run make the same steps in another order, of which none can end elsewhere. */
static void inspect(const char *file) {
	uint64_t at[64], total = trace->first[trace->threads], left = total;
	byte *state = book(trace->objects + 1); /* 0 not made, 1 alive, 2 gone */
	for (uint64_t t = 0; t < trace->threads; t++) {
		at[t] = trace->first[t];
		if (trace->first[t] > trace->first[t + 1] || trace->first[0]) lab_die("'%s': the events of thread %llu overlap others", file, (unsigned long long)t);
	}
	for (bool moved = true; moved && left;) {
		moved = false;
		for (uint64_t t = 0; t < trace->threads; t++) {
			for (; at[t] < trace->first[t + 1]; moved = true) {
				const struct event *e = events + at[t];
				unsigned long long place = at[t];
				uint64_t kind = e->what >> 56, old = kind == RESIZE ? e->old : e->object;
				if (!makes(kind) && kind != FREE) lab_die("'%s': event %llu is of kind %u", file, place, (unsigned)kind);
				if ((makes(kind) ? e->object : 0) >= trace->objects || ((kind == RESIZE || kind == FREE) && old >= trace->objects))
					lab_die("'%s': event %llu is of an object that does not exist", file, place);
				if (kind == MEMALIGN && (e->what >> 48 & 0xff) > 47) lab_die("'%s': event %llu has an alignment that does not exist", file, place);
				if (kind == RESIZE && (at[t] + 1 == trace->first[t + 1] || e[1].what >> 48)) lab_die("'%s': event %llu has no old size", file, place);
				if (kind == RESIZE || kind == FREE) {
					if (!state[old]) break; /* another thread makes it */
					if (state[old] > 1) lab_die("'%s': at event %llu object %llu is gone", file, place, (unsigned long long)old);
					state[old] = 2;
				}
				if (makes(kind)) {
					if (state[e->object]) lab_die("'%s': event %llu makes an object twice", file, place);
					state[e->object] = 1;
				}
				at[t] += kind == RESIZE ? 2 : 1;
				left -= kind == RESIZE ? 2 : 1;
			}
		}
	}
	for (uint64_t t = 0; left && t < trace->threads; t++)
		if (at[t] < trace->first[t + 1]) lab_die("'%s': event %llu waits for ever", file, (unsigned long long)at[t]);
	munmap(state, trace->objects + 1);
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
			if (r + 1 == rounds && *profile) {
				int error = hz3_profile_dump ? hz3_profile_dump(profile) : ENOSYS;
				if (error) lab_die("--profile: cannot write '%s': %s", profile, strerror(error));
			}
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
	const struct opt opts[] = {{"file", "trace, as prepared by hz3 replay", NULL, &file}, {"rounds", "times", &rounds, NULL},
		{"profile", "file for the allocator's profile of what the trace leaves alive", NULL, &profile}, {0}};
	lab_options(argc, argv, "replay", "a recorded trace, run again", opts);
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (bytes < (off_t)sizeof *trace) lab_die("--file: cannot read '%s'", file);
	trace = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (trace == MAP_FAILED || memcmp(trace->magic, "hz3flat", 8) || trace->threads < 1 || trace->threads > 64 || rounds < 1)
		lab_die("'%s' is not a prepared trace", file);
	events = (const struct event *)(trace->first + trace->threads + 1);
	uint64_t front = sizeof *trace + (trace->threads + 1) * 8, rest = (uint64_t)bytes - front;
	if (front > (uint64_t)bytes || trace->first[trace->threads] != rest / sizeof *events || rest % sizeof *events)
		lab_die("'%s' is cut short", file);
	if (trace->objects > rest / sizeof *events) lab_die("'%s': more objects than events", file);
	inspect(file);
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
