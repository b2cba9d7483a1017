// Uses a guarded object in the way that its argument names. Objects of 100 bytes are served from a class of 112: one whose usable
// size is 100 is guarded, as these are watched to the byte.
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// The C library may be older than these.
__attribute__((weak)) void free_sized(void *, size_t);
__attribute__((weak)) void free_aligned_sized(void *, size_t, size_t);

enum { SIZE = 100, ROUNDED = 112, PAGE = 4096 };

static char *guarded(int at_end) {
    for (long n = 0; n < 100000000; n++) {
        char *p = malloc(SIZE);
        if (malloc_usable_size(p) == SIZE) {
            uintptr_t beside = (uintptr_t)p + (at_end ? ROUNDED : 0);
            if (beside % PAGE == 0) {
                memset(p, 7, SIZE);
                return p;
            }
            free(p);
        }
    }
    puts("none is guarded");
    exit(2);
}

static void *free_it(void *p) {
    free(p);
    return 0;
}

static void in_thread(void *(*f)(void *), void *argument) {
    pthread_t thread;
    pthread_create(&thread, 0, f, argument);
    pthread_join(thread, 0);
}

// Reads and writes the byte behind each object of a class of 64 bytes that it makes, until that is found. Counts in shared memory. Nothing is
// freed: a thread that frees and allocates in turn lives on what it has, and nothing comes to it that could be guarded.
static void *one_beyond(void *counter) {
    for (;;) {
        volatile char *p = malloc(60);
        ++*(volatile unsigned long *)counter;
        // What follows a run of objects that are not guarded may be no memory either.
        if (((uintptr_t)p + 64) % PAGE || malloc_usable_size((void *)p) == 60) {
            char c = p[64];
            p[64] = c;
        }
    }
    return 0;
}

static sigjmp_buf back;

static void handler(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

int main(int count, char **arguments) {
    const char *kind = count > 1 ? arguments[1] : "";
    volatile char *p;
    if (!strcmp(kind, "overflow")) {
        p = guarded(1);
        p[ROUNDED] = 1;
    } else if (!strcmp(kind, "slack")) {
        p = guarded(0);
        p[SIZE] = 1;
        free((void *)p);
    } else if (!strcmp(kind, "underflow")) {
        p = guarded(0);
        (void)p[-1];
    } else if (!strcmp(kind, "before")) {
        p = guarded(1);
        p[-1] = 1;
        free((void *)p);
    } else if (!strcmp(kind, "after-free")) {
        p = guarded(1);
        in_thread(free_it, (void *)p);
        (void)p[0];
    } else if (!strcmp(kind, "double-free")) {
        p = guarded(1);
        free((void *)p);
        free((void *)p);
    } else if (!strcmp(kind, "interior")) {
        p = guarded(1);
        free((void *)(p + 16));
    } else if (!strcmp(kind, "wrong-size")) {
        free_sized(guarded(1), SIZE - 1);
    } else if (!strcmp(kind, "wrong-alignment")) {
        free_aligned_sized(guarded(1), PAGE, SIZE);
    } else if (!strcmp(kind, "sized")) {
        free_sized(guarded(0), SIZE);
        free_sized(guarded(1), SIZE);
        for (int n = 0; n < 20000; n++) {
            free_aligned_sized(aligned_alloc(64, 100), 64, 100);
            free_aligned_sized(aligned_alloc(1024, 1), 1024, 1);
            free_sized(malloc(n % 5000), n % 5000);
        }
        puts("right");
    } else if (!strcmp(kind, "wild")) {
        void *wild = (void *)strtoul(arguments[2], 0, 16);
        free(guarded(1));
        switch (arguments[3][0]) {
        case 'f': free(wild); break;
        case 'r': wild = realloc(wild, 100); break;
        case 'u': printf("%zu\n", malloc_usable_size(wild)); break;
        case 's': free_sized(wild, 100); break;
        }
    } else if (!strcmp(kind, "right")) {
        for (int end = 0; end < 2; end++) {
            char *q = realloc(guarded(end), SIZE);
            q = realloc(q, 5000);
            for (int i = 0; i < SIZE; i++)
                if (q[i] != 7)
                    return 3;
            free(realloc(guarded(end), 20));
            char *kept = guarded(end);
            if (fork() == 0) {
                free(kept);
                free(guarded(end));
                _exit(0);
            }
            int status = 1;
            wait(&status);
            if (status)
                return 4;
            free(kept);
        }
        for (int n = 0; n < 100000; n++) {
            char *q = calloc(1, SIZE);
            for (int i = 0; i < SIZE; i++)
                if (q[i])
                    return 5;
            memset(q, 9, SIZE);
            void *aligned = 0;
            if (posix_memalign(&aligned, 64, 100) || (uintptr_t)aligned % 64)
                return 6;
            free(aligned);
            if (n % 2)
                free(q);
        }
        puts("right");
    } else if (!strcmp(kind, "own-handler")) {
        signal(SIGSEGV, handler);
        free(guarded(1));
        if (!sigsetjmp(back, 1)) {
            *(volatile char *)8 = 1;
            return 7;
        }
        puts("handled");
    } else if (!strcmp(kind, "large-overflow")) {
        free(guarded(1));
        p = malloc(300000);
        p[303104 + 8] = 1;
    } else if (!strcmp(kind, "large-underflow")) {
        free(guarded(1));
        p = malloc(300000);
        (void)p[-1];
    } else if (!strcmp(kind, "huge-overflow")) {
        free(guarded(1));
        p = malloc(2 << 20);
        p[2 << 20] = 1;
    } else if (!strcmp(kind, "huge-underflow")) {
        free(guarded(1));
        p = malloc(3 << 20);
        (void)p[-16];
    } else if (!strcmp(kind, "run-overflow")) {
        free(guarded(1));
        for (;;) {
            // Of the class of 2048 bytes. One that lies in a page of its own is not what this is about.
            p = malloc(2000);
            if (malloc_usable_size((void *)p) == 2000)
                continue;
            // Up to the next page, and on.
            for (uintptr_t at = (uintptr_t)p; at < (uintptr_t)p + 65536; at++)
                *(volatile char *)at = 1;
        }
    } else if (!strcmp(kind, "hold")) {
        for (int n = 0; n < 5; n++)
            memset(malloc(300000), 1, 300000);
        memset(malloc(2 << 20), 1, 2 << 20);
        for (int n = 0; n < 1000; n++)
            memset(malloc(1000), 1, 1000);
        puts("ready");
        fflush(stdout);
        pause();
    } else if (!strcmp(kind, "statistics")) {
        int runs = atoi(arguments[2]);
        unsigned long *counter = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        // A child that ends by a fault writes no file of its memory.
        for (int run = 0; run < runs; run++) {
            *counter = 0;
            if (fork() == 0) {
                close(2);
                in_thread(one_beyond, counter);
            }
            int status;
            wait(&status);
            if (!WIFSIGNALED(status))
                return 8;
            printf("%lu\n", *counter);
            fflush(stdout);
        }
    }
    return 0;
}
