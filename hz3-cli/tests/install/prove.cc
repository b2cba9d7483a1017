// The same for C++: `new` and `delete` are the variant's, exceptions pass through it, and a program may replace some of them.
#include <hz3.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

static unsigned long live() {
    static char report[65536];
    const char *field = "\"live_bytes\":";
    hz3_stats_json(report, sizeof report);
    const char *at = std::strstr(report, field);
    return at ? std::strtoul(at + std::strlen(field), nullptr, 10) : 0;
}

#ifdef REPLACED
static int replaced;

void *operator new(std::size_t size) {
    replaced++;
    if (void *p = std::malloc(size)) return p;
    throw std::bad_alloc();
}

void operator delete(void *p) noexcept { std::free(p); }
#endif

struct alignas(256) Wide {
    char bytes[256];
};

int main(int count, char **arguments) {
    if (count < 2 || std::strcmp(hz3_name(), arguments[1]) != 0) return std::printf("the variant is %s\n", hz3_name()), 1;
    unsigned long before = live();
    std::vector<Wide *> wide;
    for (int i = 0; i < 1000; i++) wide.push_back(new Wide());
    if (live() - before < 256000) return std::printf("new did not reach it: %lu\n", live() - before), 1;
    for (Wide *w : wide) {
        if (reinterpret_cast<std::size_t>(w) % 256 != 0) return std::printf("not aligned\n"), 1;
        delete w;
    }
    std::map<int, std::string> map;
    std::thread thread([&map] {
        for (int i = 0; i < 1000; i++) map[i] = std::string(i, 'x');
    });
    thread.join();
    map.clear();
    try {
        std::vector<char> huge;
        huge.resize(std::size_t(1) << 60);
        return std::printf("2^60 bytes\n"), 1;
    } catch (const std::bad_alloc &) {
    }
    if (new (std::nothrow) char[std::size_t(1) << 60] != nullptr) return std::printf("2^60 bytes again\n"), 1;
#ifdef REPLACED
    int seen = replaced;
    delete[] new char[100];
    if (replaced != seen + 1) return std::printf("new[] did not call the program's own new\n"), 1;
#endif
    std::printf("proven: %s %s\n", hz3_name(), hz3_version());
}
