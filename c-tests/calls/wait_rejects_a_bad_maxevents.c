// maxevents must be above zero and such that the buffer's size fits an int.
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
    // The size is judged together with the address alone, so one far below the
    // end of user memory; nothing is written while nothing is ready.
    struct epoll_event *volatile anywhere = (void *)4096;
    CHECK_EQ(epoll_wait(epfd, anywhere, most, 0), 0);
    OK(close(epfd));
}
