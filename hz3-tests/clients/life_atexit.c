/* Allocation before main, after main, and in the last handlers that the C library runs. */
#include "client.h"

static char *from_constructor, *from_init_array;
static int handlers_run;

static void first_use(int argc, char **argv, char **environment)
{
    (void)environment;
    from_init_array = malloc(strlen(argv[0]) + 1);
    if (argc < 1 || !from_init_array)
        _exit(3);
    strcpy(from_init_array, argv[0]);
}

__attribute__((section(".init_array"), used)) static void (*const init)(int, char **, char **) = first_use;

__attribute__((constructor(101))) static void constructor(void)
{
    from_constructor = malloc(100000);
    CHECK(from_constructor, "malloc in a constructor");
    memset(from_constructor, 'c', 100000);
}

static void churn(void)
{
    void *held[100];
    uint64_t state = 17;
    for (size_t i = 0; i < COUNT(held); i++) {
        size_t size = random_size(&state);
        held[i] = malloc(size);
        CHECK(held[i], "malloc(%zu) at the end", size);
        memset(held[i], 1, size);
    }
    for (size_t i = 0; i < COUNT(held); i++)
        free(held[i]);
}

static void handler(void)
{
    handlers_run++;
    churn();
    if (handlers_run < 5)
        CHECK(atexit(handler) == 0, "atexit in a handler");
}

__attribute__((destructor(101))) static void destructor(void)
{
    CHECK(handlers_run >= 40, "%d handlers ran", handlers_run);
    churn();
    for (size_t i = 0; i < 100000; i++)
        CHECK(from_constructor[i] == 'c', "what a constructor allocated is overwritten at %zu", i);
    free(from_constructor);
    free(from_init_array);
    churn();
}

int main(int argc, char **argv)
{
    client_start();
    (void)argc;
    CHECK(strcmp(from_init_array, argv[0]) == 0, "what an initialiser allocated is overwritten");
    for (int i = 0; i < 40; i++) /* More than the C library keeps without allocating. */
        CHECK(atexit(handler) == 0, "atexit");
    churn();
    return 0;
}
