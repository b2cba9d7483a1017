// Calls every function that takes a token, in its name and as an argument, and looks at the pages of what comes: none serves two
// tokens. Everything is freed by `free`.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 4, ROUNDS = 3000 };

#define DECLARE(n)                                                             \
    void *__alloc_token_##n##_malloc(size_t);                                  \
    void *__alloc_token_##n##_calloc(size_t, size_t);                          \
    void *__alloc_token_##n##_realloc(void *, size_t);                         \
    void *__alloc_token_##n##_reallocarray(void *, size_t, size_t);            \
    void *__alloc_token_##n##_memalign(size_t, size_t);                        \
    void *__alloc_token_##n##_aligned_alloc(size_t, size_t);                   \
    int __alloc_token_##n##_posix_memalign(void **, size_t, size_t);           \
    void *__alloc_token_##n##_valloc(size_t);                                  \
    void *__alloc_token_##n##_pvalloc(size_t);                                 \
    void *__alloc_token_##n##__Znwm(size_t);                                   \
    void *__alloc_token_##n##__Znam(size_t);                                   \
    void *__alloc_token_##n##__ZnwmRKSt9nothrow_t(size_t, const void *);       \
    void *__alloc_token_##n##__ZnamRKSt9nothrow_t(size_t, const void *);       \
    void *__alloc_token_##n##__ZnwmSt11align_val_t(size_t, size_t);            \
    void *__alloc_token_##n##__ZnamSt11align_val_t(size_t, size_t);            \
    void *__alloc_token_##n##__ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *); \
    void *__alloc_token_##n##__ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
DECLARE(0)
DECLARE(1)
DECLARE(2)
DECLARE(3)

void *__alloc_token_malloc(size_t, size_t);
void *__alloc_token_calloc(size_t, size_t, size_t);
void *__alloc_token_realloc(void *, size_t, size_t);
int __alloc_token_posix_memalign(void **, size_t, size_t, size_t);
void *__alloc_token__Znwm(size_t, size_t);
void *__alloc_token__ZnamSt11align_val_t(size_t, size_t, size_t);

#define CHECK(what)                                              \
    do {                                                         \
        if (!(what)) {                                           \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #what);    \
            exit(1);                                             \
        }                                                        \
    } while (0)

// The token of each page of an object, by the page's number modulo a prime; twice as many places as there are pages.
static struct page { uintptr_t number; int token; } pages[1 << 16];

static void served(void *p, size_t n, int token)
{
    CHECK(p);
    memset(p, token + 1, n);
    for (uintptr_t page = (uintptr_t)p >> 12; page <= ((uintptr_t)p + n - 1) >> 12; page++) {
        size_t at = page * 0x9e3779b97f4a7c15 >> 48;
        while (pages[at].number && pages[at].number != page)
            at = (at + 1) & 0xffff;
        CHECK(!pages[at].number || pages[at].token == token);
        pages[at] = (struct page){page, token};
    }
}

// One of the functions, of which those from 17 on take the token as an argument.
static void *get(size_t token, size_t n, int way)
{
    void *p = 0;
#define EACH(t)                                                                            \
    case 0: return __alloc_token_##t##_malloc(n);                                          \
    case 1: return __alloc_token_##t##_calloc(1, n);                                       \
    case 2: return __alloc_token_##t##_realloc(__alloc_token_##t##_malloc(n / 3), n);      \
    case 3: return __alloc_token_##t##_reallocarray(0, 1, n);                              \
    case 4: return __alloc_token_##t##_memalign(64, n);                                    \
    case 5: return __alloc_token_##t##_aligned_alloc(128, n);                              \
    case 6: return __alloc_token_##t##_posix_memalign(&p, 32, n) ? 0 : p;                  \
    case 7: return __alloc_token_##t##_valloc(n);                                          \
    case 8: return __alloc_token_##t##_pvalloc(n);                                         \
    case 9: return __alloc_token_##t##__Znwm(n);                                           \
    case 10: return __alloc_token_##t##__Znam(n);                                          \
    case 11: return __alloc_token_##t##__ZnwmRKSt9nothrow_t(n, "");                        \
    case 12: return __alloc_token_##t##__ZnamRKSt9nothrow_t(n, "");                        \
    case 13: return __alloc_token_##t##__ZnwmSt11align_val_t(n, 64);                       \
    case 14: return __alloc_token_##t##__ZnamSt11align_val_t(n, 64);                       \
    case 15: return __alloc_token_##t##__ZnwmSt11align_val_tRKSt9nothrow_t(n, 64, "");     \
    case 16: return __alloc_token_##t##__ZnamSt11align_val_tRKSt9nothrow_t(n, 64, "");     \
    default: break;
    switch (token) {
    case 0: switch (way) { EACH(0) } break;
    case 1: switch (way) { EACH(1) } break;
    case 2: switch (way) { EACH(2) } break;
    case 3: switch (way) { EACH(3) } break;
    default: break;
    }
    switch (way) {
    // Plain calls are of token 0.
    case 17: return token ? __alloc_token_malloc(n, token) : malloc(n);
    // A token that there is not is one of those that there are.
    case 18: return __alloc_token_calloc(1, n, token + 7 * TOKENS);
    case 19: return __alloc_token_realloc(__alloc_token_malloc(n / 3, token), n, token);
    case 20: return __alloc_token_posix_memalign(&p, 32, n, token) ? 0 : p;
    case 21: return __alloc_token__Znwm(n, token);
    default: return __alloc_token__ZnamSt11align_val_t(n, 64, token);
    }
}

int main(void)
{
    static void *live[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        int token = i % TOKENS, way = i / TOKENS % 23;
        size_t n = 16 + (size_t)i * 37 % 1900;
        live[i] = get((size_t)token, n, way);
        served(live[i], n, token);
        if (i % 3 == 0) {
            free(live[i]);
            live[i] = 0;
        }
    }
    for (int i = 0; i < ROUNDS; i++)
        free(live[i]);
    errno = 0;
    CHECK(!__alloc_token_1_calloc(SIZE_MAX / 2, 4) && errno == ENOMEM);
    CHECK(!__alloc_token_2__ZnwmRKSt9nothrow_t(SIZE_MAX / 2, ""));
    CHECK(__alloc_token_3_malloc(0) && !__alloc_token_1_realloc(__alloc_token_3_malloc(1), 0));
    puts("right");
    return 0;
}
