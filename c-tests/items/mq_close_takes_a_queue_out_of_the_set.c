// A message queue is watched like any file. mq_close takes it out of the set,
// although the C library does not call close(2) for it.
// Source: mq_close(3). Contract: 12
#include "harness.h"
#include <mqueue.h>

static void test(void)
{
    char name[64], text[64];
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32};
    int epfd = ep_new();
    snprintf(name, sizeof name, "/glasspoll-%d", getpid());
    for (int round = 0; round < 3; round++) {
        mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
        if (queue == (mqd_t)-1)
            SKIP("no message queues: %s", strerrorname_np(errno));
        OK(mq_unlink(name));
        OK(ep_add(epfd, queue, EPOLLIN | (round % 2 ? EPOLLET : 0)));
        EXPECT_NOTHING_NOW(epfd);
        OK(mq_send(queue, "a", 1, 0));
        EXPECT_ONE(epfd, queue, EPOLLIN);
        CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);
        EXPECT_NOTHING_NOW(epfd);
        OK(mq_send(queue, "b", 1, 0));
        OK(mq_close(queue));
        EXPECT_NOTHING_NOW(epfd);
        CHECK_ERR(ep_del(epfd, queue), EBADF);
        int e = event_fd(); // the fd is free for another file
        CHECK_EQ(e, queue);
        OK(ep_add(epfd, e, EPOLLIN));
        EXPECT_NOTHING(epfd);
        OK(close(e));
    }
    OK(close(epfd));
}
