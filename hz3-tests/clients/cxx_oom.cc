// Out of memory in C++: std::bad_alloc is thrown, nothrow forms say nullptr, and the new handler is asked each time.
//
// With an argument: the limit of the address space in MiB, set before the allocator starts.
#include "client.h"

#include <new>
#include <sys/resource.h>

namespace {

void *(*volatile plain_new)(std::size_t) = ::operator new;
void *(*volatile array_new)(std::size_t) = ::operator new[];
void *(*volatile nothrow_new)(std::size_t, const std::nothrow_t &) = ::operator new;
void *(*volatile nothrow_array_new)(std::size_t, const std::nothrow_t &) = ::operator new[];
void *(*volatile aligned_new)(std::size_t, std::align_val_t) = ::operator new;
void *(*volatile aligned_nothrow_new)(std::size_t, std::align_val_t, const std::nothrow_t &) = ::operator new;

const std::size_t HUGE = static_cast<std::size_t>(PTRDIFF_MAX) - 100;

template <typename Call> void throws_bad_alloc(Call call, const char *how)
{
    bool thrown = false;
    try {
        void *p = call();
        CHECK(false, "%s gives %p", how, p);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown, "%s throws nothing", how);
}

void every_form()
{
    const std::align_val_t align{256};
    throws_bad_alloc([] { return plain_new(HUGE); }, "new");
    throws_bad_alloc([] { return array_new(HUGE); }, "new[]");
    throws_bad_alloc([] { return plain_new(SIZE_MAX); }, "new(SIZE_MAX)");
    throws_bad_alloc([] { return plain_new(SIZE_MAX - 15); }, "new(SIZE_MAX - 15)");
    throws_bad_alloc([align] { return aligned_new(HUGE, align); }, "new(align)");
    if (hz3_variant()) // libstdc++'s own rounds this up to 0 bytes.
        throws_bad_alloc([align] { return aligned_new(SIZE_MAX - 15, align); }, "new(align) of SIZE_MAX - 15");
    CHECK(!nothrow_new(HUGE, std::nothrow), "new(nothrow)");
    CHECK(!nothrow_array_new(HUGE, std::nothrow), "new[](nothrow)");
    CHECK(!aligned_nothrow_new(HUGE, align, std::nothrow), "new(align, nothrow)");
    if (hz3_variant())
        CHECK(!aligned_nothrow_new(SIZE_MAX - 15, align, std::nothrow), "new(align, nothrow) of SIZE_MAX - 15");
}

int asked;

void gives_up_after_three()
{
    if (++asked == 3)
        std::set_new_handler(nullptr);
}

struct Refused : std::bad_alloc {};

void throws_its_own()
{
    asked++;
    throw Refused();
}

void handlers()
{
    asked = 0;
    std::set_new_handler(gives_up_after_three);
    throws_bad_alloc([] { return plain_new(HUGE); }, "new with a handler that gives up");
    CHECK(asked == 3, "the handler was asked %d times, not 3", asked);

    asked = 0;
    std::set_new_handler(gives_up_after_three);
    CHECK(!nothrow_new(HUGE, std::nothrow), "new(nothrow) with a handler that gives up");
    CHECK(asked == 3, "the handler was asked %d times by the nothrow form, not 3", asked);

    asked = 0;
    std::set_new_handler(throws_its_own);
    bool own = false;
    try {
        plain_new(HUGE);
    } catch (const Refused &) {
        own = true;
    }
    CHECK(own && asked == 1, "the handler's own exception: %d, asked %d times", own, asked);

    asked = 0; // A handler that throws inside of a nothrow form gives nullptr, no exception.
    CHECK(!nothrow_new(HUGE, std::nothrow), "new(nothrow) with a throwing handler");
    CHECK(asked == 1, "the handler was asked %d times by the nothrow form, not 1", asked);
    std::set_new_handler(nullptr);
}

void *reserve[400];
std::size_t reserved;

void frees_a_reserve()
{
    asked++;
    if (reserved == 0)
        throw std::bad_alloc();
    while (reserved > 0)
        ::operator delete(reserve[--reserved]);
}

// Fills the address space, and lets the handler make room.
void under_a_limit()
{
    const std::size_t piece = MIB;
    while (reserved < COUNT(reserve)) {
        void *p = nothrow_new(piece, std::nothrow);
        if (!p)
            break;
        memset(p, 1, 4096);
        reserve[reserved++] = p;
    }
    CHECK(reserved > 4 && reserved < COUNT(reserve), "%zu pieces of 1 MiB fit below the limit", reserved);
    throws_bad_alloc([] { return plain_new(4 * MIB); }, "new at the limit");
    asked = 0;
    std::set_new_handler(frees_a_reserve);
    void *p = plain_new(4 * MIB);
    CHECK(p && asked >= 1, "%p after %d handler calls", p, asked);
    memset(p, 2, 4 * MIB);
    ::operator delete(p);
    std::set_new_handler(nullptr);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc > 1 && !getenv("HZ3_CLIENT_LIMITED")) {
        struct rlimit limit;
        limit.rlim_cur = limit.rlim_max = argument(argc, argv, 1, 256) * MIB;
        CHECK(setenv("HZ3_CLIENT_LIMITED", "1", 1) == 0, "setenv: errno %d", errno);
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit: errno %d", errno);
        execv("/proc/self/exe", argv);
        CHECK(false, "execv: errno %d", errno);
    }
    client_start();
    for (int round = 0; round < 20; round++) {
        every_form();
        handlers();
    }
    if (argc > 1)
        for (int round = 0; round < 5; round++)
            under_a_limit();
    return 0;
}
