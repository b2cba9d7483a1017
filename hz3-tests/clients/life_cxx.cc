// thread_local objects with destructors, static objects, exceptions across threads: the heap outlives them all.
#include "client.h"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Owner {
    std::map<int, std::string> words;
    std::unique_ptr<char[]> buffer{new char[5000]};

    ~Owner()
    {
        std::vector<std::string> copies;
        for (auto &entry : words)
            copies.push_back(entry.second + entry.second);
        words.clear();
        for (auto &copy : copies)
            CHECK(!copy.empty() && copy.size() % 2 == 0, "a copy of %zu bytes in a destructor", copy.size());
        buffer.reset(new char[70000]);
        memset(buffer.get(), 1, 70000);
    }
};

thread_local Owner in_thread;
Owner in_process;

void work(int number)
{
    for (int i = 0; i < 100; i++)
        in_thread.words[i] = std::string(static_cast<std::size_t>(1 + i * 7), static_cast<char>('a' + number % 26));
    try {
        throw std::runtime_error(std::string(300, 'x'));
    } catch (const std::exception &e) {
        CHECK(strlen(e.what()) == 300, "an exception's text has %zu bytes", strlen(e.what()));
    }
}

} // namespace

int main()
{
    client_start();
    std::size_t before = 0;
    for (int round = 0; round < 400; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 6; i++)
            threads.emplace_back(work, i);
        for (auto &thread : threads)
            thread.join();
        if (round == 100)
            before = resident_kib();
    }
    CHECK(resident_kib() <= before + 8 * KIB, "resident grew from %zu to %zu KiB over thread_local objects", before,
          resident_kib());
    std::thread([] { work(1); }).detach();
    work(2);
    for (int i = 0; i < 1000; i++)
        in_process.words[i] = std::string(static_cast<std::size_t>(10 + i), 'z');
    return 0;
}
