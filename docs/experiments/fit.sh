#!/bin/sh
# Reproduces the figures of fit.md, as far as the programs are installed: for each, a recording of its training input, the config
# that fits it, and a comparison on another input, which nothing was fitted to.
#
#     docs/experiments/fit.sh [record|fit|tune|judge|all]... [PROGRAM...]
#
# Without an action it records, fits and judges, and without a program it takes all of them; all tunes as well. What is judged
# beside default, the fitted and the tuned config is named by the variable PEERS (glibc). BUDGET (60s) bounds each comparison; hz3
# itself wants 5m. TUNE (10m) bounds each search, whose goal is GOAL ("time + 0.3 rss") on the training input. Writes to target/fit/
# and to configs/, each config as fit-PROGRAM.toml and tuned-PROGRAM.toml; a config that is there already is kept. A program that is
# not installed is left out, and so is postgres for root. Where a step fails, the other programs go on, and the exit code is 1.
#
# outline is examples/outline.rs, a Rust program that brings its allocator. Its config is no library, so it is built with each, and
# the programs run in turns: ROUNDS (25) times each. Peers of it are given as name=path, and run without hz3.
#
#     docs/experiments/fit.sh run PROGRAM train|held
#
# runs one program and nothing else: this is what is recorded and measured.
set -eu
cd "$(dirname "$0")/../.."
own=$PWD/docs/experiments/fit.sh
out=$PWD/target/fit
programs="python python-malloc cc1plus sqlite redis nginx perl git postgres node lua hz3 outline"

has() { command -v "$1" >/dev/null 2>&1; }

# Whether a program can be measured here; says why it cannot.
here() {
    case $1 in
    python | python-malloc) needs=python3 ;;
    cc1plus) needs=g++ ;;
    sqlite) needs=sqlite3 ;;
    redis) needs="redis-server redis-benchmark redis-cli" ;;
    nginx) needs="nginx curl" ;;
    lua) needs=lua5.4 ;;
    postgres)
        needs=
        [ -n "$(postgres_folder)" ] || { echo "postgres is not installed"; return 1; }
        [ "$(id -u)" -ne 0 ] || { echo "postgres: its server refuses to be root, and cannot write to a recorder that root started"; return 1; }
        ;;
    hz3) needs= ;;
    outline) needs="cargo /usr/bin/time" ;;
    perl | git | node) needs=$1 ;;
    *) echo "$1? There are: $programs" >&2; exit 2 ;;
    esac
    for word in $needs; do has "$word" || { echo "$1 is not measured: there is no $word"; return 1; }; done
}

postgres_folder() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1; }

# Where a program's inputs lie; made once, never while something is measured.
prepare() {
    mkdir -p "$out"
    case $1 in
    cc1plus)
        [ -s "$out/held.ii" ] && return
        printf '#include <map>\n#include <vector>\n#include <sstream>\n#include <memory>\nint main(int c, char **v) { std::map<std::string, std::vector<int>> m; m[v[0]].push_back(c); std::ostringstream o; o << m.size() << *std::make_unique<int>(c); return o.str().size(); }\n' >"$out/train.cc"
        printf '#include <iostream>\n#include <unordered_map>\n#include <algorithm>\n#include <functional>\nint main(int c, char **) { std::unordered_map<int, std::function<int(int)>> m; m[c] = [](int x) { return x * 2; }; std::cout << m[c](c); }\n' >"$out/held.cc"
        for input in train held; do g++ -O1 -E "$out/$input.cc" -o "$out/$input.ii"; done
        ;;
    sqlite)
        [ -s "$out/held.sql" ] && return
        awk 'BEGIN { print "create table t(id integer primary key, name text, price real, note text);"
            for (i = 0; i < 40000; i++) printf "insert into t values(%d, %cname %d%c, %d.5, %csome text of item %d%c);\n", i, 39, (i * 7919) % 10007, 39, i % 97, 39, i, 39
            print "create index n on t(name); create index p on t(price);"
            print "select count(*) from t a join t b on a.name = b.name where a.price < 20;"
            print "select price, group_concat(name) from t group by price;" }' >"$out/train.sql"
        awk 'BEGIN { print "create table log(at integer, host text, line text); create table host(name text primary key, place text);"
            for (i = 0; i < 300; i++) printf "insert into host values(%ch%d%c, %cplace %d%c);\n", 39, i, 39, 39, i % 17, 39
            for (i = 0; i < 30000; i++) printf "insert into log values(%d, %ch%d%c, %crequest %d took %d ms and ended well enough%c);\n", i * 13, 39, (i * 31) % 300, 39, 39, i, (i * 7919) % 1009, 39
            print "create index a on log(host, at);"
            print "select place, count(*), max(line) from log join host on host = name group by place order by 2;"
            print "select line from log order by line desc limit 5; delete from log where at % 3 = 0; select count(distinct line) from log;" }' >"$out/held.sql"
        ;;
    postgres)
        [ -s "$out/pg/held.sql" ] && return
        mkdir -p "$out/pg"
        [ -d "$out/pg/data" ] || "$(postgres_folder)/initdb" -U postgres -D "$out/pg/data" -A trust >"$out/pg/initdb.log" 2>&1
        printf 'create table a as select i, md5(i::text) t from generate_series(1, 40000) i;\nselect count(*), max(t) from a group by i %% 997 order by 2;\nselect count(*) from a x join a y on x.t = y.t;\nselect string_agg(t, chr(44)) from a where i < 9000;\ndrop table a;\n' >"$out/pg/train.sql"
        printf 'create table b as select i, i * 7919 %% 10007 k, repeat(md5(i::text), 2) t from generate_series(1, 30000) i;\nselect k, array_agg(i order by t) from b group by k order by k limit 5000;\nselect count(*) from (select distinct substr(t, 1, 6) from b) s;\nselect length(json_agg(b)::text) from b where i < 6000;\ndrop table b;\n' >"$out/pg/held.sql"
        ;;
    nginx)
        [ -s "$out/site/held.conf" ] && return
        mkdir -p "$out/site"
        for n in $(seq 300); do awk -v n="$n" 'BEGIN { for (i = 0; i < n * 7919 % 1500; i++) print "<p>line", i * n % 997, "of page", n, "</p>" }' >"$out/site/$n.html"; done
        for input in train held; do
            printf 'daemon off; master_process off; error_log stderr crit; pid DIR/pid; events { worker_connections 256; }\nhttp { access_log off; client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5; types { text/html html; }\n' >"$out/site/$input.conf"
        done
        printf 'gzip on; gzip_min_length 100; server { listen unix:DIR/s; root SITE; } }\n' >>"$out/site/train.conf"
        printf 'server { listen unix:DIR/s; root SITE; location /all/ { alias SITE/; autoindex on; } location / { ssi on; gzip on; gzip_comp_level 3; } } }\n' >>"$out/site/held.conf"
        ;;
    git)
        [ -d "$out/repository" ] || git clone -q --bare . "$out/repository"
        ;;
    hz3)
        # A copy, which stays the same when the tools are built anew.
        [ -x "$out/cargo-hz3" ] || { cargo hz3 --version >/dev/null && cp target/cli/cargo-hz3 "$out/cargo-hz3"; }
        ;;
    outline)
        [ -x "$out/outline-default" ] && return
        mkdir -p "$out/outline/src"
        printf '[package]\nname = "outline"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\nhz3 = { path = "../../.." }\nsyn = { version = "3", features = ["full"] }\n[workspace]\n' >"$out/outline/Cargo.toml"
        cp Cargo.lock "$out/outline/Cargo.lock"
        printf 'name = "recorded"\ndescription = "default, which writes down what it is asked for"\nextends = "hz3:default"\n[stats]\nrecord = "trace"\n' >"$out/outline/recorded.toml"
        outline recorded "$out/outline/recorded.toml"
        outline default hz3:default
        outline system ""
        ;;
    esac
}

# Builds the example with an allocator that a TOML or preset names, or without one of its own.
outline() {
    case $2 in
    "") sed '/^hz3::variant!/,/^static GLOBAL/d' examples/outline.rs >"$out/outline/src/main.rs" ;;
    *) cp examples/outline.rs "$out/outline/src/main.rs" ;;
    esac
    OUTLINE_MALLOC=$2 cargo build --release --quiet --manifest-path "$out/outline/Cargo.toml"
    cp "$out/outline/target/release/outline" "$out/outline-$1"
}

# python3 itself, not a script that looks for one.
python() { for p in /usr/bin/python3 python3; do [ -x "$p" ] && break; done; exec "$p" "$@"; }

run() {
    case $1-$2 in
    python-train) python -c 'import ast, glob, os; p = os.path.dirname(os.__file__)
for f in sorted(glob.glob(p + "/[a-d]*.py")): compile(ast.parse(open(f, encoding="utf-8", errors="replace").read()), f, "exec")' ;;
    python-held) python -c 'import json, re, os, glob; p = os.path.dirname(os.__file__)
texts = [open(f, encoding="utf-8", errors="replace").read() for f in sorted(glob.glob(p + "/[m-u]*.py"))]
words = {}
for t in texts:
    for w in re.findall(r"\w+", t): words.setdefault(w, []).append(len(w))
back = json.loads(json.dumps(words)); print(len(back), sum(len(t.splitlines()) for t in texts))' ;;
    python-malloc-*) export PYTHONMALLOC=malloc && run python "$2" ;;
    cc1plus-*) exec "$(g++ -print-prog-name=cc1plus)" -quiet -O1 -fpreprocessed "$out/$2.ii" -o /dev/null ;;
    sqlite-*) exec sqlite3 :memory: ".read $out/$2.sql" ;;
    redis-train) serve set,lpush,hset 150 20000 ;;
    redis-held) serve set,sadd,lpush,zadd 220 15000 ;;
    nginx-train) web train 6 '[1-300].html' ;;
    nginx-held) web held 4 '[7-290:3].html' 'all/?n=[1-60]' ;;
    perl-train) exec perl -e 'for my $i (0 .. 60000) { my $k = "key " . ($i * 7919 % 20011); $c{$k}{n}++; push @{$c{$k}{at}}, $i; push @l, $k x (1 + $i % 4) } my @s = sort { $c{$b}{n} <=> $c{$a}{n} || $a cmp $b } keys %c; my $t = join "\n", @l; $s{$_}++ for split /\n/, $t; print scalar(@s)' ;;
    perl-held) exec perl -e 'for my $i (0 .. 30000) { my $w = sprintf("%x", $i * 2654435761 % 4294967296); push @r, { id => $i, word => $w, parts => [map { substr($w, $_, 2) } 0 .. 3] }; $n{substr $w, 0, 3} .= "$w " } for (@r) { $m{$_->{parts}[0]}{$_->{parts}[1]} += $_->{id} } print scalar(keys %n), join(",", map { scalar keys %{$m{$_}} } sort keys %m)' ;;
    git-train) exec git -C "$out/repository" log -p -M --stat --format=fuller HEAD~40..HEAD~10 ;;
    git-more) exec git -C "$out/repository" log -p -C --numstat HEAD~160..HEAD~120 ;;
    git-held) exec git -C "$out/repository" log -p -C --numstat HEAD~110..HEAD~75 ;;
    postgres-*) exec "$(postgres_folder)/postgres" --single -F -c exit_on_error=true -D "$out/pg/data" postgres <"$out/pg/$2.sql" ;;
    node-train) exec node -e 'const a = []; for (let i = 0; i < 40000; i++) a.push({ id: i, name: "item " + i * 7919 % 10007, buf: i % 8 ? null : Buffer.from("b".repeat(i % 300)) }); const t = JSON.stringify(a); const b = JSON.parse(t); const z = require("zlib"); console.log(z.gzipSync(t).length, b.length, require("crypto").createHash("sha256").update(t).digest("hex"))' ;;
    node-held) exec node -e 'const m = new Map(); for (let i = 0; i < 60000; i++) { const k = (i * 2654435761 >>> 0).toString(16).slice(0, 4); m.set(k, (m.get(k) || "") + i); } const s = [...m].map(e => Buffer.from(e.join(":"))); const all = Buffer.concat(s); const z = require("zlib"); console.log(z.brotliCompressSync(all, { params: { [z.constants.BROTLI_PARAM_QUALITY]: 4 } }).length, all.toString("base64").length)' ;;
    lua-train) exec lua5.4 -e 'local t = {} for i = 1, 60000 do local k = "key " .. (i * 7919 % 20011); local e = t[k] or { n = 0, at = {} }; e.n = e.n + 1; e.at[#e.at + 1] = i; t[k] = e end local l = {} for k, e in pairs(t) do l[#l + 1] = k .. ":" .. table.concat(e.at, ",") end table.sort(l) print(#table.concat(l, "\n"))' ;;
    lua-held) exec lua5.4 -e 'local words = {} for i = 1, 40000 do words[i] = string.format("%x", i * 2654435761 % 4294967296) end local tree = {} for _, w in ipairs(words) do local n = tree for c in w:sub(1, 4):gmatch(".") do n[c] = n[c] or {} n = n[c] end n[#n + 1] = { word = w, f = function() return w end } end local c = 0 for _, x in pairs(tree) do for _, y in pairs(x) do c = c + 1 end end print(c)' ;;
    hz3-train) exec "$out/cargo-hz3" hz3 trace --show hz3-lab/traces/python.hz3t ;;
    hz3-more) exec "$out/cargo-hz3" hz3 fit --from python,gcc ;;
    hz3-held) exec "$out/cargo-hz3" hz3 fit --from redis,sqlite ;;
    outline-train) exec "$out/outline-${OUTLINE:-default}" hz3-core/src hz3-config/src ;;
    outline-held) exec "$out/outline-${OUTLINE:-default}" hz3-lab/src hz3-cli/src hz3-fuzz/src ;;
    *) echo "$1 $2?" >&2; exit 2 ;;
    esac
}

# redis-server under redis-benchmark; only the server gets the library.
serve() {
    dir=$(mktemp -d)
    library=${LD_PRELOAD:-}
    unset LD_PRELOAD
    env ${library:+LD_PRELOAD=$library} redis-server --save '' --appendonly no --port 0 --unixsocket "$dir/s" --dir "$dir" --loglevel warning >"$dir/log" 2>&1 &
    server=$!
    until redis-cli -s "$dir/s" ping >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
        sleep 0.01
    done
    redis-benchmark -s "$dir/s" -q -P 16 -n 30000 -r "$3" -d "$2" -t "$1" >/dev/null
    redis-cli -s "$dir/s" shutdown nosave >/dev/null 2>&1 || true
    wait "$server" 2>/dev/null || true
    rm -rf "$dir"
}

# nginx under curl, 24 requests at a time, all of them so many times. This process becomes the server. Who asks it is nobody's child,
# so that what is measured is the server alone.
web() {
    dir=$(mktemp -d)
    library=${LD_PRELOAD:-}
    unset LD_PRELOAD
    sed "s|DIR|$dir|g; s|SITE|$out/site|g" "$out/site/$1.conf" >"$dir/conf"
    shift
    (ask "$$" "$@" >/dev/null 2>&1 &)
    exec env ${library:+LD_PRELOAD=$library} nginx -c "$dir/conf"
}

ask() {
    set +e
    server=$1
    rounds=$2
    shift 2
    while kill -0 "$server" && ! [ -S "$dir/s" ]; do sleep 0.01; done
    for round in $(seq "$rounds"); do
        for pages; do curl -s --compressed -Z --parallel-max 24 --unix-socket "$dir/s" "http://x/$pages"; done
    done
    kill -QUIT "$server"
    while kill -0 "$server"; do sleep 0.01; done
    rm -rf "$dir"
}

of() { case $1 in nginx) echo "nginx -c" ;; postgres) echo --single ;; redis) echo redis-server ;; cc1plus) echo cc1plus ;; *) echo "" ;; esac; }

# The recordings that a program's config is fitted to: of its first input, and of a second one where it has one.
inputs() { case $1 in git | hz3) echo train more ;; *) echo train ;; esac; }

record() {
    of=$(of "$1")
    case $1 in outline) own_allocator=--own ;; *) own_allocator= ;; esac
    for input in $(inputs "$1"); do
        [ -s "$out/$1-$input.hz3t" ] ||
            ${HZ3:-cargo hz3} trace -o "$out/$1-$input.hz3t" --limit 20000000 --about "$1 $input" $own_allocator ${of:+"--of=$of"} -- env OUTLINE=recorded "$own" run "$1" "$input" >"$out/$1-$input.txt"
    done
}

fit() {
    from=$(for input in $(inputs "$1"); do printf ',%s' "$out/$1-$input.hz3t"; done)
    [ -s "configs/fit-$1.toml" ] || ${HZ3:-cargo hz3} fit --from "${from#,}" --name "fit-$1" >"$out/$1.fit.txt"
}

judge() {
    ours=
    for config in "fit-$1" "tuned-$1"; do [ ! -s "configs/$config.toml" ] || ours="$ours $config"; done
    [ -n "$ours" ] || { echo "$1: keep default"; return; }
    case $1 in outline) turns; return ;; esac
    ${HZ3:-cargo hz3} compare default $ours ${PEERS:-glibc} --build --time-budget "${BUDGET:-60s}" -- "$own" run "$1" held >"$out/$1.judge.txt"
    cat "$out/$1.judge.txt"
}

# A search over configs on the training input, where what was fitted is a candidate like others. There is no config where nothing was
# found that is better. outline has no library that could be exchanged.
tune() {
    case $1 in outline) return ;; esac
    [ ! -e "$out/$1.tune.txt" ] || return 0
    also=
    [ ! -s "configs/fit-$1.toml" ] || also="--also fit-$1"
    ${HZ3:-cargo hz3} tune --build --no-fit --goal "${GOAL:-time + 0.3 rss}" --budget "${TUNE:-10m}" $also -o "configs/tuned-$1.toml" -- "$own" run "$1" train >"$out/$1.tune.new"
    mv "$out/$1.tune.new" "$out/$1.tune.txt"
    tail -n 20 "$out/$1.tune.txt"
}

# The example with each allocator, one after the other, many times. Prints of each the ratios to default of its peak memory and its
# CPU time: their median, the least and the most of them.
turns() {
    outline fit "$PWD/configs/fit-outline.toml"
    for round in $(seq "${ROUNDS:-25}"); do
        for allocator in default fit ${PEERS:-glibc}; do
            library=
            case $allocator in
            default | fit) OUTLINE=$allocator ;;
            *=*) OUTLINE=system library=${allocator#*=} ;;
            *) OUTLINE=system ;;
            esac
            export OUTLINE
            /usr/bin/time -f "$round ${allocator%%=*} %M %U %S" env ${library:+LD_PRELOAD=$library} "$own" run outline held 2>&1 >/dev/null
        done
    done >"$out/outline.runs.txt"
    awk '{ peak[$2, $1] = $3; cpu[$2, $1] = $4 + $5; if (!seen[$2]++) order[++n] = $2; if ($1 > rounds) rounds = $1 }
        function ratios(of, name, i, j, k, all, t) {
            for (i = 1; i <= rounds; i++) { t = of[name, i] / of["default", i]; for (j = i; j > 1 && all[j - 1] > t; j--) all[j] = all[j - 1]; all[j] = t }
            return sprintf("%.3f [%.3f, %.3f]", all[int((rounds + 1) / 2)], all[1], all[rounds])
        }
        END { for (i = 1; i <= n; i++) print order[i] ": peak " ratios(peak, order[i]) ", CPU " ratios(cpu, order[i]) }' "$out/outline.runs.txt" | tee "$out/outline.judge.txt"
}

if [ "${1:-}" = run ]; then
    run "$2" "$3"
    exit
fi
actions=
while :; do
    case ${1:-} in
    record | fit | tune | judge) actions="$actions $1" ;;
    all) actions="record fit tune judge" ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- $programs
failed=
for program in "$@"; do
    here "$program" || continue
    for action in prepare ${actions:-record fit judge}; do
        # In a shell of its own, which ends at the first failure. (A list with || would not.)
        set +e
        (set -e; "$action" "$program")
        code=$?
        set -e
        [ $code -eq 0 ] || { echo "$program: $action failed" >&2; failed=1; break; }
    done
done
exit ${failed:-0}
