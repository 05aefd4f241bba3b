// Several processes, each with a set of its own, watch one inherited socket
// with EPOLLEXCLUSIVE. The kernel wakes one of the sleeping processes.
// Preloaded, each process knows only its own items, so all are woken.
// Contract: 16
#include "harness.h"

enum { PROCESSES = 4 };

// Waits once, and reports that an event came.
static void watcher(int listener, int ready)
{
    int epfd = ep_new();
    OK(ep_add(epfd, listener, EPOLLIN | EPOLLEXCLUSIVE));
    put(ready, "r");
    struct epoll_event ev;
    CHECK_EQ(epoll_wait(epfd, &ev, 1, -1), 1);
    put(ready, "w");
    _exit(0);
}

static void test(void)
{
    struct sockaddr_in at;
    int listener = tcp_listener(&at), ready[2], status, woken = emulated() ? PROCESSES : 1;
    pid_t pid[PROCESSES];
    char byte;
    OK(pipe(ready));
    for (int i = 0; i < PROCESSES; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0)
            watcher(listener, ready[1]);
    }
    for (int i = 0; i < PROCESSES; i++)
        CHECK_EQ(read(ready[0], &byte, 1), 1);
    for (int i = 0; i < PROCESSES; i++)
        until_asleep(pid[i]);
    int client = tcp_connect(&at);
    for (int i = 0; i < woken; i++)
        CHECK_EQ(read(ready[0], &byte, 1), 1);
    // If another process woke, it would soon say so.
    struct pollfd more = {ready[0], POLLIN, 0};
    CHECK_EQ(poll(&more, 1, 5 * QUIET_MS), 0);
    for (int i = 0; i < PROCESSES; i++)
        OK(kill(pid[i], SIGKILL));
    for (int i = 0; i < PROCESSES; i++)
        CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
    OK(close(client));
    OK(close(listener));
    close_pair(ready);
}
