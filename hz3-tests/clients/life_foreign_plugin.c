/* The library that life_foreign loads: its constructor waits for a thread that frees what is the C library's, while the
 * loader's lock is held. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *(*their_malloc)(size_t);

static void *work(void *with)
{
    char *p = their_malloc(100);
    memset(p, 7, 100);
    p = realloc(p, 9000);
    if (!p || p[99] != 7)
        abort();
    free(p);
    free(their_malloc(100));
    return with;
}

__attribute__((constructor)) static void start(void)
{
    pthread_t thread;
    *(void **)&their_malloc = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "malloc");
    if (!their_malloc || pthread_create(&thread, NULL, work, NULL) || pthread_join(thread, NULL))
        abort();
}
