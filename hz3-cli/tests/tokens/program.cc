// What clang makes of allocations of types with and without pointers: they share no page.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

struct Node {
    Node *next;
    long number[5];
};
struct Bytes {
    char data[48];
};

int main() {
    std::vector<Node *> nodes;
    std::vector<Bytes *> bytes;
    for (int i = 0; i < 3000; i++) {
        nodes.push_back(i % 2 ? new Node() : static_cast<Node *>(std::malloc(sizeof(Node))));
        bytes.push_back(i % 2 ? new (std::nothrow) Bytes() : static_cast<Bytes *>(std::malloc(sizeof(Bytes))));
    }
    for (Node *node : nodes)
        for (Bytes *other : bytes)
            if (reinterpret_cast<std::uintptr_t>(node) >> 12 == reinterpret_cast<std::uintptr_t>(other) >> 12)
                return 1;
    for (int i = 0; i < 3000; i++) {
        i % 2 ? delete nodes[i] : std::free(nodes[i]);
        i % 2 ? delete bytes[i] : std::free(bytes[i]);
    }
    std::puts("right");
    return 0;
}
