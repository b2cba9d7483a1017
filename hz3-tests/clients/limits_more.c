/* One request for more than the machine has: where the kernel judges requests by themselves (overcommit_memory 0) it says
 * no, and so does malloc, by every entry point. */
#include "client.h"

#include <sys/sysinfo.h>

int main(void)
{
    client_start();
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
    int judged = file && fgetc(file) == '0';
    if (file)
        fclose(file);
    if (!judged) {
        puts("the kernel grants everything here, or nothing");
        return 0;
    }
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0, "sysinfo: errno %d", errno);
    size_t all = (info.totalram + info.totalswap) * info.mem_unit;
    const size_t SIZES[] = {all + all / 8, 2 * all, (size_t)1 << 42, (size_t)1 << 46, (size_t)1 << 47, (size_t)1 << 62};
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        void *old = malloc(10), *aligned = NULL;
        errno = 0;
        CHECK(!malloc(SIZES[i]) && errno == ENOMEM, "malloc(%zu): errno %d", SIZES[i], errno);
        errno = 0;
        CHECK(!calloc(1, SIZES[i]) && errno == ENOMEM, "calloc(%zu): errno %d", SIZES[i], errno);
        errno = 0;
        CHECK(!realloc(old, SIZES[i]) && errno == ENOMEM, "realloc(%zu): errno %d", SIZES[i], errno);
        CHECK(posix_memalign(&aligned, 4 * MIB, SIZES[i]) == ENOMEM, "posix_memalign(%zu)", SIZES[i]);
        free(old);
    }
    return 0;
}
