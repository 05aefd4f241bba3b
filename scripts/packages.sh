# Installing what is missing, with apt-get. Sourced after lib.sh.
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

# What the tests of servers need, their clients included.
need_servers() {
    install_missing redis-server=redis-server redis-cli=redis-tools nginx=nginx wrk=wrk memcached=memcached \
        haproxy=haproxy lighttpd=lighttpd mosquitto=mosquitto mosquitto_pub=mosquitto-clients \
        dbus-daemon=dbus-daemon dbus-send=dbus-bin curl=curl openssl=openssl unbound=unbound valgrind=valgrind \
        gdb=gdb
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_packages postgresql
    # Asked of the compiler, for Debian keeps this header in a folder of its architecture.
    echo '#include <curl/curl.h>' | gcc -fsyntax-only -xc - 2>/dev/null || install_packages libcurl4-openssl-dev
}

# What the tests of language runtimes need: node, a JDK (java runs a source file
# only with javac beside it), CPython's own suites.
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

# The packages' services stay off: a policy file says so while apt-get runs.
install_packages() {
    local policy=/usr/sbin/policy-rc.d ours="" status=0
    command -v apt-get >/dev/null || die "please install: $*"
    say "installing with apt-get: $*"
    if [ ! -e $policy ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    as_root apt-get update -qq || say "apt-get update failed; trying what is known"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$@" >/dev/null || status=$?
    [ -z "$ours" ] || as_root rm -f $policy
    [ $status = 0 ] || die "apt-get could not install: $*"
}
