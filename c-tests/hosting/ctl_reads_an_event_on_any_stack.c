// The event may lie anywhere on the calling thread's stack, also at its very
// top, on a stack that the program made, and in thread-local memory. Beyond the
// end of a stack it is EFAULT. The same holds for the buffer of a wait.
// Source: epoll_ctl(2), EFAULT; Linux: copy_from_user. Contract: 3, 5
#include "harness.h"
#include <ucontext.h>

enum { STACK = 256 << 10, PAGE = 4096 };
static _Thread_local struct epoll_event local;
static int epfd, fd[2];
static ucontext_t back, coroutine;
static char *guard; // the first bytes that cannot be read

static void try(struct epoll_event *event)
{
    struct epoll_event got[2];
    event->events = EPOLLOUT;
    event->data.u64 = 0x123456789abcdef0;
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], event));
    CHECK_EQ(epoll_wait(epfd, got, 2, 0), 1);
    CHECK_EVENT(got[0], 0x123456789abcdef0, EPOLLOUT);
    event->data.u64 = 7;
    OK(epoll_ctl(epfd, EPOLL_CTL_MOD, fd[0], event));
    memset(event, 0, sizeof *event);
    CHECK_EQ(epoll_wait(epfd, event, 1, 0), 1);
    CHECK_EVENT(*event, 7, EPOLLOUT);
    OK(epoll_ctl(epfd, EPOLL_CTL_DEL, fd[0], NULL));
}

static void bad(void *at)
{
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], at), EFAULT);
    struct epoll_event event = {EPOLLOUT, {.u64 = 1}};
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], &event));
    CHECK_ERR(epoll_wait(epfd, at, 1, 0), EFAULT);
    EXPECT_ONE(epfd, 1, EPOLLOUT);
    OK(epoll_ctl(epfd, EPOLL_CTL_DEL, fd[0], NULL));
}

__attribute__((noinline)) static void deep(int levels)
{
    struct epoll_event events[250]; // nearly a page
    try(&events[0]);
    if (levels > 0)
        deep(levels - 1);
    try(&events[249]);
}

static void all(void)
{
    struct epoll_event event;
    try(&event);
    try(&local);
    deep(60);
    try(&event);
    bad(NULL);
    bad((void *)8);
    bad((char *)-1 - sizeof event);
    if (guard) {
        bad(guard);
        bad(guard - 4);
        try((struct epoll_event *)(guard - sizeof event));
    }
}

static void in_coroutine(void)
{
    all();
    bad(guard - 5);
}

static void *in_thread(void *top)
{
    all();
    if (top) // the top of this thread's stack, where glibc keeps its own data
        bad(top);
    return NULL;
}

// A stack with an unreadable page at each end.
static char *make_stack(void)
{
    char *low = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(low != MAP_FAILED);
    OK(mprotect(low + PAGE, STACK, PROT_READ | PROT_WRITE));
    return low + PAGE;
}

static void on_signal(int signo)
{
    (void)signo;
    all();
}

static void run_coroutine(char *stack)
{
    OK(getcontext(&coroutine));
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK - PAGE; // its last page holds the events
    coroutine.uc_link = &back;
    makecontext(&coroutine, in_coroutine, 0);
    guard = stack + STACK;
    OK(swapcontext(&back, &coroutine));
    guard = NULL;
}

static void *with_coroutine(void *stack)
{
    all();
    run_coroutine(stack);
    all();
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    char *stack = make_stack();
    epfd = ep_new();
    unix_stream(fd);
    all();
    run_coroutine(stack);
    all();
    CHECK_EQ(pthread_create(&thread, NULL, in_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, with_coroutine, stack), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setstack(&attr, stack, STACK), 0);
    CHECK_EQ(pthread_create(&thread, &attr, in_thread, stack + STACK), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    stack_t alternate = {.ss_sp = stack, .ss_size = STACK}, none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    OK(sigaltstack(&alternate, NULL));
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(raise(SIGUSR1));
    OK(sigaltstack(&none, NULL));
    pid_t pid = fork_child();
    if (pid == 0) {
        all();
        run_coroutine(stack);
        _exit(0);
    }
    child_must_pass(pid);
    close_pair(fd);
    OK(close(epfd));
    OK(munmap(stack - PAGE, STACK + 2 * PAGE));
    pthread_attr_destroy(&attr);
}
