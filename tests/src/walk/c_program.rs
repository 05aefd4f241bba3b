//! A walk as a C program, to be run on the kernel and preloaded by hand.

use std::fmt::Write as _;

use super::step::{Kind, Step};

const HEAD: &str = r#"#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

static int f[10000], n;
static char buf[65536];
#define SAY(call) do { long r_ = (call); printf("%s: %ld", #call, r_); if (r_ < 0) printf(" errno %d", errno); puts(""); } while (0)

static void nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
static void add(int a, int b) { f[n++] = a; if (b != -2) f[n++] = b; }
static void sockets(int type) { int p[2]; socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p); add(p[0], p[1]); }
static void pipes(void) { int p[2]; if (pipe2(p, O_NONBLOCK)) return; add(p[0], p[1]); }
static void pty(void) { int a, b; struct termios t = {0}; cfmakeraw(&t); openpty(&a, &b, 0, &t, 0); nonblocking(a); nonblocking(b); add(a, b); }
static void inet(int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int a = socket(AF_INET, type, 0), b;
    bind(a, (void *)&in, len);
    getsockname(a, (void *)&in, &len);
    if (type == SOCK_STREAM)
        listen(a, 1);
    b = socket(AF_INET, type, 0);
    connect(b, (void *)&in, len);
    if (type == SOCK_STREAM) {
        int c = accept(a, 0, 0);
        close(a);
        a = c;
    } else {
        getsockname(b, (void *)&in, &len);
        connect(a, (void *)&in, len);
    }
    nonblocking(a);
    nonblocking(b);
    add(a, b);
}
static void wait_on(int ep, int max)
{
    struct epoll_event e[16];
    int r = epoll_wait(ep, e, max, 0);
    printf("wait %d:", r);
    for (int i = 0; i < r; i++)
        printf(" %#x/%lld", e[i].events, (long long)e[i].data.u64);
    puts("");
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
"#;

/// The program.
pub fn c_program(walk: &[Step]) -> String {
    let mut out = HEAD.to_owned();
    for step in walk {
        let _ = writeln!(out, "    {}", statement(*step));
    }
    out.push_str("    return 0;\n}\n");
    out
}

fn statement(step: Step) -> String {
    match step {
        Step::Make(kind) => match kind {
            Kind::Pipe => "pipes();".into(),
            Kind::Unix => "sockets(SOCK_STREAM);".into(),
            Kind::Dgram => "sockets(SOCK_DGRAM);".into(),
            Kind::Tcp => "inet(SOCK_STREAM);".into(),
            Kind::Udp => "inet(SOCK_DGRAM);".into(),
            Kind::Eventfd => "add(eventfd(0, EFD_NONBLOCK), -2);".into(),
            Kind::Pty => "pty();".into(),
            Kind::Epoll => "add(epoll_create1(0), -2);".into(),
        },
        Step::Ctl { ep, op, f, events, data } => format!(
            "SAY(epoll_ctl(f[{ep}], {op}, f[{f}], &(struct epoll_event){{.events = {events:#x}, .data.u64 = {data}}}));"
        ),
        Step::Wait { ep, max } => format!("wait_on(f[{ep}], {max});"),
        Step::Poll { f, events } => {
            format!("{{ struct pollfd p = {{f[{f}], {events}, 0}}; SAY(poll(&p, 1, 0)); printf(\"%#x\\n\", p.revents); }}")
        }
        Step::Select { f } => format!(
            "{{ fd_set r; FD_ZERO(&r); FD_SET(f[{f}], &r); SAY(select(f[{f}] + 1, &r, 0, 0, &(struct timeval){{0}})); }}"
        ),
        Step::Write { f, bytes } => format!("SAY(write(f[{f}], buf, {}));", bytes.clamp(8, 4096)),
        Step::Read { f, bytes } => format!("SAY(read(f[{f}], buf, {}));", bytes.clamp(8, 65536)),
        Step::Fill { f } => format!("while (write(f[{f}], buf, 4096) > 0);"),
        Step::Drain { f } => format!("while (read(f[{f}], buf, 65536) > 0);"),
        Step::Shutdown { f, how } => format!("SAY(shutdown(f[{f}], {how}));"),
        Step::Close { f } => format!("SAY(close(f[{f}]));"),
        Step::Dup { f } => format!("SAY(f[n++] = dup(f[{f}]));"),
        Step::Dup2 { f, onto } => format!("SAY(dup2(f[{f}], f[{onto}]));"),
        Step::CloseRange { first, last } => format!("SAY(close_range(f[{first}], f[{last}], 0));"),
        Step::Fork { f } => format!(
            "if (fork() == 0) {{ int w = write(f[{f}], buf, 8); for (int i = 0; i < n; i++) close(f[i]); _exit(w > 0); }} else wait(0);"
        ),
    }
}
