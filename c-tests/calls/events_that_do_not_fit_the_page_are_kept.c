// If the buffer runs into memory that cannot be written, the wait returns the
// events before that point. The event that could not be stored comes with the
// next wait.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 5
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e[3];
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct epoll_event *two = (void *)(page + 4096 - 2 * sizeof *two);
    CHECK(page != MAP_FAILED);
    OK(mprotect(page + 4096, 4096, PROT_NONE));
    for (int i = 0; i < 3; i++) {
        e[i] = event_fd();
        OK(ep_add(epfd, e[i], EPOLLIN | EPOLLET));
        bump(e[i], 1);
    }
    CHECK_EQ(epoll_wait(epfd, two, 3, 0), 2);
    CHECK_EVENT(two[0], e[0], EPOLLIN);
    CHECK_EVENT(two[1], e[1], EPOLLIN);
    EXPECT_ONE(epfd, e[2], EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    for (int i = 0; i < 3; i++)
        OK(close(e[i]));
    OK(munmap(page, 8192));
    OK(close(epfd));
}
