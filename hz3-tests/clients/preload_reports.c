/* Reports that a monitor parses, from a program with a busy heap: malloc_info's XML and malloc_stats' JSON are whole. */
#include "client.h"

static char text[1 << 18];

/* What a function writes to a descriptor. */
static const char *written(int descriptor, void (*report)(void))
{
    int ends[2], kept = dup(descriptor);
    CHECK(kept >= 0 && pipe(ends) == 0 && dup2(ends[1], descriptor) == descriptor, "pipe: errno %d", errno);
    close(ends[1]);
    /* A pipe holds 64 KiB, and reports are shorter. */
    report();
    fflush(NULL);
    dup2(kept, descriptor);
    close(kept);
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(ends[0]);
    text[used] = 0;
    return text;
}

static void xml(void)
{
    CHECK(malloc_info(0, stdout) == 0, "malloc_info: errno %d", errno);
}

static void stats(void)
{
    malloc_stats();
}

static size_t count(const char *in, const char *what)
{
    size_t n = 0;
    while ((in = strstr(in, what))) {
        in += strlen(what);
        n++;
    }
    return n;
}

int main(void)
{
    client_start();
    for (size_t i = 0; i < 20000; i++) {
        void *p = malloc(16 + i * 37 % 32000);
        CHECK(p, "malloc");
        if (i % 3)
            free(p);
    }
    const char *report = written(1, xml);
    const char *end = strstr(report, "</malloc>");
    CHECK(strncmp(report, "<malloc", 7) == 0 && end && strspn(end + 9, "\n") == strlen(end + 9), "malloc_info is cut: %s", report);
    report = written(2, stats);
    size_t length = strlen(report);
    CHECK(length > 2 && report[0] == '{' && strcmp(report + length - 2, "}\n") == 0, "malloc_stats is cut: %s", report);
    CHECK(count(report, "{") == count(report, "}") && count(report, "[") == count(report, "]"), "malloc_stats: %s", report);
    CHECK(count(report, "\"") % 2 == 0, "malloc_stats: %s", report);
    return 0;
}
