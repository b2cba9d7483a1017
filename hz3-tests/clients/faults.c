/* What a variant is to find wrong, by what its own config says: each kind in a process of its own, which ends with a message.
 * A program's function is told of it first. */
#include "client.h"

#include <signal.h>
#include <sys/resource.h>

struct error {
    unsigned fault;
    const char *name;
    const void *pointer;
    const void *object;
    size_t size;
    const char *text;
};

typedef const char *(*config_fn)(void);
typedef void (*on_error_fn)(void (*)(const struct error *));

static const char *config;
static on_error_fn on_error;

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    CHECK(symbol, "%s is not exported", name);
    return symbol;
}

/* Whether a key of [hardening] has this value. */
static int has(const char *line)
{
    const char *group = strstr(config, "[hardening]");
    const char *end = group ? strstr(group + 1, "\n[") : NULL;
    const char *found = group ? strstr(group, line) : NULL;
    return found && (!end || found < end);
}

static void told(const struct error *error)
{
    /* It may allocate. */
    char *copy = malloc(strlen(error->text) + 16);
    sprintf(copy, "told %u\n", error->fault);
    ssize_t written = write(2, copy, strlen(copy));
    (void)written;
    free(copy);
}

static volatile size_t sizes[] = { 48, 400, 3000 };
static void *objects[64];
static size_t size;

static void fill(int n)
{
    for (int i = 0; i < n; i++) {
        objects[i] = malloc(size);
        CHECK(objects[i], "malloc(%zu)", size);
        memset(objects[i], 7, size);
    }
}

static void *free_one(void *p)
{
    free(p);
    return NULL;
}

static void free_elsewhere(void *p)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_one, p) == 0, "pthread_create");
    CHECK(pthread_join(thread, NULL) == 0, "pthread_join");
}

/* Two threads free an object, which goes home from both. */
static void across_threads(void)
{
    fill(12);
    free_elsewhere(objects[5]);
    free_elsewhere(objects[5]);
    malloc_trim(0);
}

/* A free object says that no other follows. */
static void list_cut_off(void)
{
    fill(8);
    for (int i = 0; i < 8; i++)
        free(objects[i]);
    *(void *volatile *)objects[7] = NULL;
    for (int i = 0; i < 64; i++)
        objects[i] = malloc(size);
}

/* A free object leads elsewhere; its list goes home. */
static void list_led_astray(void)
{
    static char elsewhere[64] __attribute__((aligned(64)));
    fill(8);
    for (int i = 0; i < 8; i++)
        free(objects[i]);
    *(void *volatile *)objects[3] = elsewhere;
    malloc_trim(0);
}

static void in_turn(void)
{
    fill(8);
    free(objects[3]);
    free(objects[3]);
}

static void others_between(void)
{
    fill(8);
    free(objects[3]);
    free(objects[1]);
    free(objects[3]);
    malloc_trim(0);
}

static void one_byte(void)
{
    fill(8);
    for (int i = 0; i < 4; i++)
        free(objects[i]);
    *(volatile unsigned char *)objects[3] ^= 0x40;
    for (int i = 0; i < 3; i++)
        objects[i] = malloc(size);
}

/* Neither its link nor its mark: what lies behind them. */
static void freed_further(void)
{
    fill(8);
    free(objects[3]);
    ((volatile unsigned char *)objects[3])[40] ^= 1;
    fill(8);
}

static void behind(void)
{
    fill(8);
    ((volatile unsigned char *)objects[3])[size] ^= 1;
    free(objects[3]);
}

static void crooked(void)
{
    fill(8);
    free((char *)objects[3] + 8);
}

static void inside(void)
{
    fill(8);
    free((char *)objects[3] + 16);
}

static void resized_inside(void)
{
    fill(8);
    objects[3] = realloc((char *)objects[3] + 8, 9);
}

static void wrong_size(void)
{
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))find("free_sized");
    fill(8);
    free_sized(objects[3], size / 3);
}

static void foreign(void)
{
    static char fixed[64] __attribute__((aligned(64)));
    free(fixed);
}

static void large_twice(void)
{
    char *p = malloc(300000);
    CHECK(p, "malloc(300000)");
    free(p);
    free(p);
}

/* Memory of the heap's range that was never opened. */
static void wild_near(void)
{
    char *p = malloc(64);
    CHECK(p, "malloc(64)");
    free(p + (1 << 30));
}

static void large_after_free(void)
{
    volatile char *p = malloc(300000);
    CHECK(p, "malloc(300000)");
    free((void *)p);
    p[1000] = 1;
}

enum {
    ANY = 0,
    FOREIGN = 1,
    DOUBLE_FREE = 2,
    WRITTEN_LINK = 3,
    INTERIOR = 4,
    OVERFLOW = 5,
    USE_AFTER_FREE = 7,
    WRONG_SIZE = 8,
};

#define EVENTS "check = \"events\"", "check = \"links\""
#define FILLS "fill_freed = \"poison\"", "fill_freed = \"zero\""
#define EXACT "double_free = \"exact\""

/* What it is, which lines of the config have it found, and as what: a write into a free object is one into a link, unless the whole
 * object is looked at. */
static const struct {
    const char *name;
    void (*run)(void);
    const char *lines[3];
    unsigned fault, or_fault;
    /* The signal that ends it, if that is none of abort's. */
    int signal;
} KINDS[] = {
    { "across-threads", across_threads, { EVENTS }, DOUBLE_FREE, DOUBLE_FREE, 0 },
    { "list-cut-off", list_cut_off, { EVENTS }, ANY, ANY, 0 },
    { "list-led-astray", list_led_astray, { EVENTS }, WRITTEN_LINK, USE_AFTER_FREE, 0 },
    { "large-twice", large_twice, { "" }, DOUBLE_FREE, DOUBLE_FREE, 0 },
    { "in-turn", in_turn, { "double_free = \"head\"", "double_free = \"list\"", EXACT }, DOUBLE_FREE, DOUBLE_FREE, 0 },
    { "others-between", others_between, { "double_free = \"list\"", EXACT }, ANY, ANY, 0 },
    { "one-byte", one_byte, { "encode_links = true", FILLS }, WRITTEN_LINK, USE_AFTER_FREE, 0 },
    { "freed-further", freed_further, { FILLS }, USE_AFTER_FREE, USE_AFTER_FREE, 0 },
    { "behind", behind, { "canary = true" }, OVERFLOW, OVERFLOW, 0 },
    { "crooked", crooked, { "interior = \"align\"", "interior = \"grid\"", EXACT }, INTERIOR, INTERIOR, 0 },
    { "inside", inside, { "interior = \"grid\"", EXACT }, INTERIOR, INTERIOR, 0 },
    { "resized-inside", resized_inside, { "interior = \"align\"", "interior = \"grid\"", EXACT }, INTERIOR, INTERIOR, 0 },
    { "wrong-size", wrong_size, { "sized = true" }, WRONG_SIZE, WRONG_SIZE, 0 },
    { "foreign", foreign, { "foreign = \"abort\"" }, FOREIGN, FOREIGN, 0 },
    { "wild-near", wild_near, { "faults = true" }, FOREIGN, DOUBLE_FREE, 0 },
    { "large-after-free", large_after_free, { "quarantine_large = \"64MiB\"" }, USE_AFTER_FREE, USE_AFTER_FREE, SIGSEGV },
};

/* Whether the config has it found. */
static int is_found(size_t kind)
{
    for (size_t i = 0; i < COUNT(KINDS[kind].lines) && KINDS[kind].lines[i]; i++)
        if (has(KINDS[kind].lines[i]))
            return 1;
    return 0;
}

/* How often a kind is tried. Some objects have pages of their own, where other things are found, or the same in another way: those that
 * are guarded, and those that are sampled. Which ones is drawn, by the bytes that a thread asks for. A kind's own objects are so many
 * bytes that one of them is drawn in every third try at most, and no try has the objects of another one. */
#define TRIES (has("guarded = ") || config_says("record = \"sample") ? 40 : 1)

/* Goes past the bytes that the tries before had. */
static void pass(int tries)
{
    for (int i = 0; i < tries * 16; i++)
        CHECK(malloc(size), "malloc(%zu)", size);
}

/* Tries a kind. 0 if what came of it is not what the config says. */
static int is_told(size_t kind, int try, char *text, size_t room, int *status)
{
    int out[2];
    CHECK(pipe(out) == 0, "pipe: errno %d", errno);
    pid_t child = fork();
    CHECK(child >= 0, "fork: errno %d", errno);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        dup2(out[1], 2);
        on_error(told);
        pass(try);
        KINDS[kind].run();
        /* What a quarantine keeps is looked at last. */
        exit(0);
    }
    close(out[1]);
    size_t used = 0;
    for (ssize_t got; used < room - 1 && (got = read(out[0], text + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    text[used] = 0;
    close(out[0]);
    CHECK(waitpid(child, status, 0) == child, "waitpid: errno %d", errno);
    int signal = KINDS[kind].signal ? KINDS[kind].signal : SIGABRT;
    const char *number = strstr(text, "\ntold ");
    unsigned fault = number ? (unsigned)strtoul(number + 6, NULL, 10) : 0;
    return WIFSIGNALED(*status) && WTERMSIG(*status) == signal && strncmp(text, "hz3: ", 5) == 0 && number
        && (KINDS[kind].fault == ANY || KINDS[kind].fault == fault || KINDS[kind].or_fault == fault);
}

static void run(size_t kind)
{
    char text[2000] = "";
    int status = 0, told = 0;
    for (int n = 0; n < TRIES && !told; n++)
        told = is_told(kind, n, text, sizeof text, &status);
    CHECK(told, "%s, %zu bytes: ended with %x and said: %s", KINDS[kind].name, size, status, text);
}

int main(void)
{
    client_start();
    union {
        void *symbol;
        config_fn config;
        on_error_fn on_error;
    } found;
    found.symbol = find("hz3_config");
    config = found.config();
    found.symbol = find("hz3_on_error");
    on_error = found.on_error;
    if (has("on_error = \"continue\""))
        return 0;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size = sizes[s];
        for (size_t kind = 0; kind < COUNT(KINDS); kind++)
            if (is_found(kind))
                run(kind);
    }
    return 0;
}
