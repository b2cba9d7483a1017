# From qemu's log of every instruction to how many each announced call took. The probe announces a call by one of its own, to
# `announced`; qemu names what is the probe's, and nothing else. So what has no name, from then until the probe goes on, is the call.
# Prints the most frequent count; the smallest of several; and the largest behind a slash if it differs.

!/^Trace / { next }
{ own = ($NF !~ /\]$/) }
own {
    if (length_now > 0) {
        count[length_now]++
        if (length_now > most)
            most = length_now
        length_now = 0
        armed = 0
    }
    if ($NF == "announced")
        armed = 1
    next
}
armed { length_now++ }

END {
    for (n in count)
        if (count[n] > count[best] || (count[n] == count[best] && n + 0 < best + 0))
            best = n
    print (best == "" ? "-" : best) (most > best + 0 ? "/" most : "")
}
