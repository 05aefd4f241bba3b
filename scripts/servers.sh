# A redis or nginx in a directory of its own. Sourced after packages.sh.
# shellcheck shell=bash

work=$(mktemp -d)
server="" port=""
trap 'stop_server; rm -rf "$work"' EXIT

need_server() {
    case $1 in
        redis) install_missing redis-server=redis-server redis-benchmark=redis-tools ;;
        nginx) install_missing nginx=nginx wrk=wrk ;;
    esac
}

configure_nginx() {
    mkdir -p "$work/html"
    say "hello" >"$work/html/index.html"
    cat >"$work/nginx.conf" <<END
$([ "$(id -u)" != 0 ] || echo "user root;")
daemon off; worker_processes 1; pid $work/pid;
events { use epoll; worker_connections 1024; }
http {
    access_log off; keepalive_requests 100000000;
    client_body_temp_path $work/body; proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
    server { listen 127.0.0.1:$port; root $work/html; }
}
END
}

# start_server NAME kernel|glasspoll [WRAPPER...]: starts it on CPU 0; returns when it answers.
start_server() {
    local name=$1 epoll=$2 tries preload=() command
    shift 2
    port=$(free_port)
    command=(redis-server --port "$port" --bind 127.0.0.1 --save "" --dir "$work" --pidfile "$work/pid")
    if [ "$name" = nginx ]; then
        configure_nginx
        command=(nginx -p "$work" -e "$work/error.log" -c "$work/nginx.conf")
    fi
    [ "$epoll" = kernel ] || preload=("LD_PRELOAD=$library")
    (PATH=$PATH:/usr/sbin on_cpu 0 "$@" env "${preload[@]}" "${command[@]}") >"$work/output" 2>&1 </dev/null &
    server=$!
    # Waits for minutes, because the machine may be busy; stops when the server has ended.
    for ((tries = 0; tries < 6000; tries++)); do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    cat "$work/output" >&2
    die "$name on $epoll did not start"
}

# Asks the server to end. Under a wrapper the pid is the one that the server wrote down.
stop_server() {
    [ -n "$server" ] || return 0
    kill "$(cat "$work/pid" 2>/dev/null || echo "$server")" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=""
}
