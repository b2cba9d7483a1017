/* A malloc library is loaded late, used by its own functions, and unloaded, while the program's malloc is another. Arguments:
 * the library's path, rounds. */
#include "client.h"

static const char *path;

static void *visit(void *unused)
{
    (void)unused;
    union {
        void *symbol;
        void *(*call)(size_t);
    } get;
    union {
        void *symbol;
        void (*call)(void *);
    } give;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library, "dlopen: %s", dlerror());
    get.symbol = dlsym(library, "malloc");
    give.symbol = dlsym(library, "free");
    CHECK(get.symbol && give.symbol && get.symbol != dlsym(RTLD_DEFAULT, "malloc"), "whose malloc is %p?", get.symbol);
    void *blocks[300];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        size_t size = 1 + i * i * 7 % 90000;
        blocks[i] = get.call(size);
        CHECK(blocks[i], "%zu bytes", size);
        memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < COUNT(blocks); i++)
        give.call(blocks[i]);
    CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
    CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD), "%s is closed and still loaded", path);
    return NULL;
}

int main(int argc, char **argv)
{
    CHECK(argc > 1, "which library?");
    path = argv[1];
    size_t rounds = argument(argc, argv, 2, 1000);
    for (int i = 0; i < 20; i++)
        join_thread(start_thread(visit, NULL, 0));
    size_t before = process_kib(0);
    for (size_t i = 0; i < rounds; i++) {
        join_thread(start_thread(visit, NULL, 0));
        visit(NULL);
    }
    size_t after = process_kib(0);
    CHECK(after <= before + 4 * KIB, "address space grew from %zu to %zu KiB", before, after);
    pid_t child = fork();
    if (child == 0)
        exit(0);
    wait_for(child);
    return 0;
}
