// The writer of a FIFO has gone. If another writer writes and leaves, this is
// one more edge; if it writes nothing, there is no edge.
// Source: Linux: fs/pipe.c:pipe_write, pipe_release. Contract: 24
#include "harness.h"

static void write_and_go(const char *path, const char *text)
{
    int fd = OK(open(path, O_WRONLY | O_NONBLOCK));
    if (*text)
        put(fd, text);
    OK(close(fd));
}

static void test(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/hung_up_fifo.%d", getpid());
    OK(mkfifo(path, 0600));
    for (int drained = 0; drained < 4; drained++)
        for (int left = 0; left < 2; left++) {
            int epfd = ep_new(), fd = OK(open(path, O_RDONLY | O_NONBLOCK));
            char byte;
            OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
            int writer = OK(open(path, O_WRONLY | O_NONBLOCK));
            for (int n = 0; n < drained; n++) {
                put(writer, "x");
                EXPECT_ONE(epfd, fd, EPOLLIN);
                CHECK_EQ(drain(fd), 1);
            }
            put(writer, "a");
            OK(close(writer));
            for (int n = 0; n < 3; n++) {
                EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLHUP);
                if (left)
                    CHECK_EQ(read(fd, &byte, 1), 1);
                else
                    CHECK_EQ(drain(fd), 1);
                if (n == 1)
                    EXPECT_NOTHING_NOW(epfd);
                write_and_go(path, "a");
            }
            EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLHUP);
            EXPECT_NOTHING_NOW(epfd);
            OK(close(fd));
            OK(close(epfd));
        }
    OK(unlink(path));
}
