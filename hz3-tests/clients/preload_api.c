/* hz3's own functions, found by name as a program would. Prints a JSON object; the harness reads it. */
#include "client.h"

typedef size_t (*json_fn)(char *, size_t);
typedef size_t (*trim_fn)(void);
typedef int (*limit_fn)(size_t, size_t);

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    CHECK(symbol, "%s is not exported", name);
    return symbol;
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 32)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

int main(void)
{
    client_start();
    union {
        void *symbol;
        hz3_text_fn text;
        json_fn json;
        trim_fn trim;
        limit_fn limit;
    } name, version, config, stats, trim, limit;
    name.symbol = find("hz3_name");
    version.symbol = find("hz3_version");
    config.symbol = find("hz3_config");
    stats.symbol = find("hz3_stats_json");
    trim.symbol = find("hz3_trim");
    limit.symbol = find("hz3_set_limit");

    enum { HELD = 20000 };
    static void *held[HELD];
    for (int i = 0; i < HELD; i++) {
        held[i] = malloc(500);
        CHECK(held[i], "malloc(500)");
        memset(held[i], 1, 500);
    }
    /* As snprintf: the length that is needed, whatever the room; cut short text is still terminated. */
    size_t needed = stats.json(NULL, 0);
    CHECK(needed > 2 && needed < 1 << 20, "hz3_stats_json needs %zu bytes", needed);
    char little[8];
    memset(little, 'x', sizeof little);
    CHECK(stats.json(little, sizeof little) > 2, "hz3_stats_json with little room");
    CHECK(memchr(little, 0, sizeof little), "hz3_stats_json does not end what it cuts");
    size_t room = needed * 2 + 4096;
    char *text = malloc(room);
    CHECK(text, "malloc(%zu)", room);
    size_t length = stats.json(text, room);
    CHECK(length < room && strlen(text) == length, "hz3_stats_json says %zu and writes %zu", length, strlen(text));
    for (int i = 0; i < HELD; i++)
        free(held[i]);
    size_t trimmed = trim.trim();
    CHECK(limit.limit(2, 1) == EINVAL, "a soft limit above the hard one holds");
    CHECK(limit.limit(64 << 20, 64 << 20) == 0, "no limit can be set");
    CHECK(!malloc(65 << 20) && errno == ENOMEM, "more than the limit, and no ENOMEM");
    CHECK(limit.limit(0, 0) == 0, "no limit can be removed");
    void *beyond = malloc(65 << 20);
    CHECK(beyond, "malloc(65 MiB) without a limit");
    free(beyond);

    printf("{\"name\": ");
    print_json_text(name.text());
    printf(", \"version\": ");
    print_json_text(version.text());
    printf(", \"config\": ");
    print_json_text(config.text());
    printf(", \"trimmed\": %zu, \"stats\": %s}\n", trimmed, text);
    free(text);
    return 0;
}
