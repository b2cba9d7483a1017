/* Pointers that are no object's, and wrong sizes. */
#ifndef HZ3_MISUSE_WRONG_H
#define HZ3_MISUSE_WRONG_H
#include "misuse.h"

/* Frees what must not be freed. */
__attribute__((noreturn)) static void wrong(void *p, size_t n) {
	act();
	Free(p);
	past();
	aftermath(n);
}

/* A place of the program's own that would do harm if malloc gave it out. */
static void tempt(void *p, size_t n) { lure = p; lure_bytes = n; }

/* Inside of a live object, which stays in the book. */
static void inside(size_t n, size_t at) {
	warm(n);
	byte *p = hold(n);
	if (!p) absent("no memory");
	wrong(p + at, n);
}
static void wrong_1(void) { inside(SMALL, 1); }
static void wrong_8(void) { inside(SMALL, 8); }
static void wrong_16(void) { inside(SMALL, 16); }
static void wrong_middle(void) { inside(256, 128); }
static void wrong_medium(void) { inside(MEDIUM, 8000); }
static void wrong_large(void) { inside(LARGE_N, LARGE_N / 2); }
static void wrong_large_16(void) { inside(LARGE_N, 16); }
static void wrong_huge(void) { inside(HUGE_N, HUGE_N / 2); }
static void wrong_huge_2m(void) {
	byte *p = hold(HUGE_N);
	wrong(p + (2 << 20) - (uintptr_t)p % (2 << 20), SMALL);
}
static void wrong_page(void) {
	warm(MEDIUM);
	byte *p = hold(MEDIUM), *page = p + 4096 - (uintptr_t)p % 4096;
	wrong(page, MEDIUM);
}
static void wrong_end(void) {
	warm(SMALL);
	byte *p = hold(SMALL);
	wrong(p + Usable(p), SMALL);
}
static void wrong_before(void) {
	hold_many(200, SMALL);
	byte *p = held[0].p;
	for (size_t i = 0; i < lives; i++) if (held[i].p < p) p = held[i].p;
	wrong(p - Usable(p), SMALL);
}
static void wrong_never(void) {
	/* The last object of a run that was never given out: as far behind the youngest as there is memory. */
	byte *p = hold(48), *low, *high;
	span(p, 1 << 20, &low, &high);
	byte *never = high - 4096 - (uintptr_t)(high - 4096 - p) % 48;
	if (never == p) absent("no memory lies behind the object");
	wrong(never, SMALL);
}
static void wrong_tagged(void) {
	warm(SMALL);
	byte *p = hold(SMALL);
	wrong((byte *)((uintptr_t)p | 0x5aull << 56), SMALL);
}

static byte in_data[4096] __attribute__((aligned(4096))) = {1};
static void wrong_static(void) {
	tempt(in_data, sizeof in_data);
	wrong(in_data + 64, SMALL);
}
/* A static that looks like an object of the C library: a size before it, and one behind. */
static void wrong_fake(void) {
	uint64_t *w = (uint64_t *)(void *)victim;
	for (size_t i = 0; i < 64; i++) w[i * 2 + 1] = 0x51;
	wrong(victim + 16, SMALL);
}
static void wrong_stack(void) {
	byte here[4096] __attribute__((aligned(64)));
	memset(here, 0, sizeof here);
	tempt(here, sizeof here);
	wrong(here + 64, SMALL);
}
static _Thread_local byte of_thread[1024] __attribute__((aligned(64)));
static void wrong_thread_local(void) {
	tempt(of_thread, sizeof of_thread);
	wrong(of_thread + 64, SMALL);
}
static void wrong_code(void) {
	byte *p;
	void (*f)(void) = wrong_stack;
	memcpy(&p, &f, sizeof p);
	wrong(p - (uintptr_t)p % 16, SMALL);
}
static void wrong_library(void) { wrong(dlsym(RTLD_DEFAULT, "environ"), SMALL); }
static void wrong_unmapped(void) {
	byte *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p, 1 << 20);
	wrong(p + 4096 + 16, SMALL);
}
static void wrong_mmap(void) {
	byte *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tempt(p, 1 << 20);
	wrong(p, LARGE_N);
}
static void wrong_mmap_16(void) {
	byte *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tempt(p, 1 << 20);
	wrong(p + 16, SMALL);
}
static void wrong_wild(void) { wrong((void *)0x123456789ab0, SMALL); }
static void wrong_wild_near(void) {
	/* A gigabyte behind an object: in the reserved range of many allocators, and no object. */
	byte *p = hold(SMALL);
	wrong(p + (1 << 30), SMALL);
}
static void wrong_small_number(void) { wrong((void *)16, SMALL); }
static void wrong_minus_one(void) { wrong((void *)-1, SMALL); }
static void wrong_noncanonical(void) { wrong((void *)0x4141414141414140, SMALL); }
static void wrong_kernel(void) { wrong((void *)0xffff888000000000, SMALL); }
static void wrong_header(void) {
	byte *p = hold(SMALL), *h = p - (uintptr_t)p % (2 << 20);
	wrong(h, SMALL);
}

/* An object of another malloc in the same process. */
static void wrong_malloc(void) {
	void *(*other)(size_t);
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), *f = libc ? dlsym(libc, "malloc") : NULL;
	if (!f || dlsym(RTLD_DEFAULT, "malloc") == f) absent("the process has no other malloc");
	memcpy(&other, &f, sizeof f);
	void *p = other(SMALL);
	tempt(p, SMALL);
	wrong(p, SMALL);
}

/* ---- the other entry points ---- */

static void wrong_realloc(byte *p) {
	act();
	byte *q = Realloc(p, 200);
	past();
	if (!q) refused("realloc returned null");
	enter(q, 200);
	aftermath(SMALL);
}
static void wrong_realloc_freed(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	Free(p);
	wrong_realloc(p);
}
static void wrong_realloc_inside(void) {
	warm(SMALL);
	wrong_realloc(hold(SMALL) + 16);
}
static void wrong_realloc_stack(void) {
	byte here[1024] __attribute__((aligned(64)));
	memset(here, 0, sizeof here);
	tempt(here, sizeof here);
	wrong_realloc(here + 64);
}
static void usable_of(byte *p) {
	act();
	size_t n = Usable(p);
	past();
	if (n == 0) refused("malloc_usable_size is 0");
	nothing("malloc_usable_size is %zu", n);
}
static void wrong_usable_freed(void) {
	warm(SMALL);
	byte *p = take(SMALL);
	Free(p);
	usable_of(p);
}
static void wrong_usable_inside(void) {
	warm(SMALL);
	usable_of(hold(SMALL) + 16);
}

/* A function that not every library has. */
static void *function(const char *name) {
	void *f = dlsym(RTLD_DEFAULT, name);
	if (!f && dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL)) f = dlsym(RTLD_DEFAULT, name);
	if (!f) absent("there is no %s", name);
	return f;
}
typedef void *(*new_of)(size_t);
typedef void (*with_size)(void *, size_t);
typedef void (*with_both)(void *, size_t, size_t);

/* The sizes of both sides are used afterwards: an object in the wrong list does harm there. */
__attribute__((noreturn)) static void after_both(size_t a, size_t b) {
	live_on(a);
	live_on(b);
	aftermath(a);
}
static void sized(const char *name, size_t n, size_t told) {
	void *f = function(name);
	with_size g;
	memcpy(&g, &f, sizeof f);
	warm(n);
	warm(told);
	byte *p = take(n);
	act();
	g(p, told);
	past();
	after_both(told, n);
}
static void size_free_less(void) { sized("free_sized", 1024, 64); }
static void size_free_more(void) { sized("free_sized", 64, 1024); }
static void size_delete_less(void) { sized("_ZdlPvm", 1024, 64); }
static void size_delete_more(void) { sized("_ZdlPvm", 64, 1024); }
static void size_delete_large(void) { sized("_ZdlPvm", 64, 1 << 20); }
static void aligned_sized(const char *name, size_t align, size_t n, size_t told_align, size_t told) {
	void *f = function(name);
	with_both g;
	memcpy(&g, &f, sizeof f);
	warm(n);
	byte *p = align ? Aligned(align, n) : Malloc(n);
	act();
	/* free_aligned_sized has the alignment first, operator delete last. */
	if (name[0] == 'f') g(p, told_align, told);
	else g(p, told, told_align);
	past();
	after_both(told, n);
}
static void size_free_aligned(void) { aligned_sized("free_aligned_sized", 256, 256, 256, 4096); }
static void size_free_alignment(void) { aligned_sized("free_aligned_sized", 0, 80, 4096, 80); }
static void size_delete_aligned(void) { aligned_sized("_ZdlPvmSt11align_val_t", 0, 80, 4096, 80); }

static const struct kind wrongs[] = {
	{"free-1", "An address one byte into an object is freed.", wrong_1},
	{"free-8", "An address 8 bytes into an object is freed.", wrong_8},
	{"free-16", "An address 16 bytes into an object is freed.", wrong_16},
	{"free-middle", "The middle of an object of 256 bytes is freed.", wrong_middle},
	{"free-medium", "An address in the middle of an object of 20000 bytes is freed.", wrong_medium},
	{"free-page", "A page boundary inside of an object of 20000 bytes is freed.", wrong_page},
	{"free-large", "The middle of an object of 300 KiB is freed.", wrong_large},
	{"free-large-16", "An address 16 bytes into an object of 300 KiB is freed.", wrong_large_16},
	{"free-huge", "The middle of an object of 8 MiB is freed.", wrong_huge},
	{"free-huge-2m", "A multiple of 2 MiB inside of an object of 8 MiB is freed.", wrong_huge_2m},
	{"free-end", "The address behind an object is freed.", wrong_end},
	{"free-before", "The address before the lowest of 200 objects is freed, whatever lies there.", wrong_before},
	{"free-never", "Memory near an object is freed that was never given out.", wrong_never},
	{"free-header", "The multiple of 2 MiB before an object is freed.", wrong_header},
	{"free-tagged", "An object's address with a byte in its highest bits is freed.", wrong_tagged},
	{"free-static", "A static variable is freed.", wrong_static},
	{"free-fake", "A static variable is freed that is made up like an object of the C library.", wrong_fake},
	{"free-stack", "A local variable is freed.", wrong_stack},
	{"free-thread-local", "A thread-local variable is freed.", wrong_thread_local},
	{"free-code", "A function is freed.", wrong_code},
	{"free-library", "A variable of the C library is freed.", wrong_library},
	{"free-mmap", "The start of a mapping is freed.", wrong_mmap},
	{"free-mmap-16", "An address 16 bytes into a mapping is freed.", wrong_mmap_16},
	{"free-unmapped", "An address of a mapping is freed that is gone.", wrong_unmapped},
	{"free-wild", "An address is freed at which nothing ever was.", wrong_wild},
	{"free-wild-near", "An address one gigabyte behind an object is freed.", wrong_wild_near},
	{"free-small-number", "Address 16 is freed.", wrong_small_number},
	{"free-minus-one", "Address -1 is freed.", wrong_minus_one},
	{"free-letters", "The address that eight letters make is freed.", wrong_noncanonical},
	{"free-kernel", "An address of the kernel is freed.", wrong_kernel},
	{"free-other", "An object of the C library's malloc is freed.", wrong_malloc},
	{"realloc-freed", "realloc is given a freed object.", wrong_realloc_freed},
	{"realloc-inside", "realloc is given an address 16 bytes into an object.", wrong_realloc_inside},
	{"realloc-stack", "realloc is given a local variable.", wrong_realloc_stack},
	{"usable-freed", "malloc_usable_size is asked about a freed object.", wrong_usable_freed},
	{"usable-inside", "malloc_usable_size is asked about an address 16 bytes into an object.", wrong_usable_inside},
};
static const struct kind sizes_told[] = {
	{"sized-free-less", "free_sized is told 64 bytes of an object of 1024.", size_free_less},
	{"sized-free-more", "free_sized is told 1024 bytes of an object of 64.", size_free_more},
	{"sized-free-aligned", "free_aligned_sized is told 4096 bytes of an object of 256.", size_free_aligned},
	{"sized-free-alignment", "free_aligned_sized is told an alignment of 4096 of an object of malloc(80).", size_free_alignment},
	{"sized-delete-less", "operator delete is told 64 bytes of an object of 1024.", size_delete_less},
	{"sized-delete-more", "operator delete is told 1024 bytes of an object of 64.", size_delete_more},
	{"sized-delete-large", "operator delete is told a megabyte of an object of 64 bytes.", size_delete_large},
	{"sized-delete-aligned", "The aligned operator delete gets an object of 80 bytes that was not aligned.", size_delete_aligned},
};
#endif
