// clone(2) makes a child with the same fd table. An eventfd was reported here and not read. The child reads it to the
// end and writes to it later: the waiter here wakes. The same holds for an eventfd that is made after the child.
// Source: clone(2), CLONE_FILES; Linux: fs/eventfd.c:eventfd_write. Contract: 20, 36
#include "harness.h"
#include "harness/looks.h"
#include <sched.h>

static int file, start[2];

static int child(void *unused)
{
    int handed;
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CHECK_EQ(read(start[0], &handed, sizeof handed), sizeof handed);
    long before = sleeps_of(getppid());
    CHECK_EQ(drain(handed), 8);
    await_a_look(getppid(), before);
    bump(handed, 1);
    _exit(0);
}

static void *starts_one(void *flags)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    OK(clone(child, stack + sizeof stack, (int)(intptr_t)flags | CLONE_FILES | SIGCHLD, NULL));
    return NULL;
}

static void one(int flags, bool made_after)
{
    OK(pipe(start));
    int epfd = ep_new();
    if (!made_after)
        file = event_fd();
    pthread_t thread;
    if (!(flags & CLONE_VFORK))
        starts_one((void *)(intptr_t)flags);
    if (made_after)
        file = event_fd();
    OK(ep_add(epfd, file, EPOLLIN | EPOLLET));
    bump(file, 1);
    EXPECT_ONE(epfd, file, EPOLLIN);
    if (flags & CLONE_VFORK)
        CHECK_EQ(pthread_create(&thread, NULL, starts_one, (void *)(intptr_t)flags), 0);
    CHECK_EQ(write(start[1], &file, sizeof file), sizeof file);
    struct epoll_event ev[1];
    if (epoll_wait(epfd, ev, 1, WAIT_MS) != 1)
        FAIL("flags %#x, %s the child: its write was missed", flags, made_after ? "after" : "before");
    if (flags & CLONE_VFORK)
        CHECK_EQ(pthread_join(thread, NULL), 0);
    child_must_pass(-1);
    OK(close(file));
    OK(close(start[0]));
    OK(close(start[1]));
    OK(close(epfd));
}

static void test(void)
{
    struct {
        int flags;
        bool made_after;
    } ways[] = {{0, false}, {0, true}, {CLONE_VM | CLONE_VFORK, false}};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        // Each case runs in a process that has made no child before.
        pid_t pid = fork_child();
        if (pid == 0) {
            one(ways[way].flags, ways[way].made_after);
            exit(0);
        }
        child_must_pass(pid);
    }
}
