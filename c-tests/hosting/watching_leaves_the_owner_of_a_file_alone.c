// Watching a file gives it no owner for its signals, under its own fd or under
// any other fd of the same file.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), files[6];
    files[0] = event_fd();
    files[1] = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    pipe_pair(files + 2);
    unix_stream(files + 4);
    for (int i = 0; i < 6; i++) {
        int flags = OK(fcntl(files[i], F_GETFL));
        OK(ep_add(epfd, files[i], EPOLLIN));
        int other = OK(dup(files[i]));
        CHECK_EQ(fcntl(files[i], F_GETOWN), 0);
        CHECK_EQ(fcntl(other, F_GETOWN), 0);
        CHECK_EQ(fcntl(files[i], F_GETFL), flags);
        CHECK_EQ(fcntl(other, F_GETFL), flags);
        OK(close(other));
    }
    for (int i = 0; i < 6; i++)
        OK(close(files[i]));
    OK(close(epfd));
}
