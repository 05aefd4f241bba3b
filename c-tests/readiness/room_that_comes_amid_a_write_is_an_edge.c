// A write finds too little room. The room that comes later is an edge, at
// whichever moment of the write or of the next wait it comes. The write may
// return a short count or EAGAIN: either tells the program to wait for room
// (epoll(7), questions).
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 18, 19
#include "harness/share.h"
#include "harness/window.h"
#include <mqueue.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum kind { PIPE, STREAM, PACKETS, DGRAM, TCP, LITTLE, EVENTFD, QUEUE, KINDS };
static const char *const kind_names[] = {
    "pipe", "unix stream", "unix packets", "unix datagrams",
    "tcp", "tcp with a little buffer", "eventfd", "message queue",
};
enum pattern {
    ALL, SHORT, WRITEV, PWRITEV2, SEND, SENDMSG, SENDMMSG,
    BYDUP, BYSYSCALL, SENDFILE, SPLICE, VMSPLICE, ONESHOT, PATTERNS
};
static const char *const pattern_names[] = {
    "write to EAGAIN", "write", "writev", "pwritev2", "send", "sendmsg", "sendmmsg",
    "write by a dup", "syscall()", "sendfile", "splice", "vmsplice", "write to EAGAIN, and MOD",
};
static enum kind kind;
static enum pattern pattern;
static int file, source[2]; // the files that sendfile and splice write from
static int failures;

// Reads everything. Over TCP the room comes some time after the reads.
static void arrive(void)
{
    static char buf[65536];
    int64_t end = now_ns() + 200000000;
    long n;
    do {
        if (kind == QUEUE)
            while (elsewhere(SYS_mq_timedreceive, in, (long)buf, sizeof buf, 0) > 0) {}
        else
            do
                n = elsewhere(SYS_read, in, (long)buf, kind == EVENTFD ? 8 : sizeof buf, 0);
            while (n > 0 && kind != EVENTFD);
    } while ((kind == TCP || kind == LITTLE) && !polls(out, POLLOUT, 0) && now_ns() < end);
}

// How much is written at a time. It may be more than there is room for.
static size_t portion(void)
{
    switch (kind) {
    case EVENTFD: case QUEUE: return 8;
    case PACKETS: case DGRAM: return 50000;
    case TCP: return pattern == SPLICE ? 60000 : 1 << 20;
    default: return 60000;
    }
}

// Makes one write. Returns false if the file did not take all of it.
static bool put_once(int fd)
{
    static char block[1 << 20];
    uint64_t most = UINT64_MAX - 1;
    size_t size = portion();
    struct iovec iov = {kind == EVENTFD ? (void *)&most : block, size};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    off_t at = 0;
    if (kind == QUEUE)
        return mq_send(fd, block, size, 0) == 0;
    switch (pattern) {
    case WRITEV: return writev(fd, &iov, 1) == (long)size;
    case PWRITEV2: return pwritev2(fd, &iov, 1, -1, 0) == (long)size;
    case SEND: return send(fd, block, size, 0) == (long)size;
    case SENDMSG: return sendmsg(fd, &msg.msg_hdr, 0) == (long)size;
    case SENDMMSG: return sendmmsg(fd, &msg, 1, 0) == 1 && msg.msg_len == size;
    case BYSYSCALL: return syscall(SYS_write, fd, iov.iov_base, size) == (long)size;
    case SENDFILE: return sendfile(fd, file, &at, size) == (long)size;
    case VMSPLICE: return vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK) == (long)size;
    case SPLICE:
        fill(source[1]);
        return splice(source[0], NULL, fd, NULL, size, SPLICE_F_NONBLOCK) == (long)size;
    default: return write(fd, iov.iov_base, size) == (long)size;
    }
}

static void do_write(int epfd)
{
    int twin = OK(dup(out));
    while (put_once(pattern == BYDUP ? twin : out)) {}
    if (pattern == ALL || pattern == ONESHOT)
        do
            errno = 0;
        while (put_once(out) || errno == 0);
    if (pattern == ONESHOT)
        OK(ep_mod(epfd, out, EPOLLOUT | EPOLLET | EPOLLONESHOT));
    OK(close(twin));
}

static bool applies(void)
{
    bool socket = kind >= STREAM && kind <= LITTLE;
    switch (pattern) {
    case ALL: case SHORT: case ONESHOT: return true;
    case SEND: case SENDMSG: case SENDMMSG: return socket;
    case SENDFILE: case SPLICE: return kind == PIPE || kind == STREAM || kind == TCP || kind == LITTLE;
    case VMSPLICE: return kind == PIPE;
    default: return kind != QUEUE;
    }
}

static void make(int fds[2])
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    int little = 8192;
    switch (kind) {
    case PIPE: pipe_pair(fds); break;
    case STREAM: unix_stream(fds); break;
    case PACKETS: OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds)); break;
    case DGRAM: OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds)); break;
    case TCP: case LITTLE:
        tcp_pair(fds);
        if (kind == LITTLE)
            OK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof little));
        break;
    case EVENTFD: fds[0] = fds[1] = event_fd(); break;
    default:
        fds[0] = fds[1] = OK(mq_open("/room", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr));
        OK(mq_unlink("/room"));
    }
}

// The room comes at call `at`. Returns false if no later call exists.
static bool try(int at)
{
    struct epoll_event ev[4];
    int epfd = ep_new();
    share_file(make);
    pipe_pair(source);
    OK(ep_add(epfd, out, EPOLLOUT | EPOLLET | (pattern == ONESHOT ? EPOLLONESHOT : 0)));
    CHECK_EQ(epoll_wait(epfd, ev, 4, WAIT_MS), 1);
    window_open(at, arrive);
    do_write(epfd);
    if (window.asked)
        UNTIL(window.done == window.asked);
    // The room came too early: the rest of the write has used it up.
    bool again = window.asked && !polls(out, POLLOUT, 0);
    if (again)
        window.asked = window.done = 0;
    if (!window.asked)
        window.sleeps = true;
    bool lost = epoll_wait(epfd, ev, 4, WAIT_MS) != 1 || ev[0].events != EPOLLOUT;
    window_close();
    if (lost) {
        dprintf(2, "lost: %s, %s, %s, at call %d (number %d)\n", kind_names[kind],
                share_names[share], pattern_names[pattern], at, window.call);
        failures++;
    }
    OK(close(epfd));
    close_pair(source);
    unshare_file();
    return !lost && (window.call != -1 || again);
}

static void work(void)
{
    for (kind = 0; kind < KINDS; kind++)
        for (share = 0; share < SHARES; share++)
            for (pattern = 0; pattern < PATTERNS; pattern++)
                // If there are many calls, tries only some of them.
                for (int at = 0; applies() && at < 300 && try(at); at += 1 + at / 3) {}
    CHECK_EQ(failures, 0);
}

static void test(void)
{
    char path[] = "/tmp/room-XXXXXX";
    file = OK(mkstemp(path));
    OK(unlink(path));
    OK(ftruncate(file, 1 << 20));
    window_run(work);
    OK(close(file));
}
