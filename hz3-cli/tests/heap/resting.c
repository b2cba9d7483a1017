/* Threads hand objects to each other and then rest; what the variant says of itself is written before they do. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
size_t hz3_stats_json(char *, size_t) __attribute__((weak));
enum { THREADS = 4, OBJECTS = 5000 };
static void *objects[THREADS][OBJECTS];
static pthread_barrier_t all;
static char text[65536];
static void *work(void *number) {
    unsigned long me = (unsigned long)number, x = me + 1;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            x = x * 6364136223846793005ul + 1442695040888963407ul;
            if (!objects[me][i]) objects[me][i] = malloc(1 + (x >> 33) % ((x >> 60) ? 2000 : 300000));
        }
        pthread_barrier_wait(&all);
        unsigned long other = (me + 1) % THREADS;
        for (int i = round; i < OBJECTS; i += 2) { free(objects[other][i]); objects[other][i] = 0; }
        pthread_barrier_wait(&all);
    }
    pthread_barrier_wait(&all);
    pause();
    return 0;
}
int main(void) {
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pthread_barrier_init(&all, 0, THREADS + 1);
    for (unsigned long i = 0; i < THREADS; i++) { pthread_t t; pthread_create(&t, 0, work, (void *)i); }
    for (int i = 0; i < 7; i++) pthread_barrier_wait(&all);
    size_t n = hz3_stats_json(text, sizeof text);
    text[n] = '\n';
    if (write(1, "ready\n", 6) != 6 || write(1, text, n + 1) != (ssize_t)n + 1) return 1;
    pause();
}
