/* Size 0, sizes that no machine has, bad alignments, and errno. */
#include "client.h"

/* Through volatile pointers, so that the compiler neither warns of the sizes nor removes the calls. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_reallocarray)(void *, size_t, size_t) = reallocarray;
static void *(*volatile do_memalign)(size_t, size_t) = memalign;
static void *(*volatile do_aligned_alloc)(size_t, size_t) = aligned_alloc;
static int (*volatile do_posix_memalign)(void **, size_t, size_t) = posix_memalign;
static void *(*volatile do_valloc)(size_t) = valloc;
/* By a call: where it is linked nobody may have it (linked.h), and then a linker takes the address of data to be null for good. */
static void *call_pvalloc(size_t size)
{
    return pvalloc(size);
}

static void *(*volatile do_pvalloc)(size_t) = call_pvalloc;

static void zero_bytes(void)
{
    enum { MANY = 5000 };
    static void *held[MANY];
    for (int i = 0; i < MANY; i++) {
        switch (i % 5) {
        case 0: held[i] = do_malloc(0); break;
        case 1: held[i] = do_calloc(0, 8); break;
        case 2: held[i] = do_calloc(8, 0); break;
        case 3: held[i] = do_realloc(NULL, 0); break;
        default: held[i] = do_memalign(64, 0); break;
        }
        CHECK(held[i], "way %d of asking for 0 bytes gives NULL", i % 5);
        fill_block(held[i], malloc_usable_size(held[i]), (uint64_t)i);
    }
    for (int i = 0; i < MANY; i++) { /* Two owners of one block would not both verify. */
        VERIFY(held[i], malloc_usable_size(held[i]), (uint64_t)i);
        free(held[i]);
    }
    void *p = NULL;
    CHECK(do_posix_memalign(&p, 64, 0) == 0, "posix_memalign of 0 bytes");
    free(p);
}

static void realloc_to_zero(void)
{
    size_t before = 0;
    for (int i = 0; i < 300000; i++) {
        void *p = do_malloc(1000);
        CHECK(p, "malloc(1000)");
        memset(p, 6, 1000);
        void *q = do_realloc(p, 0); /* glibc frees and says NULL; a block of 0 bytes is as good. */
        if (q)
            free(q);
        if (i == 1000)
            before = resident_kib();
    }
    CHECK(resident_kib() <= before + 2048, "realloc(p, 0) leaks: %zu -> %zu KiB", before, resident_kib());
    if (hz3_variant()) {
        void *q = do_realloc(do_malloc(10), 0);
        CHECK(!q, "realloc(p, 0) = %p where glibc says NULL", q);
    }
}

#define REFUSED(call)                                                                                                  \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        void *got = (call);                                                                                            \
        CHECK(!got, #call " with size 0x%zx gives %p", size, got);                                                     \
        CHECK(errno == ENOMEM, #call " with size 0x%zx sets errno %d", size, errno);                                   \
    } while (0)

static void absurd_size(size_t size)
{
    REFUSED(do_malloc(size));
    REFUSED(do_calloc(1, size));
    REFUSED(do_calloc(size, 1));
    REFUSED(do_realloc(NULL, size));
    REFUSED(do_reallocarray(NULL, 1, size));
    REFUSED(do_valloc(size));
    REFUSED(do_pvalloc(size));
    for (size_t align = 1; align <= 32 * MIB; align *= 2) {
        REFUSED(do_memalign(align, size));
        if (align >= sizeof(void *)) {
            void *mark = &size, *p = mark;
            errno = 77;
            int refused = do_posix_memalign(&p, align, size);
            CHECK(refused == ENOMEM, "posix_memalign(%zu, 0x%zx) = %d", align, size, refused);
            CHECK(p == mark, "posix_memalign(%zu, 0x%zx) changed the pointer", align, size);
            CHECK(!hz3_variant() || errno == 77, "posix_memalign(%zu, 0x%zx) changed errno to %d", align, size, errno);
            REFUSED(do_aligned_alloc(align, size));
        }
    }
    static const size_t blocks[] = {1, 100, 3000, 30000, 100000, 3000000};
    for (size_t i = 0; i < COUNT(blocks); i++) {
        void *p = do_malloc(blocks[i]);
        CHECK(p, "malloc(%zu)", blocks[i]);
        fill_block(p, blocks[i], 9);
        REFUSED(do_realloc(p, size));
        REFUSED(do_reallocarray(p, 1, size));
        REFUSED(do_reallocarray(p, size, 16));
        VERIFY(p, blocks[i], 9);
        free(p);
    }
}

static void absurd_sizes(void)
{
    size_t epochs = hz3_stat("epochs"), failed = hz3_stat("failed"), given = hz3_stat("object_bytes");
    absurd_size(PTRDIFF_MAX);
    for (size_t less = 0; less <= 64; less++) {
        absurd_size(SIZE_MAX - less);
        absurd_size((size_t)PTRDIFF_MAX + 1 + less);
    }
    for (size_t less = 128; less <= 64 * MIB; less *= 2) {
        absurd_size(SIZE_MAX - less);
        absurd_size(SIZE_MAX - less + 1);
        absurd_size((size_t)PTRDIFF_MAX - less);
    }
    for (int bit = 48; bit < 64; bit++)
        absurd_size((size_t)1 << bit);
    /* Nobody gives up caches for what nobody can have. */
    CHECK(!hz3_variant() || hz3_stat("failed") > failed + 1000, "%zu requests failed", hz3_stat("failed") - failed);
    CHECK(hz3_stat("epochs") == epochs && hz3_stat("object_bytes") == given, "%zu times all were asked, %zu bytes given up",
          hz3_stat("epochs") - epochs, hz3_stat("object_bytes") - given);
}

static void products_that_overflow(void)
{
    static const size_t factors[][2] = {
        {SIZE_MAX, 2},        {2, SIZE_MAX},        {SIZE_MAX, SIZE_MAX}, {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX / 16 + 2, 16}, {3, SIZE_MAX / 3 + 2},
    };
    for (size_t i = 0; i < COUNT(factors); i++) {
        size_t size = factors[i][0];
        REFUSED(do_calloc(factors[i][0], factors[i][1]));
        REFUSED(do_reallocarray(NULL, factors[i][0], factors[i][1]));
        void *p = do_malloc(48);
        CHECK(p, "malloc(48)");
        fill_block(p, 48, 10);
        REFUSED(do_reallocarray(p, factors[i][0], factors[i][1]));
        VERIFY(p, 48, 10);
        free(p);
    }
}

static int refused_mark;

static void bad_alignments(void)
{
    static const size_t bad[] = {0, 1, 2, 3, 4, 5, 7, 9, 12, 24, 48, 100, 4095, 4097, 3 * MIB, SIZE_MAX, SIZE_MAX / 2};
    for (size_t i = 0; i < COUNT(bad); i++) {
        void *mark = &refused_mark, *p = mark;
        errno = 77;
        int refused = do_posix_memalign(&p, bad[i], 100);
        CHECK(refused == EINVAL, "posix_memalign(%zu, 100) = %d", bad[i], refused);
        CHECK(p == mark, "posix_memalign(%zu, 100) changed the pointer", bad[i]);
        CHECK(errno == 77, "posix_memalign(%zu, 100) changed errno to %d", bad[i], errno);
        /* glibc before 2.38 rounds these up, later ones say EINVAL; nobody may crash. */
        errno = 0;
        p = do_aligned_alloc(bad[i], 100);
        CHECK(p || errno == EINVAL || errno == ENOMEM, "aligned_alloc(%zu, 100): errno %d", bad[i], errno);
        free(p);
        errno = 0;
        p = do_memalign(bad[i], 100);
        CHECK(p || errno == EINVAL || errno == ENOMEM, "memalign(%zu, 100): errno %d", bad[i], errno);
        free(p);
    }
    /* Powers of two that no address space holds, the largest that there is among them, and what has no power of two above
     * it: beside any size. */
    static const size_t sizes[] = {0, 1, 100, 5000, MIB, (size_t)PTRDIFF_MAX, (size_t)1 << 63, SIZE_MAX - 4096, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t size = sizes[i];
        for (int bit = 48; bit < 64; bit++) {
            size_t align = (size_t)1 << bit;
            void *mark = &refused_mark, *p = mark;
            int refused = do_posix_memalign(&p, align, size);
            CHECK(refused == ENOMEM && p == mark, "posix_memalign(2^%d, 0x%zx) = %d, %p", bit, size, refused, p);
            REFUSED(do_memalign(align, size));
            REFUSED(do_aligned_alloc(align, size));
            REFUSED(do_memalign(align - 1, size));
        }
        errno = 0;
        void *p = do_memalign(((size_t)1 << 63) + 1, size);
        CHECK(!p && errno == EINVAL, "memalign(2^63 + 1, 0x%zx) = %p, errno %d", size, p, errno);
    }
    for (size_t align = 1; align; align *= 2) {
        for (size_t less = 0; less <= 4096; less += 2048) {
            size_t size = SIZE_MAX - less;
            REFUSED(do_memalign(align, size));
            size = SIZE_MAX - align - less;
            if (size > PTRDIFF_MAX)
                REFUSED(do_memalign(align, size));
        }
    }
}

/* POSIX since 2024, and glibc since 2.33: free leaves errno alone. Also when it has to go to the kernel. */
static void errno_survives_free(void)
{
    static void *held[3000];
    for (size_t size = 1; size <= 64 * MIB; size = size * 3 / 2 + 1) {
        size_t many = size < 40000 ? COUNT(held) : 3;
        for (size_t i = 0; i < many; i++) {
            held[i] = do_malloc(size);
            CHECK(held[i], "malloc(%zu)", size);
            memset(held[i], 7, size < 40000 ? size : 4096);
        }
        for (size_t i = 0; i < many; i++) {
            errno = 4242;
            free(held[i]);
            CHECK(errno == 4242, "free of %zu bytes changed errno to %d", size, errno);
        }
    }
    errno = 4242;
    free(NULL);
    CHECK(errno == 4242, "free(NULL) changed errno to %d", errno);
}

int main(void)
{
    client_start();
    zero_bytes();
    realloc_to_zero();
    absurd_sizes();
    products_that_overflow();
    bad_alignments();
    errno_survives_free();
    return 0;
}
