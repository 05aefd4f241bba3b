// A stopped process gets two signals at once when it is continued, so the frame of one handler lies on top of the
// other's.
#include "harness.h"

static volatile sig_atomic_t handled[2];

static void on_signal(int signal) { handled[signal == SIGUSR2]++; }

static void child(int epfd)
{
    sigset_t mask;
    for (int i = 0; i < 20 && !(handled[0] && handled[1]); i++) {
        struct epoll_event event;
        epoll_wait(epfd, &event, 1, 250);
    }
    CHECK_EQ(handled[0], 1);
    CHECK_EQ(handled[1], 1);
    OK(sigprocmask(SIG_SETMASK, NULL, &mask));
    CHECK(!sigismember(&mask, SIGUSR1));
    CHECK(!sigismember(&mask, SIGUSR2));
    _exit(0);
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    int epfd = ep_new(), status;
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(sigaction(SIGUSR2, &action, NULL));
    pid_t pid = fork_child();
    if (pid == 0)
        child(epfd);
    until_asleep(pid);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    OK(kill(pid, SIGUSR1));
    OK(kill(pid, SIGUSR2));
    OK(kill(pid, SIGCONT));
    child_must_pass(pid);
    OK(close(epfd));
}
