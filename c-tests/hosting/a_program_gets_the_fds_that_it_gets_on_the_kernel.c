// A program has a set, and a thread that sleeps in a wait on it. The program
// gets the lowest free fds, as many as its limit allows, and also each fd that
// it asks for by number. The thread sleeps on, and wakes for an event.
// Source: open(2), fcntl(2), getrlimit(2). Contract: 40
#include "harness.h"
#include <sys/resource.h>

enum { MANY = 6000 };

static int fd[MANY];
static bool inherited[MANY + 2];

static void test(void)
{
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < MANY + 100)
        SKIP("the hard limit of descriptors is below %d", MANY + 100);
    for (int i = 0; i < LEAK_LIMIT; i++)
        inherited[i] = fcntl(i, F_GETFD) != -1;
    for (int raised = 0; raised < 2; raised++) {
        limit.rlim_cur = raised ? MANY + 100 : 1024;
        OK(setrlimit(RLIMIT_NOFILE, &limit));
        int most = raised ? MANY : 1000, epfd = ep_new(), s[2];
        struct waiter w;
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN));
        waiter_block(&w, epfd);
        // The program asks for fds in the range where the library may have its
        // own.
        for (int want = 900; want < (raised ? 2100 : 1024); want++) {
            int first = OK(fcntl(s[1], F_DUPFD, want));
            CHECK_EQ(first, want);
            OK(close(first));
            CHECK_EQ(OK(dup2(s[1], want)), want);
            OK(close(want));
        }
        int count = 0, next = s[1];
        for (; next < most; count += 2) {
            if (count / 2 % 2)
                pipe_pair(&fd[count]);
            else
                unix_stream(&fd[count]);
            for (int i = 0; i < 2; i++) {
                do
                    next++;
                while (inherited[next]);
                CHECK_EQ(fd[count + i], next);
            }
        }
        CHECK(!w.done);
        bump(s[1], 1);
        waiter_join_with(&w, s[0], EPOLLIN);
        // A set works among these fds: the very last fd is watched.
        OK(ep_add(epfd, fd[count - 2], EPOLLIN | EPOLLET));
        drain(s[0]);
        bump(fd[count - 1], 1);
        EXPECT_ONE(epfd, fd[count - 2], EPOLLIN);
        for (int i = 0; i < count; i++)
            OK(close(fd[i]));
        close_pair(s);
        OK(close(epfd));
    }
}
