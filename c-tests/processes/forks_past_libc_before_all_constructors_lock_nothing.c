// A program forks without libc's fork before the constructor of any library runs. The child forks in the same way,
// makes a thread and uses a set.
// Source: _Fork(3), clone(2). Contract: 36
#include "harness.h"

static int status = -1;

static void *uses_a_set(void *unused)
{
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN));
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
    return unused;
}

static void before_all_constructors(void)
{
    pid_t child = _Fork();
    if (child == 0) {
        alarm(WAIT_MS / 1000); // the runner does not see a hang of this process
        pid_t grandchild = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (grandchild == 0)
            _exit(0);
        int ended = -1;
        CHECK_EQ(waitpid(grandchild, &ended, 0), grandchild);
        CHECK_EQ(ended, 0);
        return; // and goes on into main
    }
    if (waitpid(child, &status, 0) != child)
        status = -1;
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = before_all_constructors;

static void test(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, uses_a_set, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    uses_a_set(NULL);
    pid_t pid = fork_child();
    if (pid == 0) {
        uses_a_set(NULL);
        _exit(0);
    }
    child_must_pass(pid);
    if (status != -1)
        CHECK_EQ(status, 0);
}
