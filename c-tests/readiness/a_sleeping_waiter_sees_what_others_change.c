// A thread sleeps in a wait on a set of several files. Meanwhile another thread
// adds, changes, deletes, closes, waits with timeout 0, and fills a socket. The
// sleeping thread gets exactly what the set holds at the moment when it becomes
// ready.
// Source: epoll(7), Q6 and multithreading. Contract: 13, 14, 19, 25
#include "harness.h"

enum { FILES = 4, TURNS = 12 };

static int epfd, fd[FILES][2];
static uint32_t edge;

static void open_one(int i)
{
    (i % 2 ? unix_stream : tcp_pair)(fd[i]);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
}

// Writes to file `i`. The waiter returns with `value`, and with nothing else.
static void told(struct waiter *w, int i, uint64_t value)
{
    put(fd[i][1], "x");
    waiter_join_with(w, value, EPOLLIN);
    CHECK_EQ(drain(fd[i][0]), 1);
    EXPECT_NOTHING_NOW(epfd);
}

static void turn(int i)
{
    struct waiter w, other;
    int e = event_fd(), kept, old;

    waiter_block(&w, epfd); // the file is added, and is ready later
    OK(ep_add(epfd, e, EPOLLIN));
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));

    waiter_block(&w, epfd); // the file is ready when it is added
    e = event_fd();
    bump(e, 1);
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));

    waiter_block(&w, epfd); // the item gets other data
    OK(ep_ctl(epfd, EPOLL_CTL_MOD, fd[i][0], EPOLLIN | edge, 1000 + i));
    told(&w, i, 1000 + i);
    OK(ep_mod(epfd, fd[i][0], EPOLLIN | edge));

    waiter_block(&w, epfd); // the item asks for nothing
    OK(ep_mod(epfd, fd[i][0], 0));
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    OK(ep_mod(epfd, fd[i][0], EPOLLIN | edge));
    waiter_join_with(&w, fd[i][0], EPOLLIN);
    CHECK_EQ(drain(fd[i][0]), 1);
    EXPECT_NOTHING_NOW(epfd);

    waiter_block(&w, epfd); // the item is deleted
    OK(ep_del(epfd, fd[i][0]));
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    CHECK_EQ(drain(fd[i][0]), 1);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
    told(&w, i, fd[i][0]);

    waiter_block(&w, epfd); // the file is closed, and its fd stands for another file
    old = fd[i][0];
    OK(close(fd[i][0]));
    OK(close(fd[i][1]));
    (i % 2 ? unix_stream : tcp_pair)(fd[i]);
    if (fd[i][1] == old)
        fd[i][1] = OK(dup(old));
    if (fd[i][0] != old) {
        CHECK_EQ(dup2(fd[i][0], old), old);
        OK(close(fd[i][0]));
        fd[i][0] = old;
    }
    put(fd[i][0], "x");
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    drain_exactly(fd[i][0], 1);
    drain_exactly(fd[i][1], 1);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
    told(&w, i, fd[i][0]);

    waiter_block(&w, epfd); // the fd is closed, and the file is open under another fd
    old = fd[i][0];
    kept = OK(dup(old));
    OK(close(old));
    e = event_fd();
    CHECK_EQ(e, old);
    bump(e, 1);
    sleep_ms(2);
    CHECK(!w.done);
    put(fd[i][1], "x");
    waiter_join_with(&w, old, EPOLLIN);
    CHECK_EQ(drain(kept), 1);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(e));
    OK(close(kept));
    OK(close(fd[i][1]));
    open_one(i);

    waiter_block(&w, epfd); // another thread waits with timeout 0, and gets nothing
    EXPECT_NOTHING_NOW(epfd);
    told(&w, i, fd[i][0]);

    if (!edge)
        return; // with level triggering both waiters wake
    waiter_block(&w, epfd); // another thread waits as well, and takes the event
    waiter_block(&other, epfd);
    told(&other, i, fd[i][0]);
    CHECK(!w.done);
    told(&w, i, fd[i][0]);
}

// While the waiter sleeps, another thread's write is refused; then the peer
// makes room.
static void refused(void)
{
    struct waiter w;
    OK(ep_mod(epfd, fd[0][0], EPOLLIN | EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, fd[0][0], EPOLLOUT);
    for (int n = 0; n < 3; n++) {
        waiter_block(&w, epfd);
        long all = fill(fd[0][0]);
        drain_exactly(fd[0][1], all);
        waiter_join_with(&w, fd[0][0], EPOLLOUT);
    }
}

static void test(void)
{
    for (int e = 0; e < 2; e++) {
        edge = e ? EPOLLET : 0;
        epfd = ep_new();
        for (int i = 0; i < FILES; i++)
            open_one(i);
        for (int n = 0; n < TURNS; n++)
            turn(n % FILES);
        refused();
        for (int i = 0; i < FILES; i++)
            close_pair(fd[i]);
        OK(close(epfd));
    }
}
