// poll(2) with a list in read-only memory is EFAULT when the kernel stores its
// answer there.
// Linux: fs/select.c:do_sys_poll.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), event = event_fd();
    long page = sysconf(_SC_PAGESIZE);
    struct pollfd *fds = mmap(NULL, page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(fds != MAP_FAILED);
    bump(event, 1);
    OK(ep_add(epfd, event, EPOLLIN));
    fds[0] = (struct pollfd){epfd, POLLIN, 0};
    OK(mprotect(fds, page, PROT_READ));
    CHECK_ERR(poll(fds, 1, WAIT_MS), EFAULT);
    CHECK_ERR(ppoll(fds, 1, &(struct timespec){5, 0}, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_ppoll, fds, 1, NULL, NULL, 8), EFAULT);
    OK(mprotect(fds, page, PROT_READ | PROT_WRITE));
    CHECK_EQ(poll(fds, 1, WAIT_MS), 1);
    CHECK_EQ(fds[0].revents, POLLIN);
    CHECK_EQ(fds[0].events, POLLIN);
    CHECK_EQ(fds[0].fd, epfd);
    OK(munmap(fds, page));
    OK(close(event));
    OK(close(epfd));
}
