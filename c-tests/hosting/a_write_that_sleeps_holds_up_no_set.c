// A write that does not fit into a blocking eventfd sleeps, but no set is held
// up: a waiter sees what there is to read, and its read lets the write go on.
#include "harness.h"

static int fd;

static void *writer(void *arg)
{
    uint64_t most = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &most, 8), 8);
    return arg;
}

static void test(void)
{
    int epfd = ep_new();
    pthread_t thread;
    uint64_t count;
    fd = OK(eventfd(1, EFD_CLOEXEC));
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    CHECK_EQ(pthread_create(&thread, NULL, writer, NULL), 0);
    sleep_ms(50);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    pthread_join(thread, NULL);
    EXPECT_ONE(epfd, fd, EPOLLIN);
    OK(close(fd));
    OK(close(epfd));
}
