# Dictionaries, text and JSON: what a script of everyday work asks of malloc.
import json
import re

def main():
    rows = [{"id": i, "name": "item %d" % (i * 7919 % 10007), "tags": ["t%d" % (i % k) for k in (3, 5, 7)]} for i in range(12000)]
    text = json.dumps(rows)
    back = json.loads(text)
    index = {}
    for row in back:
        for tag in row["tags"]:
            index.setdefault(tag, []).append(row["name"].upper() * (row["id"] % 5 + 1))
    words = re.findall(r"[a-z]+ \d+", text)
    words.sort()
    joined = "\n".join(words).encode()
    parts = [joined[i : i + 700] for i in range(0, len(joined), 700)]
    total = sum(len(v) for v in index.values()) + len(parts) + len(set(words))
    assert total > 0

main()
