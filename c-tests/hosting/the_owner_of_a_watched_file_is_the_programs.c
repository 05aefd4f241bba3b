// FIOSETOWN and SIOCSPGRP, the older forms of F_SETOWN, direct a watched
// socket's signals to the program. The program then gets both SIGIO and the
// event. The owner reads back as it was set, and as 0 before that.
// Source: socket(7), ioctl; fcntl(2). Contract: 19
#include "harness.h"
#include <asm/sockios.h>
#include <sys/ioctl.h>

static _Atomic int signals;

static void on_sigio(int signo)
{
    (void)signo;
    signals++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};
    unsigned long set[] = {FIOSETOWN, SIOCSPGRP}, get[] = {FIOGETOWN, SIOCGPGRP};
    OK(sigaction(SIGIO, &action, NULL));
    for (int i = 0; i < 4; i++) {
        int epfd = ep_new(), s[2], on = 1, owner = -1, me = getpid();
        const uint32_t mask = EPOLLIN | (i % 2 ? EPOLLET : 0);
        tcp_pair(s);
        OK(ep_add(epfd, s[0], mask));
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(drain(s[0]), 1);
        OK(ioctl(s[0], get[i / 2], &owner));
        CHECK_EQ(owner, 0);
        signals = 0;
        OK(ioctl(s[0], set[i / 2], &me));
        OK(ioctl(s[0], FIOASYNC, &on));
        OK(ioctl(s[0], get[i / 2], &owner));
        CHECK_EQ(owner, me);
        for (int n = 1; n <= 3; n++) {
            put(s[1], "x");
            UNTIL(signals == n);
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_EQ(drain(s[0]), 1);
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(s);
        OK(close(epfd));
    }
}
