# Puts load on a server and computes figures. Sourced after servers.sh.
# shellcheck shell=bash

rate=0 kernel=() glasspoll=()

# load NAME AMOUNT: 50 connections from CPU 1; sets `rate` to requests a second.
# AMOUNT is a number of requests for redis, of seconds for nginx.
load() {
    local text
    if [ "$1" = redis ]; then
        text=$(on_cpu 1 redis-benchmark -p "$port" -t get -n "$2" -c 50 --csv)
        rate=$(awk -F'"' '$2 == "GET" { printf "%.0f", $4 }' <<<"$text")
    else
        text=$(on_cpu 1 wrk -t 1 -c 50 -d "$2s" "http://127.0.0.1:$port/")
        ! grep -E 'Non-2xx|Socket errors' <<<"$text" >&2 || die "$1: failed requests"
        rate=$(awk '/^Requests\/sec:/ { printf "%.0f", $2 }' <<<"$text")
    fi
    [ "${rate:-0}" -gt 0 ] || die "no throughput in: $text"
}

# measure NAME AMOUNT ROUNDS: kernel and glasspoll take turns, a fresh server
# every time. The rates go to the arrays `kernel` and `glasspoll`.
measure() {
    local round
    kernel=() glasspoll=()
    for ((round = 1; round <= $3; round++)); do
        start_server "$1" kernel
        load "$1" "$2"
        stop_server
        kernel+=("$rate")
        start_server "$1" glasspoll
        load "$1" "$2"
        stop_server
        glasspoll+=("$rate")
        row "round $round" "${kernel[-1]}" "${glasspoll[-1]}"
    done
}

# row TITLE KERNEL GLASSPOLL
row() {
    local ratio
    ratio=$(awk -v a="$3" -v b="$2" 'BEGIN { printf "%.2f", a / b }')
    printf '  %-8s  kernel %7d   glasspoll %7d   ratio %s\n' "$1" "$2" "$3" "$ratio"
}

best() { printf '%s\n' "$@" | sort -n | tail -1; }
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
