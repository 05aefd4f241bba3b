// Sends with MSG_DONTWAIT, by each of the sending calls, fill a blocking
// socket. When it is drained, there is an OUT edge.
// Source: send(2), MSG_DONTWAIT. Contract: 19
#include "harness.h"

static long fill_with(int fd, int how)
{
    static char block[32768];
    struct iovec iov = {block, sizeof block};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};
    long total = 0, n;
    for (;;) {
        switch (how) {
        case 0: n = send(fd, block, sizeof block, MSG_DONTWAIT); break;
        case 1: n = sendto(fd, block, sizeof block, MSG_DONTWAIT, NULL, 0); break;
        case 2: n = sendmsg(fd, &message, MSG_DONTWAIT); break;
        default:
            n = sendmmsg(fd, &many, 1, MSG_DONTWAIT) == 1 ? (long)many.msg_len : -1;
        }
        if (n < 0)
            break;
        total += n;
    }
    CHECK_EQ(errno, EAGAIN);
    return total;
}

static void test(void)
{
    for (int tcp = 0; tcp < 2; tcp++)
        for (int how = 0; how < 4; how++) {
            int epfd = ep_new(), s[2];
            if (tcp)
                tcp_pair(s);
            else
                unix_stream(s);
            OK(fcntl(s[0], F_SETFL, 0));
            OK(ep_add(epfd, s[0], EPOLLOUT | EPOLLET));
            EXPECT_ONE(epfd, s[0], EPOLLOUT);
            drain_exactly(s[1], fill_with(s[0], how));
            EXPECT_ONE(epfd, s[0], EPOLLOUT);
            close_pair(s);
            OK(close(epfd));
        }
}
