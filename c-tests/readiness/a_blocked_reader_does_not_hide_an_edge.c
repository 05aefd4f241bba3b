// Another thread sleeps in read on a watched file. A write that leaves data
// over is still reported. Unix stream, TCP, pipe.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 19
#include "harness.h"

static _Atomic pid_t tid;

static void *reader(void *arg)
{
    char c;
    tid = gettid();
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    return NULL;
}

static void test(void)
{
    for (int kind = 0; kind < 3; kind++) {
        int epfd = ep_new(), fd[2];
        pthread_t thread;
        if (kind == 0)
            unix_stream(fd);
        else if (kind == 1)
            tcp_pair(fd);
        else
            pipe_pair(fd);
        OK(fcntl(fd[0], F_SETFL, 0));
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        for (int i = 0; i < 3; i++) {
            tid = 0;
            CHECK_EQ(pthread_create(&thread, NULL, reader, &fd[0]), 0);
            UNTIL(tid != 0);
            until_asleep(tid);
            put(fd[1], "ab");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(pthread_join(thread, NULL), 0);
            char c;
            CHECK_EQ(read(fd[0], &c, 1), 1);
            CHECK_EQ(c, 'b');
        }
        close_pair(fd);
        OK(close(epfd));
    }
}
