# Installs what is missing, with apt-get. Sourced after lib.sh.
# shellcheck shell=bash

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "neither root nor sudo is there to run: $*"
    fi
}

# install_missing PROGRAM=PACKAGE...
install_missing() {
    local pair packages=()
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
    done
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
}

# What the tests of servers need, including the clients.
need_servers() {
    install_missing redis-server=redis-server redis-cli=redis-tools nginx=nginx wrk=wrk memcached=memcached \
        haproxy=haproxy lighttpd=lighttpd mosquitto=mosquitto mosquitto_pub=mosquitto-clients \
        dbus-daemon=dbus-daemon dbus-send=dbus-bin curl=curl openssl=openssl unbound=unbound valgrind=valgrind \
        gdb=gdb
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_packages postgresql
    # The compiler looks for the header, because Debian keeps it in a folder of its architecture.
    echo '#include <curl/curl.h>' | gcc -fsyntax-only -xc - 2>/dev/null || install_packages libcurl4-openssl-dev
}

# What the tests of language runtimes need: node, a JDK (java runs a source file only if javac is installed), CPython's
# own suites.
need_languages() {
    install_missing node=nodejs javac=default-jdk-headless wrk=wrk
    [ -x /usr/bin/python3 ] || install_packages python3
    /usr/bin/python3 -c 'import test.test_epoll' 2>/dev/null || install_packages \
        "$(/usr/bin/python3 -c 'import sys; print("libpython%d.%d-testsuite" % sys.version_info[:2])')"
}

# What the tests of the command need: a terminal, a browser for the page of a report, and another libc.
need_command() {
    install_missing tmux=tmux chromium=chromium redis-server=redis-server redis-cli=redis-tools nginx=nginx wrk=wrk \
        musl-gcc=musl-tools
}

# apt-get ARGUMENTS..., quietly. Waits while another process holds the locks, and names it. When apt-get fails, its last
# lines are shown. It does not use apt's own DPkg::Lock::Timeout, which ignores the locks of `update` and of the
# archives.
apt_get() {
    local output status held="" told="" end=$((SECONDS + ${GLASSPOLL_APT_PATIENCE:-600}))
    output=$(mktemp)
    while :; do
        status=0
        as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" >"$output" 2>&1 || status=$?
        [ $status != 0 ] && held=$(grep -m 1 -E 'Could not get lock|lock was locked by another process' "$output") && [ $SECONDS -lt $end ] || break
        held=${held#E: }
        [ "$held" = "$told" ] || say "apt-get $1 waits: $held"
        told=$held
        sleep 2
    done
    if [ $status != 0 ]; then
        say "apt-get $1 failed with status $status; the last it said:" >&2
        tail -n 15 "$output" | sed 's/^/    /' >&2
    fi
    rm -f "$output"
    return $status
}

# The services of the packages stay off: a policy file says so while apt-get runs.
install_packages() {
    command -v apt-get >/dev/null || die "please install: $*"
    say "installing with apt-get: $*"
    # In a subshell, for the trap; one at a time, because there is one policy file.
    (
        exec 9</var/lib/dpkg
        flock -n 9 || { say "waiting for another script that installs"; flock 9; }
        policy=/usr/sbin/policy-rc.d mark="# while the tests of glasspoll install packages"
        # A policy file with our mark was left by a script that was killed.
        if [ ! -e $policy ] || grep -qsF "$mark" $policy; then
            trap 'as_root rm -f $policy' EXIT
            printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root tee $policy >/dev/null
            as_root chmod 755 $policy
        fi
        # Without fd 9, so that no process that apt-get starts keeps the lock.
        if [ -z "${apt_updated:-}" ]; then
            apt_get update 9<&- || say "trying with what is known"
        fi
        apt_get install --no-install-recommends "$@" 9<&-
    ) || die "apt-get could not install: $*"
    apt_updated=yes
}
