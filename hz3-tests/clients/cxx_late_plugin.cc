// An extension in C++ of a host in C: what is out of memory is an error that it reports, not the end of the process.
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <vector>

extern "C" {
int extension_throwing(std::size_t size);
int extension_container(std::size_t size);
int extension_nothrow(std::size_t size);
int extension_aligned(std::size_t size);
int extension_handler(std::size_t size);
int extension_throwing_handler(std::size_t size);
}

namespace {

void *(*volatile plain_new)(std::size_t) = ::operator new;
void *(*volatile nothrow_new)(std::size_t, const std::nothrow_t &) = ::operator new;
void *(*volatile aligned_new)(std::size_t, std::align_val_t) = ::operator new;
void *(*volatile aligned_nothrow_new)(std::size_t, std::align_val_t, const std::nothrow_t &) = ::operator new;

int asked;

void gives_up()
{
    if (++asked == 3)
        std::set_new_handler(nullptr);
}

struct Own {};

void throws_its_own()
{
    asked++;
    throw Own();
}

// 12: std::bad_alloc. 0: memory. Anything else: something else.
template <typename Call> int outcome(Call call)
{
    try {
        call();
        return 0;
    } catch (const std::bad_alloc &) {
        return 12;
    } catch (const Own &) {
        return 13;
    } catch (...) {
        return 1;
    }
}

} // namespace

int extension_throwing(std::size_t size)
{
    return outcome([size] { ::operator delete(plain_new(size)); });
}

int extension_container(std::size_t size)
{
    return outcome([size] {
        std::vector<char> bytes;
        bytes.reserve(size);
        std::string text(size / 2, 'x');
        bytes.push_back(text[0]);
    });
}

int extension_nothrow(std::size_t size)
{
    void *p = nothrow_new(size, std::nothrow);
    ::operator delete(p, std::nothrow);
    return p ? 0 : 12;
}

int extension_aligned(std::size_t size)
{
    const std::align_val_t align{256};
    void *p = aligned_nothrow_new(size, align, std::nothrow);
    ::operator delete(p, align, std::nothrow);
    int thrown = outcome([size, align] { ::operator delete(aligned_new(size, align), align); });
    return thrown == (p ? 0 : 12) ? thrown : 1;
}

int extension_handler(std::size_t size)
{
    asked = 0;
    std::set_new_handler(gives_up);
    int thrown = outcome([size] { ::operator delete(plain_new(size)); });
    return asked == 3 ? thrown : 100 + asked;
}

// The throwing form lets the handler's exception pass, the other one catches it.
int extension_throwing_handler(std::size_t size)
{
    asked = 0;
    std::set_new_handler(throws_its_own);
    int thrown = outcome([size] { ::operator delete(plain_new(size)); });
    void *p = nothrow_new(size, std::nothrow);
    std::set_new_handler(nullptr);
    return !p && asked == 2 ? thrown : 100 + asked;
}
