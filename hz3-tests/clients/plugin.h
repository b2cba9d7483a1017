/* A library in Rust with an allocator of its own, as its hosts use it. */
#ifndef HZ3_PLUGIN_H
#define HZ3_PLUGIN_H

#include "client.h"

#ifdef __aarch64__
/* A block at a fixed place may be no more aligned than those that were there at the start, or the C library of aarch64 refuses the
 * library that brings it: here is one as aligned as a variant's. */
__attribute__((used, aligned(64))) static _Thread_local char as_aligned[64];
#endif

struct plugin {
    void *handle;
    long (*work)(long);
    unsigned char *(*give)(size_t);
    int (*take)(unsigned char *, size_t);
};

/* `dlsym` as a function. */
#define FIND(plugin, name)                                                                                             \
    do {                                                                                                               \
        void *symbol = dlsym((plugin)->handle, "plugin_" #name);                                                       \
        CHECK(symbol, "no plugin_" #name ": %s", dlerror());                                                           \
        memcpy(&(plugin)->name, &symbol, sizeof symbol);                                                               \
    } while (0)

__attribute__((unused)) static struct plugin open_plugin(const char *path)
{
    struct plugin plugin = {0};
    plugin.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin.handle, "dlopen: %s", dlerror());
    FIND(&plugin, work);
    FIND(&plugin, give);
    FIND(&plugin, take);
    return plugin;
}

__attribute__((unused)) static void use_plugin(const struct plugin *plugin)
{
    CHECK(plugin->work(1000) == 499500, "a sum of what lies in the library's objects");
}

/* It must be gone, not only closed. */
__attribute__((unused)) static void close_plugin(struct plugin *plugin, const char *path)
{
    CHECK(dlclose(plugin->handle) == 0, "dlclose: %s", dlerror());
    CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD), "%s is closed and still loaded", path);
    plugin->handle = NULL;
}

#endif
