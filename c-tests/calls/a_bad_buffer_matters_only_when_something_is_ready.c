// A NULL, unmapped or read-only buffer is fine while nothing is ready, and
// EFAULT once something is. An event that could not be copied is not lost.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 5
#include "harness.h"

static void test(void)
{
    uint32_t masks[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
    void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *constant =
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct epoll_event *bad[] = {NULL, none, constant};
    CHECK(none != MAP_FAILED && constant != MAP_FAILED);
    for (int m = 0; m < 3; m++) {
        int epfd = ep_new(), e = event_fd();
        OK(ep_add(epfd, e, masks[m]));
        for (int b = 0; b < 3; b++) {
            CHECK_EQ(epoll_wait(epfd, bad[b], 4, 0), 0);
            CHECK_EQ(epoll_wait(epfd, bad[b], 4, 5), 0);
        }
        bump(e, 1);
        for (int b = 0; b < 3; b++) {
            CHECK_ERR(epoll_wait(epfd, bad[b], 4, 0), EFAULT);
            CHECK_ERR(epoll_wait(epfd, bad[b], 4, -1), EFAULT);
        }
        EXPECT_ONE(epfd, e, EPOLLIN);
        OK(close(e));
        OK(close(epfd));
    }
    OK(munmap(none, 4096));
    OK(munmap(constant, 4096));
}
