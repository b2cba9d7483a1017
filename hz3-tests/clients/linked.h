/* What clients miss beside glibc's headers and its dynamic linker: declarations of what only glibc's malloc has, and, in a
 * program that has the allocator in it (HZ3_LINKED), the names that others ask the dynamic linker for. */
#ifndef HZ3_LINKED_H
#define HZ3_LINKED_H

#ifndef __GLIBC__
struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo mallinfo(void);
struct mallinfo2 mallinfo2(void);
int malloc_trim(size_t);
int mallopt(int, int);
int malloc_info(int, FILE *);
void malloc_stats(void);
void *pvalloc(size_t);
/* They are looked for when the program starts: where it is linked nobody has them. */
#ifndef HZ3_LINKED
#pragma weak mallinfo
#pragma weak mallinfo2
#pragma weak malloc_trim
#pragma weak mallopt
#pragma weak malloc_info
#pragma weak malloc_stats
#pragma weak pvalloc
#endif
#ifndef M_MMAP_THRESHOLD
#define M_TRIM_THRESHOLD (-1)
#define M_MMAP_THRESHOLD (-3)
#define M_ARENA_MAX (-8)
#endif
#endif

#ifdef HZ3_LINKED
/* A weak reference under a name of our own: null where the program has no such symbol. */
#define HZ3_LINKED_NAMES(X)                                                                                            \
    X(hz3_name) X(hz3_config) X(hz3_version) X(hz3_stats_json) X(hz3_trim) X(hz3_on_error) X(hz3_profile_dump)         \
    X(malloc) X(calloc) X(realloc) X(reallocarray) X(free) X(free_sized) X(free_aligned_sized) X(memalign)             \
    X(posix_memalign) X(aligned_alloc) X(valloc) X(pvalloc) X(malloc_usable_size) X(malloc_trim) X(mallopt)            \
    X(mallinfo) X(mallinfo2) X(malloc_stats) X(malloc_info)

/* A reference in C++ would make an operator weak that the same source defines. */
#ifdef __cplusplus
#define HZ3_LINKED_OPERATORS(X)
#else
#define HZ3_LINKED_OPERATORS(X)                                                                                        \
    X(_Znwm) X(_Znam) X(_ZnwmRKSt9nothrow_t) X(_ZnamRKSt9nothrow_t) X(_ZnwmSt11align_val_t) X(_ZnamSt11align_val_t)    \
    X(_ZnwmSt11align_val_tRKSt9nothrow_t) X(_ZnamSt11align_val_tRKSt9nothrow_t) X(_ZdlPv) X(_ZdaPv) X(_ZdlPvm)         \
    X(_ZdaPvm) X(_ZdlPvRKSt9nothrow_t) X(_ZdaPvRKSt9nothrow_t) X(_ZdlPvSt11align_val_t) X(_ZdaPvSt11align_val_t)       \
    X(_ZdlPvmSt11align_val_t) X(_ZdaPvmSt11align_val_t) X(_ZdlPvSt11align_val_tRKSt9nothrow_t)                         \
    X(_ZdaPvSt11align_val_tRKSt9nothrow_t)
#endif

#ifdef __cplusplus
extern "C" {
#endif
#define X(name) extern char hz3_linked_##name[] __asm__(#name) __attribute__((weak));
HZ3_LINKED_NAMES(X) HZ3_LINKED_OPERATORS(X)
#undef X
#ifdef __cplusplus
}
#endif

__attribute__((unused)) static void *hz3_linked_symbol(const char *name)
{
#define X(known)                                                                                                       \
    if (strcmp(name, #known) == 0)                                                                                     \
        return hz3_linked_##known;
    HZ3_LINKED_NAMES(X) HZ3_LINKED_OPERATORS(X)
#undef X
    return NULL;
}

/* Whatever is in the program is of one object. */
__attribute__((unused)) static int hz3_linked_object(void *symbol, Dl_info *info)
{
    memset(info, 0, sizeof *info);
    info->dli_fname = "the program";
    info->dli_fbase = hz3_linked_hz3_name;
    return symbol != NULL;
}

#define dlsym(library, name) ((void)(library), hz3_linked_symbol(name))
#define dladdr(symbol, info) hz3_linked_object(symbol, info)
#endif
#endif
