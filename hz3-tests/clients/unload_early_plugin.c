/* Loads the library that PLUGIN names before the program runs, and says where it is. */
#include <dlfcn.h>
#include <stdlib.h>

void *early_handle;

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv("PLUGIN");
    if (path)
        early_handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!early_handle)
        abort();
}
