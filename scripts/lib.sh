# What every script needs; they source it.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
library=${GLASSPOLL_LIB:-${CARGO_TARGET_DIR:-$root/target}/release/libglasspoll.so}

cli=$(dirname "$library")/glasspoll

say() { printf '%s\n' "$@"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Builds the library and the command, unless GLASSPOLL_LIB names a library that is built already. Leaves out the
# programs of the tests: to optimize them takes minutes.
build_library() {
    if [ -z "${GLASSPOLL_LIB:-}" ]; then
        command -v cargo >/dev/null || die "cargo is missing: install Rust, https://rustup.rs"
        (cd "$root" && cargo build --release -p glasspoll -p glasspoll-cli)
    fi
    [ -e "$library" ] || die "there is no $library"
}

# Builds the runner of the C tests, and prints where it is.
c_tests_runner() {
    command -v cargo >/dev/null || die "cargo is missing: install Rust, https://rustup.rs"
    # The whole workspace, as tests/run does: another choice of packages may have other features, and cargo would build
    # it anew.
    (cd "$root" && cargo test --quiet --workspace --test c_tests --no-run --message-format=json-render-diagnostics) |
        sed -n 's/.*"name":"c_tests".*"executable":"\([^"]*\)".*/\1/p'
}

# A port below the ephemeral range on which no process listens.
free_port() {
    local port
    while :; do
        port=$((15000 + RANDOM % 15000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# on_cpu N COMMAND...: runs it pinned to CPU N, if there is more than one CPU.
# Does not return.
on_cpu() {
    local cpu=$1
    shift
    if [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then
        exec taskset -c "$cpu" "$@"
    fi
    exec "$@"
}
