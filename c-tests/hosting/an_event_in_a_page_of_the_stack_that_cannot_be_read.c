// The program has made a page of the thread's own stack inaccessible. An event
// in that page, or a buffer for one, is EFAULT. Preloaded, the access faults if
// the page could be used before: once a thread has found its stack readable,
// the library does not check again.
// Source: epoll_ctl(2), epoll_wait(2), EFAULT. Contract: 3
#include "harness.h"

enum { PAGE = 4096 };

// Runs deeper in the stack than the page.
__attribute__((noinline)) static void use(int epfd, int fd, char *page, int how)
{
    struct epoll_event *event = (struct epoll_event *)(page + 64);
    struct epoll_event own = {.events = EPOLLIN};
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &own));
    event->events = EPOLLIN;
    OK(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event));
    CHECK_EQ(epoll_wait(epfd, event, 1, 0), 1);
    OK(mprotect(page, PAGE, how == 2 ? PROT_READ : PROT_NONE));
    if (how == 0)
        CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event), EFAULT);
    else
        CHECK_ERR(epoll_wait(epfd, event, 1, 0), EFAULT);
    OK(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
}

static void test(void)
{
    for (int how = 0; how < 3; how++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            char room[4 * PAGE];
            char *page = (char *)(((uintptr_t)room + PAGE - 1) & -(uintptr_t)PAGE) + PAGE;
            struct rlimit none = {0, 0};
            int epfd = ep_new(), e = event_fd();
            OK(setrlimit(RLIMIT_CORE, &none));
            memset(room, 0, sizeof room);
            bump(e, 1);
            use(epfd, e, page, how);
            _exit(0);
        }
        if (emulated()) {
            int status;
            CHECK_EQ(waitpid(pid, &status, 0), pid);
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        } else
            child_must_pass(pid);
    }
}
