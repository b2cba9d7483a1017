/* Never stands still. */
#include <pthread.h>
#include <sys/prctl.h>
#include <stdio.h>
#include <stdlib.h>
static void *churn(void *seed) {
    unsigned long x = (unsigned long)seed;
    void *slots[2000] = {0};
    for (;;) {
        x = x * 6364136223846793005ul + 1442695040888963407ul;
        unsigned i = (x >> 33) % 2000;
        free(slots[i]);
        slots[i] = malloc((x >> 48) % 64 ? (x >> 40) % 5000 : (x >> 40) % 500000);
    }
}
int main(void) {
    /* Anybody may look, also where only a parent might otherwise. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    for (unsigned long i = 1; i < 4; i++) { pthread_t t; pthread_create(&t, 0, churn, (void *)i); }
    puts("ready"); fflush(stdout); getchar(); exit(0);
}
