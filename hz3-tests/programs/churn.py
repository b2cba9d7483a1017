"""Dictionaries, strings, JSON, regular expressions, threads and processes; prints digests of all results."""

import collections
import hashlib
import json
import multiprocessing
import random
import re
import threading
import zlib


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dictionaries(seed):
    draw = random.Random(seed)
    table = {}
    for step in range(60000):
        key = "k%d" % draw.randrange(8000)
        if key in table and draw.random() < 0.4:
            del table[key]
        else:
            table[key] = [step, "v" * draw.randrange(200), {"nested": step % 7}]
    return digest(sorted(table.items()))


def texts(seed):
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghij", k=draw.randrange(1, 12))) for _ in range(20000)]
    text = " ".join(words)
    counts = collections.Counter(re.findall(r"\b[a-e]\w*(?:hi|ij)\b", text))
    swapped = re.sub(r"(\w)(\w+)", lambda m: m.group(2) + m.group(1), text)
    packed = zlib.compress(swapped.encode(), 6)
    assert zlib.decompress(packed).decode() == swapped
    return digest([sorted(counts.items()), len(swapped), zlib.crc32(packed)])


def documents(seed):
    draw = random.Random(seed)

    def build(depth):
        if depth == 0:
            return draw.choice([None, True, 1.5, draw.randrange(10**12), "text" * draw.randrange(40)])
        if draw.random() < 0.5:
            return [build(depth - 1) for _ in range(4)]
        return {"key%d" % i: build(depth - 1) for i in range(4)}

    value = build(6)
    for _ in range(5):
        value = json.loads(json.dumps(value, indent=1))
    return digest(value)


def buffers(seed):
    draw = random.Random(seed)
    total = 0
    held = []
    for _ in range(400):
        block = bytearray(draw.randrange(1, 300000))
        block[-1] = 7
        held.append(block)
        if len(held) > 20:
            total += len(held.pop(draw.randrange(len(held))))
        held[draw.randrange(len(held))].extend(b"x" * draw.randrange(5000))
    return digest([total, sum(map(len, held))])


WORK = [dictionaries, texts, documents, buffers]


def all_work(seed):
    return [work(seed) for work in WORK]


def main():
    print("alone", all_work(1))

    results = {}
    threads = [threading.Thread(target=lambda n=n: results.__setitem__(n, all_work(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("threads", sorted(results.items()))

    # fork with threads alive and the heap in use, then again with fresh interpreters.
    for method in ("fork", "spawn"):
        stop = threading.Event()
        busy = threading.Thread(target=lambda: [texts(9) for _ in iter(stop.is_set, True)])
        busy.start()
        with multiprocessing.get_context(method).Pool(3) as pool:
            print(method, pool.map(all_work, range(4)))
        stop.set()
        busy.join()


if __name__ == "__main__":
    main()
