# From objdump's listing of one function to a text without addresses: places inside of it are numbered, others are named.
# Needs `name`, and `from` and `to`, the function's first address and the one behind it, as numbers. Before the listing it reads what
# lies where: lines of address, length and name, the smallest first, of data and of sections.
#
# An address that takes two instructions is the page's number in one (`adrp`) and the rest in another. Both move with whatever is
# linked before. So both are named after what is there.

function number(hex,    n, i) {
    n = 0
    hex = tolower(hex)
    for (i = 1; i <= length(hex); i++)
        n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return n
}

# What lies at an address: the data there, or the section.
function what(address,    i, best) {
    for (i = 1; i <= places; i++)
        if (start[i] <= address && address < end[i] && (!best || end[i] - start[i] <= end[best] - start[best]))
            best = i
    if (!best)
        return "nothing"
    if (named[best] ~ /^\./ || start[best] == address)
        return named[best]
    return sprintf("%s+0x%x", named[best], address - start[best])
}

# The number behind the `#` of an operand.
function immediate(operand) {
    sub(/^.*#/, "", operand)
    return operand ~ /^0x/ ? number(substr(operand, 3)) : operand + 0
}

# Follows pages in registers: where a line uses one, the line and the one that has put it there get the name of what is meant.
function follow(i,    words, base, name) {
    split(text[i], words, /[ ,]+/)
    if (words[1] == "adrp") {
        page[words[2]] = adrp_to
        set_by[words[2]] = i
        return
    }
    if (words[1] == "add" && words[4] ~ /^#/) {
        base = words[3]
        if (base in page) {
            name = what(page[base] + immediate(words[4]))
            sub(/#.*$/, ":lo12:" name, text[i])
        }
    } else if (match(text[i], /\[x[0-9]+(, #[0-9a-fx]+)?\]/)) {
        rest = substr(text[i], RSTART + 1, RLENGTH - 2)
        base = rest
        sub(/,.*$/, "", base)
        if (base in page) {
            name = what(page[base] + (rest ~ /#/ ? immediate(rest) : 0))
            text[i] = substr(text[i], 1, RSTART) base ", :lo12:" name substr(text[i], RSTART + RLENGTH - 1)
        }
    }
    if (name != "")
        sub(/ [^ ]*$/, " " name, text[set_by[base]])
    # What is not stored, compared or jumped by is written.
    if (words[1] !~ /^(st|cmp|cmn|tst|cb|tb|b|ret)/) {
        delete page[words[2]]
        if (words[1] == "ldp")
            delete page[words[3]]
    }
}

NR == FNR {
    start[++places] = number($1)
    end[places] = start[places] + number($2)
    sub(/^[^ ]+ [^ ]+ /, "")
    # A static of which the compiler kept a part has a number behind its name.
    sub(/\.[0-9]+$/, "")
    named[places] = $0
    next
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
        } else if (line ~ /^adrp /) {
            adrp_to = there
            line = line "somewhere"
        } else {
            if (place ~ /^_GLOBAL_OFFSET_TABLE_/)
                place = ".got"
            sub(/\.[0-9]+$/, "", place)
            line = line place
        }
    }
    text[lines] = line
    follow(lines)
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
