// epoll_ctl only reads the event: it may lie in read-only memory, at an odd
// address, and at the very end of a page.
// Source: Linux: fs/eventpoll.c:SYSCALL_DEFINE4(epoll_ctl). Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = 77};
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    memcpy(page + 1, &ev, sizeof ev);
    memcpy(page + 4096 - sizeof ev, &ev, sizeof ev);
    OK(mprotect(page, 4096, PROT_READ));
    OK(mprotect(page + 4096, 4096, PROT_NONE));

    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, e, (void *)(page + 1)));
    EXPECT_ONE(epfd, 77, EPOLLOUT);
    OK(epoll_ctl(epfd, EPOLL_CTL_MOD, e, (void *)(page + 4096 - sizeof ev)));
    EXPECT_ONE(epfd, 77, EPOLLOUT);
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_MOD, e,
                        (void *)(page + 4096 - sizeof ev + 1)), EFAULT);
    OK(munmap(page, 8192));
    OK(close(e));
    OK(close(epfd));
}
