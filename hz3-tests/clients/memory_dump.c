/* What a core dump would hold: of 3 MiB of data, little more than these. Mappings without access count too, once they were
 * written to, and those that are left out of dumps do not. */
#include "client.h"

/* Bytes of private mappings without a file that the kernel writes into a core dump, holes included. */
static size_t dumped(void)
{
    char line[512];
    size_t bytes = 0, size = 0, touched = 0;
    int anonymous = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    CHECK(file, "/proc/self/smaps");
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to, inode;
        size_t kib;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3) {
            anonymous = inode == 0 && !strstr(line, "[v");
            size = to - from;
        } else if (sscanf(line, "Anonymous: %zu kB", &kib) == 1) {
            touched = kib;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && anonymous && touched > 0 && !strstr(line, " dd")) {
            bytes += size;
        }
    }
    fclose(file);
    return bytes;
}

int main(void)
{
    client_start();
    for (size_t i = 0; i < 3000; i++) {
        char *p = malloc(1000);
        CHECK(p, "malloc(1000)");
        memset(p, 1, 1000);
    }
    size_t bytes = dumped();
    CHECK(bytes > 2900000, "%zu bytes: the count is wrong", bytes);
    CHECK(bytes <= 16 * MIB, "%zu KiB would be written", bytes / KIB);
    return 0;
}
