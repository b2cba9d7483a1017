/* A program that is linked against a variant, proves that its malloc is that variant's, and uses it as programs do. */
#include <hz3.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char report[65536];

/* Bytes that the variant has given out, by its own account. */
static unsigned long live(void) {
    const char *field = "\"live_bytes\":";
    if (hz3_stats_json(report, sizeof report) >= sizeof report) abort();
    const char *at = strstr(report, field);
    return at ? strtoul(at + strlen(field), NULL, 10) : 0;
}

static void *churn(void *argument) {
    for (int i = 1; i < 20000; i++) free(realloc(malloc(i % 3000), i % 5000 + 1));
    return strdup(argument);
}

int main(int count, char **arguments) {
    const char *expected = count > 1 ? arguments[1] : "";
    if (strcmp(hz3_name(), expected) != 0) return printf("the variant is %s\n", hz3_name()), 1;

    enum { OBJECTS = 1000, SIZE = 4000 };
    static void *objects[OBJECTS];
    unsigned long before = live();
    for (int i = 0; i < OBJECTS; i++) objects[i] = i % 2 ? malloc(SIZE) : calloc(1, SIZE);
    unsigned long after = live();
    if (after - before < (unsigned long)OBJECTS * SIZE) return printf("of 1000 objects it saw %lu B\n", after - before), 1;
    for (int i = 0; i < OBJECTS; i++) free(objects[i]);
    if (live() >= after) return printf("free did not reach it\n"), 1;

    /* The C library's own calls, as well. */
    before = live();
    char *line = NULL;
    size_t room = 1 << 20;
    line = malloc(room);
    FILE *file = open_memstream(&line, &room);
    for (int i = 0; i < 1 << 20; i++) fputc('x', file);
    fclose(file);
    if (live() - before < 1 << 20) return printf("a buffer of the C library's is not its\n"), 1;
    if (malloc_usable_size(line) < 1 << 20) return printf("a buffer has %zu B\n", malloc_usable_size(line)), 1;

    pthread_t thread;
    void *text;
    if (pthread_create(&thread, NULL, churn, "done") != 0 || pthread_join(thread, &text) != 0) return 1;
    if (strcmp(text, "done") != 0) return 1;
    free(text);
    pid_t child = fork();
    if (child == 0) {
        free(churn("child"));
        exit(7);
    }
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) return 1;
    printf("proven: %s %s\n", hz3_name(), hz3_version());
    return 0;
}
