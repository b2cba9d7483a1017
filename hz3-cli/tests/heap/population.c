/* Allocates, says so, and goes on when it is told to. */
#include <malloc.h>
#include <sys/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *small[20000], *medium[200], *large[5], *huge;
static void *take(size_t n) { void *p = malloc(n); memset(p, 1, n); return p; }
static void stop(void) { puts("ready"); fflush(stdout); if (getchar() == EOF) exit(0); }
int main(void) {
    /* Anybody may look, also where only a parent might otherwise. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    for (int i = 0; i < 20000; i++) small[i] = take(100);
    for (int i = 0; i < 200; i++) medium[i] = take(3000);
    for (int i = 0; i < 5; i++) large[i] = take(200000);
    huge = take(10 << 20);
    stop();
    for (int i = 0; i < 20000; i += 2) free(small[i]);
    stop();
    for (int i = 1; i < 20000; i += 2) free(small[i]);
    for (int i = 0; i < 200; i++) free(medium[i]);
    for (int i = 0; i < 5; i++) free(large[i]);
    free(huge);
    malloc_trim(0);
    stop();
}
