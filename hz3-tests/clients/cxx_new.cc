// operator new and delete in all their forms: alignment, contents, and no leak whichever delete is used.
#include "client.h"

#include <cstdint>

#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

// Calls go through these, so that the compiler cannot remove a pair of new and delete.
void *(*volatile plain_new)(std::size_t) = ::operator new;
void *(*volatile array_new)(std::size_t) = ::operator new[];
void *(*volatile nothrow_new)(std::size_t, const std::nothrow_t &) = ::operator new;
void *(*volatile nothrow_array_new)(std::size_t, const std::nothrow_t &) = ::operator new[];
void *(*volatile aligned_new)(std::size_t, std::align_val_t) = ::operator new;
void *(*volatile aligned_array_new)(std::size_t, std::align_val_t) = ::operator new[];
void *(*volatile aligned_nothrow_new)(std::size_t, std::align_val_t, const std::nothrow_t &) = ::operator new;
void *(*volatile aligned_nothrow_array_new)(std::size_t, std::align_val_t, const std::nothrow_t &) = ::operator new[];

void block_is_good(void *p, std::size_t size, std::size_t align, const char *how)
{
    CHECK(p, "%s of %zu bytes", how, size);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % align == 0, "%s of %zu bytes at alignment %zu: %p", how, size, align, p);
    CHECK(malloc_usable_size(p) >= size, "%s of %zu bytes has %zu", how, size, malloc_usable_size(p));
    memset(p, 0x5a, malloc_usable_size(p));
}

void unaligned(std::size_t size)
{
    const std::nothrow_t &no = std::nothrow;
    void *p[10];
    for (int i = 0; i < 3; i++)
        block_is_good(p[i] = plain_new(size), size, 16, "new");
    for (int i = 3; i < 6; i++)
        block_is_good(p[i] = array_new(size), size, 16, "new[]");
    block_is_good(p[6] = nothrow_new(size, no), size, 16, "new(nothrow)");
    block_is_good(p[7] = nothrow_new(size, no), size, 16, "new(nothrow)");
    block_is_good(p[8] = nothrow_array_new(size, no), size, 16, "new[](nothrow)");
    block_is_good(p[9] = nothrow_array_new(size, no), size, 16, "new[](nothrow)");
    ::operator delete(p[0]);
    ::operator delete(p[1], size);
    ::operator delete(p[2], no);
    ::operator delete[](p[3]);
    ::operator delete[](p[4], size);
    ::operator delete[](p[5], no);
    ::operator delete(p[6], no);
    ::operator delete(p[7]);
    ::operator delete[](p[8], no);
    ::operator delete[](p[9]);
}

void aligned(std::size_t size, std::size_t bytes)
{
    const std::nothrow_t &no = std::nothrow;
    const std::align_val_t align{bytes};
    void *p[10];
    for (int i = 0; i < 3; i++)
        block_is_good(p[i] = aligned_new(size, align), size, bytes, "new(align)");
    for (int i = 3; i < 6; i++)
        block_is_good(p[i] = aligned_array_new(size, align), size, bytes, "new[](align)");
    block_is_good(p[6] = aligned_nothrow_new(size, align, no), size, bytes, "new(align, nothrow)");
    block_is_good(p[7] = aligned_nothrow_new(size, align, no), size, bytes, "new(align, nothrow)");
    block_is_good(p[8] = aligned_nothrow_array_new(size, align, no), size, bytes, "new[](align, nothrow)");
    block_is_good(p[9] = aligned_nothrow_array_new(size, align, no), size, bytes, "new[](align, nothrow)");
    ::operator delete(p[0], align);
    ::operator delete(p[1], size, align);
    ::operator delete(p[2], align, no);
    ::operator delete[](p[3], align);
    ::operator delete[](p[4], size, align);
    ::operator delete[](p[5], align, no);
    ::operator delete(p[6], align, no);
    ::operator delete(p[7], align);
    ::operator delete[](p[8], align, no);
    ::operator delete[](p[9], align);
}

struct alignas(64) Line {
    char bytes[64];
};

struct alignas(4096) Page {
    char bytes[4096];
};

void library_types()
{
    std::vector<std::string> words;
    for (int i = 0; i < 20000; i++)
        words.push_back(std::string(static_cast<std::size_t>(i % 300), static_cast<char>('a' + i % 26)));
    for (int i = 0; i < 20000; i++)
        CHECK(words[static_cast<std::size_t>(i)].size() == static_cast<std::size_t>(i % 300), "word %d changed", i);
    for (int i = 0; i < 300; i++) {
        auto lines = std::make_unique<Line[]>(static_cast<std::size_t>(1 + i));
        auto page = std::make_unique<Page>();
        CHECK(reinterpret_cast<std::uintptr_t>(lines.get()) % 64 == 0, "an array of lines at %p",
              static_cast<void *>(lines.get()));
        CHECK(reinterpret_cast<std::uintptr_t>(page.get()) % 4096 == 0, "a page at %p", static_cast<void *>(page.get()));
    }
}

} // namespace

int main()
{
    client_start();
    std::size_t before = 0;
    for (int round = 0; round < 12; round++) {
        for (std::size_t size = 0; size < 200000; size += 1 + size / 23)
            unaligned(size);
        for (std::size_t align = 1; align <= 64 * KIB; align *= 2)
            for (std::size_t size = 0; size < 50000; size += 1 + size / 3)
                aligned(size, align);
        library_types();
        if (round == 3)
            before = resident_kib();
    }
    CHECK(resident_kib() <= before + 4096, "resident grew from %zu to %zu KiB: a form of delete leaks", before,
          resident_kib());
    return 0;
}
