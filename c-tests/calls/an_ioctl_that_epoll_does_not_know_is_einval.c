// From Linux 6.9 on an epoll fd knows some ioctls, and any other ioctl is
// EINVAL. Before that it knows no ioctl and says ENOTTY.
#include "harness.h"
#include <sys/ioctl.h>

static void test(void)
{
    int epfd = ep_new(), event = event_fd(), amount;
    bool knows_some = ioctl(epfd, 0x80088a02 /* EPIOCGPARAMS */, &(uint64_t){0}) == 0;
    CHECK_ERR(ioctl(epfd, FIONREAD, &amount), knows_some ? EINVAL : ENOTTY);
    CHECK_ERR(ioctl(epfd, TIOCGWINSZ, &(struct winsize){0}), knows_some ? EINVAL : ENOTTY);
    CHECK_ERR(ioctl(event, FIONREAD, &amount), ENOTTY);
    OK(close(event));
    OK(close(epfd));
}
