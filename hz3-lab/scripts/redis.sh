#!/bin/sh
# redis-server under redis-benchmark. Only the server gets the library; prints the CPU seconds of its threads, because
# the wall clock would count the benchmark's own work and whoever else uses the machine.
set -eu
dir=$(mktemp -d)
# What the server said is repeated if anything fails.
trap 'ended=$?; kill "${server:-}" 2>/dev/null || true; [ "$ended" -eq 0 ] || tail -n 3 "$dir/log" >&2 || true; rm -rf "$dir"' EXIT
set -- redis-server --save '' --appendonly no --port 0 --unixsocket "$dir/s" --dir "$dir" --daemonize no --loglevel warning
if [ -n "${HZ3_PRELOAD:-}" ]; then
	LD_PRELOAD=$HZ3_PRELOAD "$@" >"$dir/log" 2>&1 &
else
	"$@" >"$dir/log" 2>&1 &
fi
server=$!
unset LD_DEBUG LD_DEBUG_OUTPUT
n=0
while [ ! -S "$dir/s" ]; do
	n=$((n + 1))
	[ "$n" -lt 500 ] || exit 1
	sleep 0.01
done
requests=60000
[ -z "${HZ3_PROVE:-}" ] || requests=2000
spent() { cat /proc/"$server"/task/*/schedstat | awk '{ t += $1 } END { printf "%.0f\n", t }'; }
start=$(spent)
redis-benchmark -s "$dir/s" -q -P 16 -n "$requests" -r 20000 -d 200 -t set,get,lpush,hset >/dev/null
end=$(spent)
[ "$end" -gt "$start" ] || { echo "this kernel does not count the time of threads (schedstat)" >&2; exit 1; }
redis-cli -s "$dir/s" shutdown nosave >/dev/null 2>&1 || true
wait "$server" 2>/dev/null || true
awk "BEGIN { printf \"%.6f\\n\", ($end - $start) / 1e9 }"
