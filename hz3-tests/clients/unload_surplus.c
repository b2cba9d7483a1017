/* There is no room left for thread-local storage at fixed places: a library of the dynamic model is loaded, used and unloaded
 * all the same, one of the other model is refused with a message. Arguments: the path of a library that takes such room, the
 * path of the library with an allocator of its own, and its model. */
#include "plugin.h"

#include <sys/mman.h>

/* The file under a name of its own, so that it is loaded once more. */
static void *load_again(const char *path)
{
    char text[64];
    static char bytes[1 << 20];
    int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("hog", MFD_CLOEXEC);
    CHECK(from >= 0 && to >= 0, "%s: errno %d", path, errno);
    ssize_t size = read(from, bytes, sizeof bytes);
    CHECK(size > 0 && write(to, bytes, (size_t)size) == size, "a copy of %s: errno %d", path, errno);
    close(from);
    snprintf(text, sizeof text, "/proc/self/fd/%d", to);
    void *handle = dlopen(text, RTLD_NOW | RTLD_LOCAL);
    return handle; /* The descriptor stays open: names must not come again. */
}

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 3, "which libraries, which model?");
    int loaded = 0;
    while (load_again(argv[1]))
        CHECK(loaded++ < 500, "the room has no end");
    CHECK(loaded > 0, "%s cannot be loaded: %s", argv[1], dlerror());
    if (strcmp(argv[3], "dynamic") != 0) {
        void *handle = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
        const char *said = dlerror();
        CHECK(!handle && said && strstr(said, "static TLS block"), "loaded: %p, %s", handle, said ? said : "nothing said");
        return 0;
    }
    for (int i = 0; i < 100; i++) {
        struct plugin plugin = open_plugin(argv[2]);
        use_plugin(&plugin);
        close_plugin(&plugin, argv[2]);
    }
    return 0;
}
