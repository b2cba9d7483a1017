/* Many segments full of small objects, thinned out at random, filled again: none is lost, none is handed out twice. */
#include "client.h"

struct object {
    struct object *self;
    uint32_t size, seed;
};

static struct object **held;
static size_t many;

static void make(size_t i, uint64_t *state)
{
    size_t size = random_between(state, sizeof(struct object), i % 16 == 0 ? 2000 : 120);
    struct object *object = malloc(size);
    CHECK(object, "malloc(%zu)", size);
    object->self = object;
    object->size = (uint32_t)size;
    object->seed = (uint32_t)i;
    if (size > sizeof *object)
        ((uint8_t *)object)[size - 1] = (uint8_t)i;
    held[i] = object;
}

static void drop(size_t i)
{
    struct object *object = held[i];
    CHECK(object->self == object && object->seed == (uint32_t)i, "object %zu at %p is overwritten", i, (void *)object);
    CHECK(object->size == sizeof *object || ((uint8_t *)object)[object->size - 1] == (uint8_t)i,
          "the end of object %zu at %p is overwritten", i, (void *)object);
    free(object);
    held[i] = NULL;
}

int main(int argc, char **argv)
{
    client_start();
    size_t bytes = argument(argc, argv, 1, 256) * MIB;
    many = bytes / 192;
    held = calloc(many, sizeof *held);
    CHECK(held, "the table");
    uint64_t state = 11;
    for (size_t i = 0; i < many; i++)
        make(i, &state);
    size_t full = resident_kib(), peak = full;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < many; i++)
            if (held[i] && next_random(&state) % 10 < 8)
                drop(i);
        for (size_t i = 0; i < many; i++)
            if (!held[i])
                make(i, &state);
        if (resident_kib() > peak)
            peak = resident_kib();
    }
    for (size_t i = many; i-- > 0;)
        drop(i);
    malloc_trim(0);
    size_t rest = resident_kib() - many * sizeof *held / KIB;
    printf("%zu objects: %zu KiB at first, %zu at most, %zu at the end\n", many, full, peak, rest);
    CHECK(peak <= full + full / 4, "%zu KiB at first, %zu after objects were replaced by like ones", full, peak);
    CHECK(rest <= full / 8 + 8 * KIB, "%zu KiB stay resident of %zu", rest, full);
    free(held);
    return 0;
}
