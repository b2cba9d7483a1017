#!/bin/sh
# A repository from nothing to a repacked history; prints what any git must print for it. Runs in an empty folder.
set -eu
export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 LC_ALL=C TZ=UTC
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.invalid GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.invalid
git init -q -b main repository
cd repository
git config pack.threads 4
git config gc.auto 0
commit() {
    export GIT_AUTHOR_DATE="$((1700000000 + $1 * 60)) +0000" GIT_COMMITTER_DATE="$((1700000000 + $1 * 60)) +0000"
    git add -A
    git commit -q -m "change $1"
}
n=0
while [ $n -lt 40 ]; do
    n=$((n + 1))
    mkdir -p "dir$((n % 7))"
    awk -v n=$n 'BEGIN { for (i = 0; i < 400 + n * 20; i++) print "line", i, (i * n) % 97, (i % 13 == n % 13) ? n : "same" }' \
        > "dir$((n % 7))/file$((n % 5)).txt"
    awk -v n=$n 'BEGIN { for (i = 0; i < 50; i++) printf "%c", 33 + (i * i * n) % 90; print n }' > "small$n"
    commit $n
    [ $((n % 10)) -ne 5 ] || git branch "side$n"
done
for side in side5 side15 side25; do
    git checkout -q "$side"
    echo "$side" > "only-$side"
    commit "10${side#side}"
    git checkout -q main
    GIT_AUTHOR_DATE='1710000000 +0000' GIT_COMMITTER_DATE='1710000000 +0000' git merge -q --no-ff -m "merge $side" "$side"
done
git rev-parse HEAD
git log --stat --no-color | cksum
git log -p --no-color | cksum
git repack -q -a -d -f --depth=20 --window=20
git gc -q --aggressive --prune=now
git fsck --full --strict 2>&1
git count-objects | cut -d' ' -f1
git blame -p dir1/file1.txt | cksum
git grep -c 'line 1[0-9]* 5' -- '*.txt'
git diff --no-color HEAD~20 HEAD | cksum
git clone -q --no-local . ../copy
git -C ../copy rev-parse HEAD
git archive HEAD | cksum
