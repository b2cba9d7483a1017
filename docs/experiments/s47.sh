#!/bin/sh
# Reproduces the figures of S47.md: TRIALS trials (20) of the row s47 with STEPS steps a thread (1000000; the full row has
# 5000000) under each of the configs that are named, or all of them. One line a trial, then one line a config.
#
#     docs/experiments/s47.sh [CONFIG[-free]...]
#
# With MOST (bytes, a multiple of 8 MiB) no trial has more live bytes than that, and the arena of each config is 1.25 times as
# large: exactly 1.25 times the trial's own peak if it gets there. CONFIG-free is the config with an arena of 64 GiB; where both
# are named, the last lines give the ratio of their times, trial by trial.
#
# Needs a C compiler. Writes to target/s47/ only.
set -eu
cd "$(dirname "$0")/../.."
trials=${TRIALS:-20} steps=${STEPS:-1000000} most=${MOST:-0}
[ $# -gt 0 ] || set -- s47-unlimited s47-relief s47-bank s47-ring s47-tight s47-none s47-system
out=target/s47
mkdir -p "$out"
cc -O2 -o "$out/ring" hz3-lab/clients/ring.c -lpthread -ldl -lm
for name in "$@"; do
    # The same allocator, which also tells its statistics at its end.
    printf 'name = "%s-told"\ndescription = "%s, with a report at exit"\nextends = "../../configs/%s.toml"\n\n[stats]\nexit_report = true\n' \
        "$name" "$name" "${name%-free}" >"$out/$name-told.toml"
    case $name in
        *-free) printf '\n[arena]\nsize = "64GiB"\n' ;;
        *) [ "$most" -eq 0 ] || printf '\n[arena]\nsize = %s\n' $((most / 4 * 5)) ;;
    esac >>"$out/$name-told.toml"
    cargo hz3 build "$out/$name-told.toml"
    cp "target/hz3/libhz3_$name-told.so" "$out/$name.so"
done
: >"$out/trials.txt"
for seed in $(seq 1 "$trials"); do
    for name in "$@"; do # In turn, so that what else the machine does meets all alike.
        LD_PRELOAD=$PWD/$out/$name.so "$out/ring" --threads 32 --ws 400 --remote 50 --min 16 --max 32768 \
            --mode classic --queue 65536 --steps "$steps" --most "$most" --seed "$seed" >"$out/client.json" 2>"$out/report.json"
        {
            printf '%s %s' "$name" "$seed"
            for key in seconds live_peak failures; do
                printf ' %s=%s' "$key" "$(grep -o "\"$key\":[0-9.]*" "$out/client.json" | cut -d: -f2)"
            done
            for key in high_bytes epochs answers waits larger outside; do
                printf ' %s=%s' "$key" "$(grep -o "\"$key\":[0-9]*" "$out/report.json" | head -n 1 | cut -d: -f2)"
            done
            echo
        } | tee -a "$out/trials.txt"
    done
done
awk '{
    for (i = 3; i <= NF; i++) { split($i, a, "="); v[a[1]] = a[2] }
    n[$1]++; failed[$1] += v["failures"]; bad[$1] += v["failures"] > 0
    if (v["live_peak"] > most[$1]) most[$1] = v["live_peak"]
    r = v["high_bytes"] / v["live_peak"]; if (r > ratio[$1]) ratio[$1] = r
    time[$1, $2] = v["seconds"]; if ($2 > last) last = $2
    seconds[$1] += v["seconds"]; epochs[$1] += v["epochs"]; larger[$1] += v["larger"]
} END {
    for (k in n) printf "%-14s %d trials, %d with failures, %d failed; live <= %.2f GB; arena / live <= %.3f; %.1f s a trial; %d epochs, %d from larger classes\n", \
        k, n[k], bad[k], failed[k], most[k] / 1e9, ratio[k], seconds[k] / n[k], epochs[k], larger[k]
    for (k in n) if (k "-free" in n) {
        m = 0; sum = 0; squares = 0
        for (s = 1; s <= last; s++) if ((k, s) in time && (k "-free", s) in time) {
            d = log(time[k, s] / time[k "-free", s]); m++; sum += d; squares += d * d
        }
        error = m > 1 ? sqrt((squares - sum * sum / m) / (m - 1) / m) : 0
        printf "%-14s %.3f of the time without a limit, %d pairs, standard error %.3f\n", k, exp(sum / m), m, error
    }
}' "$out/trials.txt" | sort
