// An epoll file has neither a read nor a write method, ready or not.
// Source: Linux: fs/eventpoll.c:eventpoll_fops. Contract: 2
#include "harness.h"
#include <sys/uio.h>

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    char buf[64] = "";
    struct iovec iov = {buf, sizeof buf};
    for (int ready = 0; ready < 2; ready++) {
        CHECK_ERR(read(epfd, buf, sizeof buf), EINVAL);
        CHECK_ERR(write(epfd, buf, sizeof buf), EINVAL);
        CHECK_ERR(readv(epfd, &iov, 1), EINVAL);
        CHECK_ERR(writev(epfd, &iov, 1), EINVAL);
        CHECK_ERR(recv(epfd, buf, sizeof buf, 0), ENOTSOCK);
        CHECK_ERR(send(epfd, buf, sizeof buf, 0), ENOTSOCK);
        if (!ready)
            OK(ep_add(epfd, e, EPOLLOUT));
    }
    EXPECT_ONE(epfd, e, EPOLLOUT);
    OK(close(e));
    OK(close(epfd));
}
