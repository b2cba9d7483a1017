/* Double frees. */
#ifndef HZ3_MISUSE_DOUBLE_H
#define HZ3_MISUSE_DOUBLE_H
#include "misuse.h"

static byte *twice;
static void free_twice(void) { Free(twice); }

/* A second free, and what comes of it. */
__attribute__((noreturn)) static void again(byte *p, size_t n) {
	act();
	Free(p);
	past();
	aftermath(n);
}

static void double_at_once(size_t n) {
	warm(n);
	byte *p = take(n);
	Free(p);
	again(p, n);
}
static void double_now(void) { double_at_once(SMALL); }
static void double_medium(void) { double_at_once(MEDIUM); }
static void double_large(void) { double_at_once(LARGE_N); }
static void double_huge(void) { double_at_once(HUGE_N); }

static void double_first(void) {
	byte *p = take(SMALL);
	Free(p);
	again(p, SMALL);
}

static void double_one_between(void) {
	warm(SMALL);
	byte *p = take(SMALL), *q = take(SMALL);
	Free(p);
	Free(q);
	again(p, SMALL);
}

static void double_many_between(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	hold_many(1000, SMALL);
	Free(p);
	drop_all();
	again(p, SMALL);
}

static void double_all(void) {
	static byte *all[500];
	for (size_t i = 0; i < 500; i++) all[i] = take(SMALL);
	for (size_t i = 0; i < 500; i++) Free(all[i]);
	act();
	for (size_t i = 0; i < 500; i++) Free(all[i]);
	past();
	aftermath(SMALL);
}

static void double_thread(void) {
	warm(SMALL);
	twice = take(SMALL);
	Free(twice);
	act();
	in_worker(free_twice);
	past();
	aftermath(SMALL);
}

static void double_thread_back(void) {
	warm(SMALL);
	twice = take(SMALL);
	in_worker(free_twice);
	again(twice, SMALL);
}

static void double_thread_gone(void) {
	warm(SMALL);
	twice = take(SMALL);
	in_thread(free_twice);
	again(twice, SMALL);
}

static void double_given(void) {
	again(given_away(), SMALL);
}

static void double_aligned(void) {
	byte *p = NULL;
	for (int i = 0; i < 8; i++) p = Aligned(256, 256);
	if (!p) absent("no memory");
	Free(p);
	again(p, 256);
}

static void double_page(void) {
	byte *p = NULL;
	for (int i = 0; i < 8; i++) p = Aligned(8192, 8192);
	if (!p) absent("no memory");
	Free(p);
	again(p, 8192);
}

static void double_realloc(void) {
	again(moved_away(), SMALL);
}

static void double_realloc_zero(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	byte *q = Realloc(p, 0);
	if (q == p) absent("realloc to nothing kept it");
	again(p, SMALL);
}

/* The child does what follows; the parent ends as the child does. */
static void become_child(void) {
	int status = 0;
	pid_t child = fork();
	if (child < 0) absent("no process");
	bound(child == 0);
	if (child == 0) return;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

static void double_fork(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	Free(p);
	become_child();
	again(p, SMALL);
}

static byte *shared[400];
static pthread_barrier_t together;
static void *free_shared(void *unused) {
	pthread_barrier_wait(&together);
	for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) Free(shared[i]);
	return unused;
}
static void double_concurrent(void) {
	pthread_t t[2];
	for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) shared[i] = take(SMALL);
	pthread_barrier_init(&together, NULL, 2);
	act();
	for (int i = 0; i < 2; i++) if (pthread_create(&t[i], NULL, free_shared, NULL)) absent("no thread");
	for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
	past();
	aftermath(SMALL);
}

static const struct kind doubles[] = {
	{"double-now", "An object is freed twice in turn.", double_now},
	{"double-first", "The first object of a size is freed twice in turn.", double_first},
	{"double-one-between", "An object is freed, another one is freed, and then the first again.", double_one_between},
	{"double-many-between", "A thousand other objects are freed between both frees.", double_many_between},
	{"double-all", "Five hundred objects are freed, and then all of them again.", double_all},
	{"double-medium", "An object of 20000 bytes is freed twice in turn.", double_medium},
	{"double-large", "An object of 300 KiB is freed twice in turn.", double_large},
	{"double-huge", "An object of 8 MiB is freed twice in turn.", double_huge},
	{"double-aligned", "An object of aligned_alloc(256) is freed twice in turn.", double_aligned},
	{"double-page", "An object of aligned_alloc(8192) is freed twice in turn.", double_page},
	{"double-thread", "One thread frees an object, and another one frees it again.", double_thread},
	{"double-thread-back", "Another thread frees an object, and then the one that allocated it.", double_thread_back},
	{"double-thread-gone", "A thread frees an object and ends; another one frees it again.", double_thread_gone},
	{"double-concurrent", "Two threads free the same 400 objects at the same time.", double_concurrent},
	{"double-given", "The memory was given to somebody else before the second free.", double_given},
	{"double-realloc", "realloc moves an object, and the old address is freed.", double_realloc},
	{"double-realloc-zero", "realloc(p, 0) frees an object, and it is freed again.", double_realloc_zero},
	{"double-fork", "A process frees an object and forks; the child frees it again.", double_fork},
};
#endif
