// An event pointer that cannot be read is EFAULT, whatever else is wrong. DEL
// alone does not read the event.
// Source: Linux: fs/eventpoll.c:SYSCALL_DEFINE4(epoll_ctl). Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, 0, 99, -1};
    struct epoll_event *unmapped = mmap(NULL, 4096, PROT_NONE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct epoll_event *bad[] = {NULL, unmapped,
                                 (struct epoll_event *)0xffff800000000000};
    CHECK(unmapped != MAP_FAILED);
    for (unsigned b = 0; b < 3; b++)
        for (unsigned op = 0; op < 5; op++) {
            CHECK_ERR(epoll_ctl(epfd, ops[op], e, bad[b]), EFAULT);
            CHECK_ERR(epoll_ctl(-1, ops[op], e, bad[b]), EFAULT);
            CHECK_ERR(epoll_ctl(epfd, ops[op], -1, bad[b]), EFAULT);
            CHECK_ERR(epoll_ctl(e, ops[op], e, bad[b]), EFAULT);
        }
    // None of these calls has added anything.
    CHECK_ERR(ep_del(epfd, e), ENOENT);
    // The same for an item that exists.
    OK(ep_add(epfd, e, EPOLLIN));
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_ADD, e, unmapped), EFAULT);
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_MOD, e, NULL), EFAULT);
    OK(munmap(unmapped, 4096));
    OK(close(e));
    OK(close(epfd));
}
