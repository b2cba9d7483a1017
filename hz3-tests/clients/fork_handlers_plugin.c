/* A library whose constructor registers fork handlers that allocate: what a tracer or a language runtime does. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *kept;

static void use(size_t size)
{
    free(kept);
    kept = malloc(size);
    if (!kept)
        abort();
    memset(kept, 1, size);
}

static void before(void)
{
    use(5000);
    use(9000);
    use(200000);
    use(3000000);
}

static void after(void)
{
    use(3000);
    use(12000);
    use(300000);
}

__attribute__((constructor)) static void constructor(void)
{
    if (pthread_atfork(before, after, after) != 0)
        abort();
}
