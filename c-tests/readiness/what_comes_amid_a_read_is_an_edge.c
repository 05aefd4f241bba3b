// Whatever arrives after a report is an edge, at whichever moment of the program's read or of its next wait it arrives.
// The wait reports data that is left or new, and reports nothing if there is nothing.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 18, 19
#include "harness/share.h"
#include "harness/window.h"
#include <sys/uio.h>

#ifndef KINDS // what_counts_amid_a_read_is_an_edge has its own
enum kind { PIPE, STREAM, PACKETS, DGRAM, TCP, UDP, PTY, KINDS };
static const char *const kind_names[] = {
    "pipe", "unix stream", "unix packets", "unix datagrams",
    "tcp",  "udp",         "terminal",
};
static enum kind kind;

static void make(int fds[2])
{
    switch (kind) {
    case PIPE: pipe_pair(fds); break;
    case STREAM: unix_stream(fds); break;
    case PACKETS: OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds)); break;
    case DGRAM: OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds)); break;
    case TCP: tcp_pair(fds); break;
    case UDP: udp_pair(fds); break;
    default: pty_pair(fds);
    }
}

static void arrive(void)
{
    elsewhere(SYS_write, out, (long)"abcdefgh", 8, 0);
    polls(in, POLLIN, 50000000);
}

static long take(int fd, void *buf, size_t size) { return read(fd, buf, size); }

static bool is_socket(void) { return kind >= STREAM && kind <= UDP; }
static bool is_stream(void) { return kind == PIPE || kind == STREAM || kind == TCP || kind == PTY; }
static bool comes_by_itself(void) { return false; }
static bool has_bytes(void) { return true; }
static bool is_readable(void) { return true; }
// Whether the library misses new data while old data is left, if it has to poll the file. docs/limits.md: files that
// are shared or have no O_ASYNC.
static bool is_limit(bool reads) { return kind == DGRAM && !reads; }
#define BEGIN() (void)0
#endif

enum pattern { ALL, ONCE, PART, READV, PREADV2, RECV, RECVMSG, RECVMMSG, BYDUP, BYSYSCALL, ONESHOT, NOTHING, PATTERNS };
static const char *const pattern_names[] = {
    "to EAGAIN", "once",     "a part",   "by readv",     "by preadv2",   "by recv",
    "by recvmsg", "by recvmmsg", "by a dup", "by syscall()", "once, and MOD", "not at all",
};
static enum pattern pattern;
static int failures;
enum { MOST = 60 };

static void do_read(int epfd)
{
    static char buf[65536];
    struct iovec iov = {buf, sizeof buf};
    struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
    many[1] = many[0];
    int twin;
    switch (pattern) {
    case ALL: while (take(in, buf, sizeof buf) > 0) {} break;
    case PART: take(in, buf, 3); break;
    case READV: CHECK(readv(in, &iov, 1) > 0 || errno == EAGAIN); break;
    case PREADV2: CHECK(preadv2(in, &iov, 1, -1, 0) > 0 || errno == EAGAIN); break;
    case RECV: CHECK(recv(in, buf, sizeof buf, 0) > 0); break;
    case RECVMSG: CHECK(recvmsg(in, &many[0].msg_hdr, 0) > 0); break;
    case RECVMMSG: CHECK(recvmmsg(in, many, 2, 0, NULL) > 0); break;
    case BYDUP:
        twin = OK(dup(in));
        take(twin, buf, sizeof buf);
        OK(close(twin));
        break;
    case BYSYSCALL: syscall(SYS_read, in, buf, sizeof buf); break;
    case NOTHING: break;
    default: take(in, buf, sizeof buf);
    }
    if (pattern == ONESHOT)
        OK(ep_mod(epfd, in, EPOLLIN | EPOLLET | EPOLLONESHOT));
}

// Whether the read takes everything that was there when it began.
static bool uses_up(void)
{
    return pattern == ALL || pattern == RECVMMSG ||
           (pattern != PART && pattern != NOTHING && is_stream());
}

static bool applies(void)
{
    if (emulated() && pattern != ALL && is_limit(pattern != NOTHING))
        return false;
    switch (pattern) {
    case PART: return is_stream() && has_bytes();
    case READV: case PREADV2: case BYSYSCALL: return is_readable();
    case RECV: case RECVMSG: case RECVMMSG: return is_socket();
    case NOTHING: return !comes_by_itself();
    default: return true;
    }
}

static void found(const char *what, bool from_wait, int at)
{
    dprintf(2, "%s: %s, %s, read %s, at call %d from the %s (number %d)\n", what, kind_names[kind],
            share_names[share], pattern_names[pattern], at, from_wait ? "wait" : "read", window.call);
    failures++;
}

// Something arrives at call `at`. Returns false if no later call exists.
static bool try(bool from_wait, int at)
{
    struct epoll_event ev[4];
    int epfd = ep_new(), before = failures;
    share_file(make);
    OK(ep_add(epfd, in, EPOLLIN | EPOLLET | (pattern == ONESHOT ? EPOLLONESHOT : 0)));
    arrive();
    if (from_wait)
        window_open(at, arrive);
    if (epoll_wait(epfd, ev, 4, WAIT_MS) != 1)
        found("no first event", from_wait, at);
    if (!from_wait)
        window_open(at, arrive);
    do_read(epfd);
    if (window.asked)
        UNTIL(window.done == window.asked);
    else
        window.sleeps = true;
    bool expected = window.sleeps || comes_by_itself() || polls(in, POLLIN, 0);
    int got = epoll_wait(epfd, ev, 4, expected ? WAIT_MS : 0);
    bool arrived = window_close();
    if (arrived && got != expected)
        found(expected ? "lost" : "nothing is there", from_wait, at);
    else if (arrived && got == 1 && !comes_by_itself() && epoll_wait(epfd, ev, 4, 0) != 0)
        found("reported twice", from_wait, at);
    OK(close(epfd));
    unshare_file();
    return arrived && window.call != -1 && failures == before;
}

static void work(void)
{
    for (kind = 0; kind < KINDS; kind++)
        for (share = 0; share < SHARES; share++)
            for (pattern = 0; pattern < PATTERNS; pattern++)
                for (int from_wait = 0; from_wait < 2; from_wait++) {
                    int at = 0;
                    // Starts at the wait only if the read leaves nothing that came before the report.
                    if (applies() && (!from_wait || uses_up()))
                        // A library that polls from time to time makes calls without end.
                        while (at < MOST && try(from_wait, at))
                            at++;
                }
    CHECK_EQ(failures, 0);
}

static void test(void)
{
    BEGIN();
    window_run(work);
}
