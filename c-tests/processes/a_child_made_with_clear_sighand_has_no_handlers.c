// clone3 with CLONE_CLEAR_SIGHAND makes a child, with its own memory or the
// parent's. In the child each signal that had a handler has the default, and an
// ignored signal stays ignored. The child can set handlers and use sets. The
// parent keeps its handlers.
// Source: clone(2); kernel/signal.c, flush_signal_handlers. Contract: 7, 36
#include "harness.h"
#include <linux/sched.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

static const int handled[] = {SIGUSR1, SIGIO, SIGURG, SIGCHLD, SIGSEGV};
static volatile sig_atomic_t mine, its;
static int epfd, s[2];

static void parents(int signal)
{
    mine = signal;
}

static void childs(int signal)
{
    its = signal;
}

static bool is(int signal, void (*handler)(int))
{
    struct sigaction now;
    return !sigaction(signal, NULL, &now) && now.sa_handler == handler &&
           (handler != SIG_DFL || !(now.sa_flags & SA_SIGINFO));
}

// The exit status of the child says what is wrong.
static int child(bool uses_sets)
{
    struct sigaction own = {.sa_handler = childs}, old;
    struct epoll_event ev;
    for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++) {
        int signal = handled[i];
        if (!is(signal, SIG_DFL))
            return 10 + i;
        if (sigaction(signal, &own, &old) || old.sa_handler != SIG_DFL || !is(signal, childs))
            return 20 + i;
        its = 0;
        if (kill(getpid(), signal) || its != signal)
            return 30 + i;
        own.sa_flags = SA_RESETHAND;
        if (sigaction(signal, &own, &old) || old.sa_handler != childs)
            return 40 + i;
        its = 0;
        if (kill(getpid(), signal) || its != signal || !is(signal, SIG_DFL))
            return 50 + i;
        own.sa_flags = 0;
    }
    if (!is(SIGUSR2, SIG_IGN) || kill(getpid(), SIGUSR2))
        return 2;
    if (!uses_sets)
        return 0;
    for (int i = 0; i < 2; i++) {
        int set = i ? epoll_create1(0) : epfd;
        ev = (struct epoll_event){.events = EPOLLIN};
        if (i && epoll_ctl(set, EPOLL_CTL_ADD, s[0], &ev))
            return 3;
        if (epoll_wait(set, &ev, 1, 0) != 0 || write(s[1], "x", 1) != 1)
            return 4;
        if (epoll_wait(set, &ev, 1, WAIT_MS) != 1 || read(s[0], &ev, sizeof ev) != 1)
            return 5;
        if (!is(SIGIO, SIG_DFL) || sigaction(SIGIO, &own, NULL) || !is(SIGIO, childs))
            return 6;
        its = 0;
        if (kill(getpid(), SIGIO) || its != SIGIO)
            return 7;
        own.sa_handler = SIG_DFL;
        if (sigaction(SIGIO, &own, NULL) || !is(SIGIO, SIG_DFL))
            return 8;
        own.sa_handler = childs;
    }
    return 0;
}

static long clone3_here(void)
{
    struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    return syscall(SYS_clone3, &args, sizeof args);
}

#ifdef __x86_64__
static void run(void)
{
    _exit(child(false));
}

// As posix_spawn makes its child: in the parent's memory, on its own stack.
static long clone3_in_this_memory(void)
{
    enum { STACK = 256 << 10 };
    static char stack[STACK] __attribute__((aligned(16)));
    struct clone_args args = {
        .flags = CLONE_CLEAR_SIGHAND | CLONE_VM | CLONE_VFORK,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = STACK,
    };
    long made;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "call *%[run]\n\t"
                     "1:"
                     : "=a"(made)
                     : "a"(SYS_clone3), "D"(&args), "S"(sizeof args), [run] "r"(run)
                     : "rcx", "r11", "memory");
    return made;
}
#endif

static void the_parent_keeps_its_own(void)
{
    for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++) {
        mine = 0;
        CHECK(is(handled[i], parents));
        OK(kill(getpid(), handled[i]));
        CHECK_EQ(mine, handled[i]);
    }
    CHECK(is(SIGUSR2, SIG_IGN));
}

static void both(bool uses_sets)
{
    for (int round = 0; round < 2; round++) {
        pid_t pid = clone3_here();
        if (pid == 0)
            _exit(child(uses_sets));
        child_must_pass(OK(pid));
        the_parent_keeps_its_own();
#ifdef __x86_64__
        child_must_pass(OK(clone3_in_this_memory()));
        the_parent_keeps_its_own();
#endif
    }
}

static void test(void)
{
    struct sigaction action = {.sa_handler = parents};
    struct clone_args none = {0};
    if (syscall(SYS_clone3, &none, 0) < 0 && errno == ENOSYS)
        SKIP("no clone3");
    for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++)
        OK(sigaction(handled[i], &action, NULL));
    OK(sigaction(SIGUSR2, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    both(false);
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    both(true);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    CHECK_EQ(drain(s[0]), 1);
    // The program ignores this signal. A library may still have a handler for
    // it in the kernel.
    OK(sigaction(SIGIO, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    pid_t pid = clone3_here();
    if (pid == 0)
        _exit(!is(SIGIO, SIG_IGN) || kill(getpid(), SIGIO) || !is(SIGIO, SIG_IGN));
    child_must_pass(OK(pid));
    CHECK(is(SIGIO, SIG_IGN));
    close_pair(s);
    OK(close(epfd));
}
