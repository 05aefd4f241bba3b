//! A walk as a C program, to be run by hand on the kernel and preloaded.

use std::fmt::Write as _;

use super::step::{Kind, Step};

const HEAD: &str = r#"#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int f[10000], n;
static char buf[65536], dir[32], fifo[64], touched[64];
#define SAY(call) do { long r_ = (call); printf("%s: %ld", #call, r_); if (r_ < 0) printf(" errno %d", errno); puts(""); } while (0)

static void nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
static void add(int a, int b) { f[n++] = a; if (b != -2) f[n++] = b; }
static void sockets(int type) { int p[2]; socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p); add(p[0], p[1]); }
static void pipes(void) { int p[2]; if (pipe2(p, O_NONBLOCK)) return; add(p[0], p[1]); }
static void pty(void) { int a, b; struct termios t = {0}; cfmakeraw(&t); openpty(&a, &b, 0, &t, 0); nonblocking(a); nonblocking(b); add(a, b); }
static void fifos(void) { mkfifo(fifo, 0600); int r = open(fifo, O_RDONLY | O_NONBLOCK), w = open(fifo, O_WRONLY | O_NONBLOCK); unlink(fifo); add(r, w); }
static void touch(void) { int fd = open(touched, O_WRONLY | O_CREAT | O_TRUNC, 0600); SAY(write(fd, "x", 1)); close(fd); }
static void watch(void) { int i = inotify_init1(IN_NONBLOCK); inotify_add_watch(i, touched, IN_MODIFY); add(i, -2); }
static void await_terminal(int fd) { if (isatty(fd)) usleep(500); }
static void look(void) { for (int i = 0; i < n; i++) poll(&(struct pollfd){f[i], POLLIN, 0}, 1, 0); }
static void expire(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    if (timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 1}}, 0) == 0)
        poll(&p, 1, 1000);
    look();
}
static void listener(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(fd, (void *)&in, sizeof in);
    listen(fd, 4);
    add(fd, -2);
}
static int connected(int to)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    getsockname(to, (void *)&in, &len);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, (void *)&in, len);
    return fd;
}
static int pass(int over, int to, int what)
{
    char byte = 0;
    union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr head; } c;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    while (read(to, buf, 4096) > 0);
    c.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&c.head), &what, sizeof what);
    if (sendmsg(over, &m, MSG_NOSIGNAL) < 0 || recvmsg(to, &m, 0) != 1)
        return -1;
    memcpy(&what, CMSG_DATA(&c.head), sizeof what);
    return what;
}
static int child_watches(int fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT};
    int ep = epoll_create1(0);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
        return errno;
    return epoll_wait(ep, &e, 1, 0) << 6 | (e.events & 0x1f);
}
static int child(int work, int fd)
{
    int status, pid = fork();
    if (pid == 0) {
        int result = work == 0 ? write(fd, buf, 8) > 0 : work == 1 ? child_watches(fd) : 0;
        for (int i = 0; i < n; i++)
            close(f[i]);
        _exit(result);
    }
    waitpid(pid, &status, 0);
    await_terminal(fd);
    return status;
}
static void flags(int fd)
{
    int amount = 0;
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_GETOWN));
    SAY(ioctl(fd, FIONREAD, &amount));
}
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
static void wait_on(int ep, int max, int timeout)
{
    static struct epoll_event e[1024];
    int r = epoll_wait(ep, e, max, timeout);
    printf("wait %d:", r);
    for (int i = 0; i < r; i++)
        printf(" %#x/%lld", e[i].events, (long long)e[i].data.u64);
    puts("");
}
static void rounds(int ep, int max, int waits)
{
    struct epoll_event e[16];
    int r = 1;
    printf("rounds:");
    for (int w = 0; w < waits && r > 0; w++) {
        r = epoll_wait(ep, e, max, 0);
        printf(" | %d", r);
        for (int i = 0; i < r; i++)
            printf(" %#x/%lld", e[i].events, (long long)e[i].data.u64);
    }
    puts("");
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof dir, "/tmp/walk-%d", getpid());
    mkdir(dir, 0700);
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    snprintf(touched, sizeof touched, "%s/touched", dir);
    touch();
"#;

/// The text of the program.
pub fn c_program(walk: &[Step]) -> String {
    let mut out = HEAD.to_owned();
    let unsignalled = |step: &Step| matches!(step, Step::Make(Kind::Pty) | Step::Fill { .. });
    let look = if walk.iter().any(unsignalled) { " look();" } else { "" };
    for step in walk {
        let _ = writeln!(out, "    {}{look}", statement(*step));
    }
    out.push_str("    unlink(touched);\n    rmdir(dir);\n    return 0;\n}\n");
    out
}

fn statement(step: Step) -> String {
    match step {
        Step::Make(kind) => match kind {
            Kind::Pipe => "pipes();".into(),
            Kind::Fifo => "fifos();".into(),
            Kind::Unix => "sockets(SOCK_STREAM);".into(),
            Kind::Dgram => "sockets(SOCK_DGRAM);".into(),
            Kind::Tcp => "inet(SOCK_STREAM);".into(),
            Kind::Listener => "listener();".into(),
            Kind::Udp => "inet(SOCK_DGRAM);".into(),
            Kind::Eventfd => "add(eventfd(0, EFD_NONBLOCK), -2);".into(),
            Kind::Timerfd => "add(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), -2);".into(),
            Kind::Inotify => "watch();".into(),
            Kind::Pty => "pty();".into(),
            Kind::Regular => "add(open(touched, O_RDWR), -2);".into(),
            Kind::Epoll => "add(epoll_create1(0), -2);".into(),
        },
        Step::Ctl { ep, op, f, events, data } => format!(
            "SAY(epoll_ctl(f[{ep}], {op}, f[{f}], &(struct epoll_event){{.events = {events:#x}, .data.u64 = {data}}}));"
        ),
        Step::CtlNull { ep, op, f } => format!("SAY(epoll_ctl(f[{ep}], {op}, f[{f}], NULL));"),
        Step::Wait { ep, max } => format!("wait_on(f[{ep}], {max}, 0);"),
        Step::Sleep { ep, max } => format!("wait_on(f[{ep}], {max}, 1);"),
        Step::Rounds { ep, max, waits } => format!("rounds(f[{ep}], {max}, {waits});"),
        Step::WaitNull { ep } => format!("SAY(epoll_wait(f[{ep}], NULL, 4, 0));"),
        Step::Poll { f, events } => {
            format!("{{ struct pollfd p = {{f[{f}], {events}, 0}}; SAY(poll(&p, 1, 0)); printf(\"%#x\\n\", p.revents); }}")
        }
        Step::Select { f } => format!(
            "{{ fd_set r; FD_ZERO(&r); FD_SET(f[{f}], &r); SAY(select(f[{f}] + 1, &r, 0, 0, &(struct timeval){{0}})); }}"
        ),
        Step::Write { f, bytes } => format!("SAY(write(f[{f}], buf, {}));\n    await_terminal(f[{f}]);", bytes.clamp(8, 4096)),
        Step::Read { f, bytes } => format!("SAY(read(f[{f}], buf, {}));", bytes.clamp(8, 65536)),
        Step::Fill { f } => format!("while (write(f[{f}], buf, 4096) > 0);\n    await_terminal(f[{f}]);"),
        Step::Drain { f } => format!("while (read(f[{f}], buf, 65536) > 0);"),
        Step::Shutdown { f, how } => format!("SAY(shutdown(f[{f}], {how}));"),
        Step::Close { f } => format!("SAY(close(f[{f}]));"),
        Step::Dup { f } => format!("SAY(f[n++] = dup(f[{f}]));"),
        Step::Dup2 { f, onto } => format!("SAY(dup2(f[{f}], f[{onto}]));"),
        Step::CloseRange { first, last } => format!("SAY(close_range(f[{first}], f[{last}], 0));"),
        Step::Oob { f } => format!("SAY(send(f[{f}], \"!\", 1, MSG_OOB));"),
        Step::Expire { f } => format!("expire(f[{f}]);"),
        Step::Touch {} => "touch();".into(),
        Step::Connect { f } => format!("SAY(f[n++] = connected(f[{f}]));"),
        Step::Accept { f } => format!("SAY(f[n++] = accept4(f[{f}], 0, 0, SOCK_NONBLOCK));"),
        Step::DupFrom { f, from } => format!("SAY(f[n++] = fcntl(f[{f}], F_DUPFD, {from}));"),
        Step::Pass { over, to, what } => format!("SAY(f[n++] = pass(f[{over}], f[{to}], f[{what}]));"),
        Step::Flags { f } => format!("flags(f[{f}]);"),
        Step::Fork { f, work } => format!("SAY(child({}, f[{f}]));", work as i32),
    }
}
