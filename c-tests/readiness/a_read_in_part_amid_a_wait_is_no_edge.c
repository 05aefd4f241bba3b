// After EPOLL_CTL_MOD an edge-triggered item is reported once, whenever the
// wait falls during another thread's read. What that read leaves is no edge.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 18, 19
#include "harness/share.h"
#include "harness/window.h"

static int epfd, told;

static void count(int timeout)
{
    struct epoll_event ev[4];
    int n = OK(epoll_wait(epfd, ev, 4, timeout));
    told += n;
}

static void look(void) { count(0); }

static int kind;

static void make(int fds[2])
{
    if (kind == 0)
        pipe_pair(fds);
    else if (kind == 1)
        unix_stream(fds);
    else
        tcp_pair(fds);
}

// Takes data by recvmsg(2) or by read(2).
static long take(bool by_message, char *buf, size_t size)
{
    struct iovec iov = {buf, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return by_message ? recvmsg(in, &msg, 0) : read(in, buf, size);
}

static bool try(bool by_message, int at)
{
    char buf[64] = "";
    share_file(make);
    epfd = ep_new();
    CHECK_EQ(write(out, buf, sizeof buf), sizeof buf);
    OK(ep_add(epfd, in, EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, in, EPOLLIN);
    told = 0;
    OK(ep_mod(epfd, in, EPOLLIN | EPOLLET));
    window_open(at, look);
    CHECK_EQ(take(by_message, buf, 5), 5);
    bool looked = window_close();
    // The two waits take longer than the library takes to poll a file.
    count(30);
    count(30);
    if (told != 1)
        FAIL("kind %d, %s, call %d of %s: %d reports, expected 1", kind,
             share_names[share], at, by_message ? "recvmsg" : "read", told);
    // Data that comes now is an edge.
    CHECK_EQ(write(out, buf, 1), 1);
    EXPECT_ONE(epfd, in, EPOLLIN);
    OK(close(epfd));
    unshare_file();
    return looked;
}

static void work(void)
{
    for (kind = 0; kind < 3; kind++)
        for (share = 0; share < SHARES; share++)
            for (int by_message = 0; by_message <= (kind > 0); by_message++)
                for (int at = 0; at < 30 && try(by_message, at); at++)
                    continue;
}

static void test(void) { window_run(work); }
