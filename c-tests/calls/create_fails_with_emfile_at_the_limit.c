// At RLIMIT_NOFILE epoll_create fails with EMFILE. Once an fd is free it works
// again.
// Source: epoll_create(2). Contract: 1
#include "harness.h"

static void test(void)
{
    struct rlimit was, now;
    int epfd[2], low = OK(dup(0));
    OK(close(low));
    OK(getrlimit(RLIMIT_NOFILE, &was));
    now = was;
    now.rlim_cur = low + 2;
    OK(setrlimit(RLIMIT_NOFILE, &now));

    epfd[0] = OK(epoll_create1(0));
    epfd[1] = OK(epoll_create(1));
    CHECK_ERR(epoll_create1(0), EMFILE);
    CHECK_ERR(epoll_create(1), EMFILE);
    CHECK_ERR(epoll_create1(1), EINVAL); // the arguments are checked first
    OK(close(epfd[0]));
    CHECK_EQ(epoll_create1(EPOLL_CLOEXEC), epfd[0]);
    CHECK_ERR(epoll_create1(EPOLL_CLOEXEC), EMFILE);

    close_pair(epfd);
    OK(setrlimit(RLIMIT_NOFILE, &was));
}
