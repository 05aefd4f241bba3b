// maxevents must be above zero, and the buffer's size in bytes must fit an int.
// Source: epoll_wait(2); Linux: fs/eventpoll.c:EP_MAX_EVENTS. Contract: 5
#include "harness.h"

static void test(void)
{
    const int most = INT_MAX / sizeof(struct epoll_event);
    int epfd = ep_new(), bad[] = {0, -1, INT_MIN, INT_MAX, most + 1};
    struct epoll_event ev[1], *kernel = (void *)0xffff800000000000;
    struct timespec zero = {0, 0};
    for (int i = 0; i < 5; i++) {
        CHECK_ERR(epoll_wait(epfd, ev, bad[i], 0), EINVAL);
        CHECK_ERR(epoll_pwait(epfd, ev, bad[i], 0, NULL), EINVAL);
        CHECK_ERR(epoll_pwait2(epfd, ev, bad[i], &zero, NULL), EINVAL);
        CHECK_ERR(epoll_wait(epfd, kernel, bad[i], 0), EINVAL);
    }
    // The kernel checks only that the buffer ends below the end of user memory,
    // so this one is at a low address. Nothing is ready, so nothing is written.
    struct epoll_event *volatile anywhere = (void *)4096;
    CHECK_EQ(epoll_wait(epfd, anywhere, most, 0), 0);
    OK(close(epfd));
}
