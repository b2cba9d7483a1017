// A program that replaces plain new and delete only: all other forms without an alignment use its own, as the standard says.
#include "client.h"

#include <new>

namespace {

int made, gone;
bool refuses;

void *(*volatile plain_new)(std::size_t) = ::operator new;
void *(*volatile array_new)(std::size_t) = ::operator new[];
void *(*volatile nothrow_new)(std::size_t, const std::nothrow_t &) = ::operator new;
void *(*volatile nothrow_array_new)(std::size_t, const std::nothrow_t &) = ::operator new[];
void *(*volatile aligned_new)(std::size_t, std::align_val_t) = ::operator new;
void *(*volatile aligned_array_new)(std::size_t, std::align_val_t) = ::operator new[];

const std::size_t MARK = 64; // Bytes before each of ours: the library's own delete could not free it.

} // namespace

void *operator new(std::size_t size)
{
    if (refuses)
        throw std::bad_alloc();
    made++;
    char *p = static_cast<char *>(malloc(size + MARK));
    CHECK(p, "no memory");
    memset(p, 'm', MARK);
    return p + MARK;
}

void operator delete(void *p) noexcept
{
    if (!p)
        return;
    gone++;
    char *start = static_cast<char *>(p) - MARK;
    for (std::size_t i = 0; i < MARK; i++)
        CHECK(start[i] == 'm', "%p is none of ours", p);
    free(start);
}

int main()
{
    client_start();
    const std::nothrow_t &no = std::nothrow;
    for (int round = 0; round < 1000; round++) {
        std::size_t size = static_cast<std::size_t>(round * 97 % 5000);
        made = gone = 0;
        ::operator delete(plain_new(size));
        ::operator delete(plain_new(size), size);
        ::operator delete(plain_new(size), no);
        ::operator delete[](array_new(size));
        ::operator delete[](array_new(size), size);
        ::operator delete[](array_new(size), no);
        ::operator delete(nothrow_new(size, no));
        ::operator delete[](nothrow_array_new(size, no));
        CHECK(made == 8 && gone == 8, "%d of 8 made and %d gone", made, gone);
        const std::align_val_t align{128}; // These are forms of their own.
        ::operator delete(aligned_new(size, align), align);
        ::operator delete[](aligned_array_new(size, align), size, align);
        CHECK(made == 8 && gone == 8, "%d made and %d gone with an alignment", made, gone);
    }
    refuses = true;
    CHECK(!nothrow_new(100, no), "new(nothrow) of an operator that throws");
    CHECK(!nothrow_array_new(100, no), "new[](nothrow) of an operator that throws");
    int thrown = 0;
    try {
        array_new(100);
    } catch (const std::bad_alloc &) {
        thrown++;
    }
    CHECK(thrown == 1, "new[] of an operator that throws");
    return 0;
}
