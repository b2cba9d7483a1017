# From objdump's listing of one function to a text without addresses: places inside of it are numbered, others are named.
# Needs `name`, and `from` and `to`, the function's first address and the one behind it, as numbers.

function number(hex,    n, i) {
    n = 0
    hex = tolower(hex)
    for (i = 1; i <= length(hex); i++)
        n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return n
}

/^ *[0-9a-f]+:\t/ {
    line = $0
    sub(/^ */, "", line)
    at[++lines] = number(substr(line, 1, index(line, ":") - 1))
    sub(/^[0-9a-f]+:\t/, "", line)
    sub(/[ \t]*\/\/ .*$/, "", line)
    gsub(/\t/, " ", line)
    target[lines] = -1
    # An address, and what it is in angles: the last word of both, whatever is in the angles.
    if (match(line, /[0-9a-f]+ <.*>$/)) {
        rest = substr(line, RSTART)
        line = substr(line, 1, RSTART - 1)
        there = number(substr(rest, 1, index(rest, " ") - 1))
        place = substr(rest, index(rest, "<") + 1)
        place = substr(place, 1, length(place) - 1)
        if (there >= from && there < to) {
            target[lines] = there
            is_label[there] = 1
        } else {
            if (place ~ /^_GLOBAL_OFFSET_TABLE_/)
                place = ".got"
            # A static of which the compiler kept a part has a number behind its name.
            sub(/\.[0-9]+$/, "", place)
            line = line place
        }
    }
    text[lines] = line
}

END {
    for (i = 1; i <= lines; i++)
        if (at[i] in is_label)
            label[at[i]] = labels++
    printf "%s: %d instructions\n", name, lines
    for (i = 1; i <= lines; i++) {
        if (at[i] in label)
            printf ".%d:\n", label[at[i]]
        printf "    %s%s\n", text[i], (target[i] >= 0 ? "." label[target[i]] : "")
    }
}
