/* Libraries that come and go, with objects that cross the border both ways. Argument: the library's path. */
#include "client.h"

static const char *path;

static void *use_plugin(void *with)
{
    size_t rounds = (size_t)(uintptr_t)with;
    for (size_t i = 0; i < rounds; i++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library, "dlopen: %s", dlerror());
        union {
            void *symbol;
            char *(*call)(size_t);
        } text;
        union {
            void *symbol;
            void (*call)(char *);
        } take;
        text.symbol = dlsym(library, "plugin_text");
        take.symbol = dlsym(library, "plugin_take");
        CHECK(text.symbol && take.symbol, "dlsym: %s", dlerror());
        size_t size = 1 + i * 37 % 60000;
        char *one = text.call(size), *two = text.call(size);
        CHECK(strlen(one) == size && strlen(two) == size, "a text of %zu bytes", size);
        one = realloc(one, size * 2);
        CHECK(one && one[size - 1] == 'q', "realloc of a library's block");
        free(one);
        take.call(two);
        CHECK(!dlsym(library, "plugin_nothing") && dlerror(), "an unknown symbol is found");
        CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
    }
    return NULL;
}

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 1, "which library?");
    path = argv[1];
    use_plugin((void *)300);
    size_t before = kept_kib();
    use_plugin((void *)1000);
    pthread_t four[4];
    for (size_t i = 0; i < COUNT(four); i++)
        four[i] = start_thread(use_plugin, (void *)200, 0);
    for (size_t i = 0; i < COUNT(four); i++)
        join_thread(four[i]);
    size_t after = kept_kib();
    CHECK(!hz3_variant() || after <= before + 8 * KIB, "resident grew from %zu to %zu KiB over dlopen", before, after);
    return 0;
}
