// What every test program shares: the headers in harness/, and a main() that
// fails a test that leaked an fd.
//
// A program defines test() and nothing else. Exit codes: 0 pass, 1 fail, 77
// skip. There is no alarm here, because its signal would disturb tests that are
// about signals: the runner is the watchdog.
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "harness/check.h"
#include "harness/clock.h"
#include "harness/data.h"
#include "harness/epoll_set.h"
#include "harness/files.h"
#include "harness/library.h"
#include "harness/process.h"
#include "harness/waiter.h"

static void test(void);
static char **test_argv; // for programs that exec themselves again

enum { LEAK_LIMIT = 1024 }; // fds below this are compared

static inline void open_fds(bool open[LEAK_LIMIT])
{
    for (int fd = 0; fd < LEAK_LIMIT; fd++)
        open[fd] = fcntl(fd, F_GETFD) != -1;
}

int main(int argc, char **argv)
{
    bool before[LEAK_LIMIT], after[LEAK_LIMIT];
    (void)argc;
    test_argv = argv;
    open_fds(before);
    test();
    open_fds(after);
    for (int fd = 0; fd < LEAK_LIMIT; fd++) {
        char link[32], target[256] = "?";
        if (before[fd] == after[fd])
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (after[fd] && readlink(link, target, sizeof target - 1) < 0)
            target[0] = 0;
        FAIL("fd %d was %s by the test: %s", fd, after[fd] ? "leaked" : "closed",
             target);
    }
    return 0;
}

#endif
