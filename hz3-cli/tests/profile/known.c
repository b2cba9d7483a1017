/* Five sites that keep known bytes, each a function and a class of its own, and one that keeps nothing. Says so, and does one
 * of them again for each line that it reads. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1 << 20)
static void *kept[1200000];
static size_t count;

static void keep(void *p) {
	memset(p, 1, 8);
	kept[count++] = p;
}

__attribute__((noinline)) void site_of_40(void) { for (int i = 0; i < 40 * MIB; i += 100) keep(malloc(100)); }
__attribute__((noinline)) void site_of_32(void) { for (int i = 0; i < 32 * MIB; i += 1000) keep(malloc(1000)); }
__attribute__((noinline)) void site_of_24(void) { for (int i = 0; i < 24 * MIB; i += 48) keep(calloc(1, 48)); }
__attribute__((noinline)) void site_of_16(void) { for (int i = 0; i < 16 * MIB; i += 4 * MIB) keep(malloc(4 * MIB)); }
__attribute__((noinline)) void site_of_8(void) { for (int i = 0; i < 8 * MIB; i += 200) keep(realloc(NULL, 200)); }
__attribute__((noinline)) void goes(void) {
	for (int i = 0; i < 80 * MIB; i += 64) {
		void *p = malloc(64);
		memset(p, 1, 8);
		free(p);
	}
}

int main(void) {
	/* Handlers are called on as small a stack as Rust's threads have for them. */
	static char small[8192];
	sigaltstack(&(stack_t){.ss_sp = small, .ss_size = sizeof small}, NULL);
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	site_of_8();
	goes();
	site_of_40();
	site_of_16();
	goes();
	site_of_24();
	site_of_32();
	puts("ready");
	for (int c; (c = getchar()) != EOF;) {
		if (c != '\n') continue;
		site_of_8();
		puts("ready");
	}
	return 0;
}
