// poll(2) of a message queue with messages and room gives the same bits as
// poll(2) of a file without a poll method. Still the queue can be added, and
// reports both.
// Source: ipc/mqueue.c, mqueue_poll_file. Contract: 3
#include "harness.h"
#include <mqueue.h>

static void test(void)
{
    const char *name = "/glasspoll-half-full";
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600, &attr);
    if (queue < 0)
        SKIP("no message queues: %s", strerrorname_np(errno));
    OK(mq_unlink(name));
    char text[8];
    int epfd = ep_new();
    OK(mq_send(queue, "one", 3, 0));
    OK(ep_add(epfd, queue, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, queue, EPOLLIN | EPOLLOUT);
    OK(mq_receive(queue, text, sizeof text, NULL));
    EXPECT_ONE(epfd, queue, EPOLLOUT);
    OK(ep_mod(epfd, queue, EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    OK(mq_send(queue, "two", 3, 0));
    EXPECT_ONE(epfd, queue, EPOLLIN);
    OK(mq_close(queue));
    OK(close(epfd));
}
