// A thread with the smallest possible stack (16 KiB) can make every call. Each
// call is made in a new thread with an inaccessible page below its stack.
// Source: the kernel needs none of it; musl's threads have little more
// Contract: none: a library must live with it
#include "harness.h"
#include <spawn.h>

enum { STACK = 16384, PAGE = 4096 };

static int ep, outer, in[2], sock[2], ev;

static void create(void)
{
    OK(ep = epoll_create1(0));
    OK(outer = epoll_create1(0));
}

static void add(void)
{
    OK(ep_add(ep, in[0], EPOLLIN | EPOLLET));
    OK(ep_add(ep, sock[0], EPOLLIN | EPOLLOUT | EPOLLET));
    OK(ep_add(ep, ev, EPOLLIN));
    OK(ep_add(outer, ep, EPOLLIN));
}

static void duplicate(void)
{
    int copy = dup(sock[0]);
    OK(ep_add(ep, copy, EPOLLIN));
    OK(ep_mod(ep, copy, EPOLLOUT));
    OK(ep_del(ep, copy));
    OK(dup2(ev, copy));
    OK(close(copy));
}

static void write_all(void)
{
    uint64_t one = 1;
    OK(write(in[1], "x", 1));
    OK(write(sock[1], "x", 1));
    OK(write(ev, &one, 8));
}

static void wait_now(void)
{
    struct epoll_event got[8];
    CHECK(epoll_wait(ep, got, 8, 0) >= 0);
    CHECK(epoll_wait(outer, got, 8, 0) >= 0);
}

static void wait_asleep(void)
{
    struct epoll_event got[8];
    sigset_t none;
    struct timespec time = {.tv_nsec = 5000000};
    sigemptyset(&none);
    CHECK(epoll_pwait(outer, got, 8, 5, &none) >= 0);
    CHECK(epoll_pwait2(ep, got, 8, &time, &none) >= 0);
    CHECK(syscall(SYS_epoll_pwait, ep, got, 8, 5, NULL, 8) >= 0);
}

static void poll_it(void)
{
    struct pollfd one = {.fd = ep, .events = POLLIN};
    struct timeval time = {.tv_usec = 5000};
    fd_set set;
    CHECK(poll(&one, 1, 5) >= 0);
    FD_ZERO(&set);
    FD_SET(ep, &set);
    CHECK(select(ep + 1, &set, NULL, NULL, &time) >= 0);
}

static void read_all(void)
{
    char bytes[64];
    OK(read(in[0], bytes, 1));
    OK(recv(sock[0], bytes, sizeof bytes, 0));
    OK(read(ev, bytes, 8));
}

static void close_ranges(void)
{
    OK(dup2(ev, 900));
    OK(close_range(890, 910, 0));
    closefrom(800);
}

static void fork_one(void)
{
    pid_t child = fork();
    if (child == 0) {
        struct epoll_event got[8];
        epoll_wait(ep, got, 8, 0);
        _exit(0);
    }
    OK(waitpid(child, NULL, 0));
}

extern char **environ;

static void execute(void)
{
    char *const argv[] = {"true", NULL};
    pid_t child;
    CHECK(execv("/nonexistent/true", argv) == -1);
    CHECK(execl("/nonexistent/true", "true", (char *)NULL) == -1);
    CHECK(execlp("/nonexistent/true", "true", (char *)NULL) == -1);
    CHECK(posix_spawnp(&child, "true", NULL, NULL, argv, environ) == 0);
    OK(waitpid(child, NULL, 0));
}

static void handler(int signo)
{
    struct epoll_event got[8];
    (void)signo;
    epoll_wait(ep, got, 8, 0);
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = handler};
    OK(sigaction(SIGUSR1, &action, NULL));
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
}

static void close_all(void)
{
    OK(close(in[0]));
    OK(close(sock[0]));
    OK(close(ep));
    OK(close(outer));
}

static void (*const calls[])(void) = {create,      add,      duplicate,    write_all, wait_now, wait_asleep, poll_it,
                                      write_all,   read_all, close_ranges, fork_one,  execute,  signals,     write_all,
                                      wait_asleep, close_all};

static void *run(void *call)
{
    (*(void (*const *)(void))call)();
    return NULL;
}

static void test(void)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size_t size = least > STACK ? (size_t)least : STACK;
    OK(pipe2(in, O_NONBLOCK));
    unix_stream(sock);
    ev = event_fd();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char *stack = mmap(NULL, PAGE + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pthread_attr_t attr;
        pthread_t thread;
        CHECK(stack != MAP_FAILED);
        OK(mprotect(stack, PAGE, PROT_NONE));
        CHECK(pthread_attr_init(&attr) == 0);
        CHECK(pthread_attr_setstack(&attr, stack + PAGE, size) == 0);
        CHECK(pthread_create(&thread, &attr, run, (void *)&calls[i]) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        OK(munmap(stack, PAGE + size));
    }
    OK(close(in[1]));
    OK(close(sock[1]));
    OK(close(ev));
}
