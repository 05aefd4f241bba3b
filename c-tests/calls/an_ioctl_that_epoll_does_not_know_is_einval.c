// An ioctl that an epoll descriptor does not know is EINVAL, since it knows
// some (Linux 6.9); before that it knew none and said ENOTTY.
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
