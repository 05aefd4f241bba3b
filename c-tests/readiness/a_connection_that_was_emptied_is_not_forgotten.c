// What happens to a level-triggered item after the program has emptied its file is reported: another interest, more data,
// what another thread got and left, the end, what lies behind urgent data.
// Source: Linux: fs/eventpoll.c:ep_send_events; tcp(7). Contract: 18
#include "harness/emptied.h"

static void changes(void)
{
    char buf[64];
    empty_one();
    OK(ep_mod(epfd, one[0], EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, one[0], EPOLLOUT);
    OK(ep_mod(epfd, one[0], EPOLLIN));
    // A read that takes all it asked for, or no read at all, says nothing.
    put(one[1], "abcd");
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, 2), 2);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(recv(one[0], buf, sizeof buf, MSG_PEEK), 2);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2);
    EXPECT_NOTHING(epfd);
    // The number of the item's descriptor is another file's now.
    empty_one();
    int copy = OK(dup(one[0])), spare[2];
    OK(dup2(other[0], one[0]));
    put(one[1], "ab");
    put(other[1], "cd");
    until_polls(copy, POLLIN);
    until_polls(other[0], POLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2); // of the other file
    EXPECT_ONE(epfd, one[0], EPOLLIN);          // of the first one
    OK(dup2(copy, one[0]));
    OK(close(copy));
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2);
    tcp_pair(spare);
    close_pair(spare);
    EXPECT_NOTHING(epfd);
}

static void *reads_for_the_other(void *arg)
{
    (void)arg;
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    return NULL;
}

// This thread emptied the file long ago. What another thread got and left is ready for all.
static void threads(void)
{
    for (int n = 0; n < 20; n++) {
        pthread_t thread;
        empty_one();
        put(one[1], "xy");
        CHECK_EQ(pthread_create(&thread, NULL, reads_for_the_other, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        EXPECT_ONE(epfd, one[0], EPOLLIN);
        CHECK_EQ(drain(one[0]), 2);
        EXPECT_NOTHING_NOW(epfd);
    }
}

static void ends(void)
{
    empty_one();
    OK(shutdown(one[1], SHUT_WR));
    until_polls(one[0], POLLIN | POLLRDHUP);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    close_pair(one);
    tcp_pair(one);
    OK(ep_add(epfd, one[0], EPOLLIN));
    empty_one();
    OK(setsockopt(one[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)));
    OK(close(one[1]));
    until_polls(one[0], POLLHUP | POLLERR);
    EXPECT_ONE(epfd, one[0], EPOLLIN | EPOLLHUP | EPOLLERR);
    OK(close(one[0]));
}

// Behind the urgent mark there is more, though the read came short, and the urgent byte itself was taken.
static void urgent(void)
{
    char buf[64];
    tcp_pair(one);
    OK(ep_add(epfd, one[0], EPOLLIN));
    for (int n = 0; n < 3; n++)
        empty_one();
    put(one[1], "ab");
    CHECK_EQ(send(one[1], "u", 1, MSG_OOB), 1);
    put(one[1], "cde");
    until_polls(one[0], POLLIN | POLLPRI);
    sleep_ms(20);
    CHECK_EQ(recv(one[0], buf, 1, MSG_OOB), 1);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 3);
    EXPECT_NOTHING(epfd);
    close_pair(one);
}

static void test(void)
{
    make_set();
    threads();
    changes();
    ends();
    urgent();
    close_pair(other);
    OK(close(epfd));
}
