# Notices that a program is on the kernel's epoll after all. Sourced by scripts/run.
# shellcheck shell=bash

# watch_kernel_epoll PID: says so, in one line on standard error, when PID or a child of it holds an fd of the kernel's
# epoll. Returns at once.
#
# The watch is an orphan, because the program must have no child that it did not start. It holds none of the program's
# files except standard error, and ends with PID.
watch_kernel_epoll() {
    (
        trap '' HUP INT QUIT TERM
        look_until_found "$1" </dev/null >/dev/null &
    )
}

look_until_found() {
    local fd family pause wait=1 ticks=0
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    # A read of a pipe without a writer is a sleep that needs no process.
    exec {pause}<> <(:)
    family=("$1")
    while is_alive "$1"; do
        # Looks again after 0.1 s, 0.2 s, 0.4 s, and so on, then every 3.2 s.
        if ((++ticks == wait)); then
            look && return
            ticks=0 wait=$((wait < 32 ? wait * 2 : 32))
        fi
        read -r -t 0.1 -u "$pause" || true
    done
}

# Whether any thread of process $1 lives. A process that only waits for its parent to reap it does not.
is_alive() {
    local line threads=("/proc/$1/task/"*)
    [ ${#threads[@]} -gt 1 ] && return
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    [[ ${line##*) } != [ZX]* ]]
}

# Looks at every living process of the family, including new children.
look() {
    local i pid threads thread child children found name
    for ((i = 0; i < ${#family[@]}; i++)); do
        pid=${family[i]}
        is_alive "$pid" || continue
        threads=("/proc/$pid/task/"*)
        for thread in "${threads[@]}"; do
            children=()
            { read -r -a children <"$thread/children"; } 2>/dev/null || true
            for child in "${children[@]}"; do
                [[ " ${family[*]} " == *" $child "* ]] || family+=("$child")
            done
        done
        # The last thread's fds: the first thread may have ended before the process.
        found=$(find "${threads[-1]}/fd" -lname 'anon_inode:\[eventpoll\]' 2>/dev/null) || true
        if [ -n "$found" ]; then
            { read -r name <"/proc/$pid/comm"; } 2>/dev/null || name="a program"
            printf 'glasspoll: %s (pid %s) is on the kernel'\''s epoll: it makes system calls without libc\n' \
                "$name" "$pid" >&2
            return
        fi
    done
    return 1
}
