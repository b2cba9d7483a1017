/* The first pointer of the C library's that is freed is freed while another thread holds the loader's lock and waits.
 * Argument: the library's path. */
#include "client.h"

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 1, "which library?");
    void *library = dlopen(argv[1], RTLD_NOW);
    CHECK(library, "dlopen: %s", dlerror());
    CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
    return 0;
}
