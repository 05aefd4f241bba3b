// What every test program shares: checks, file makers, waiters, and a main()
// that fails a test which leaked a descriptor.
//
// A program defines test() and nothing else. Exit codes: 0 pass, 1 fail,
// 77 skip. There is no alarm in here, because a signal would be part of what
// many tests are about: the runner is the watchdog.
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

static void test(void);
static char **test_argv; // for programs that exec themselves again

enum {
    WAIT_MS = 120000,  // a hang: longer than anything takes, on however busy a machine
    QUIET_MS = 60,     // how long "nothing happens" is watched
    LEAK_LIMIT = 1024, // descriptors below this are compared
};

// _exit, so that a failing child of fork does not flush its parent's buffers.
#define FAIL(...)                                                              \
    do {                                                                       \
        dprintf(2, "%s:%d: ", __FILE__, __LINE__);                             \
        dprintf(2, __VA_ARGS__);                                               \
        dprintf(2, "\n");                                                      \
        _exit(1);                                                              \
    } while (0)

#define SKIP(...)                                                              \
    do {                                                                       \
        dprintf(2, "skip: ");                                                  \
        dprintf(2, __VA_ARGS__);                                               \
        dprintf(2, "\n");                                                      \
        _exit(77);                                                             \
    } while (0)

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond))                                                           \
            FAIL("%s is false (errno %s)", #cond, strerrorname_np(errno));     \
    } while (0)

#define CHECK_EQ(actual, expected)                                             \
    do {                                                                       \
        long long a_ = (long long)(actual), e_ = (long long)(expected);        \
        int err_ = errno;                                                      \
        if (a_ != e_)                                                          \
            FAIL("%s is %lld (%#llx), expected %s = %lld (%#llx), errno %s",   \
                 #actual, a_, a_, #expected, e_, e_, strerrorname_np(err_));   \
    } while (0)

#define CHECK_ERR(call, error)                                                 \
    do {                                                                       \
        errno = 0;                                                             \
        long r_ = (long)(call);                                                \
        int err_ = errno;                                                      \
        if (r_ != -1 || err_ != (error))                                       \
            FAIL("%s returned %ld errno %s, expected -1 %s", #call, r_,        \
                 strerrorname_np(err_), strerrorname_np(error));               \
    } while (0)

// The value of a call that must not fail.
#define OK(call)                                                               \
    ({                                                                         \
        long r_ = (long)(call);                                                \
        if (r_ == -1)                                                          \
            FAIL("%s failed: %s", #call, strerrorname_np(errno));              \
        r_;                                                                    \
    })

#define CHECK_EVENT(event, value, mask)                                        \
    do {                                                                       \
        struct epoll_event e__ = (event);                                      \
        CHECK_EQ((uint32_t)e__.events, (uint32_t)(mask));                      \
        CHECK_EQ(e__.data.u64, (uint64_t)(value));                             \
    } while (0)

// Exactly one event comes, now or soon, with this value and this mask.
#define EXPECT_ONE(epfd, value, mask)                                          \
    do {                                                                       \
        struct epoll_event ev_[8];                                             \
        CHECK_EQ(epoll_wait((epfd), ev_, 8, WAIT_MS), 1);                      \
        CHECK_EVENT(ev_[0], value, mask);                                      \
    } while (0)

#define EXPECT_NOTHING_NOW(epfd) expect_nothing(__LINE__, epfd, 0)
#define EXPECT_NOTHING(epfd) expect_nothing(__LINE__, epfd, QUIET_MS)

static inline void expect_nothing(int line, int epfd, int timeout)
{
    struct epoll_event ev[8];
    int n = epoll_wait(epfd, ev, 8, timeout);
    if (n != 0)
        FAIL("line %d: wait returned %d (errno %s), expected 0; first events %#x",
             line, n, strerrorname_np(errno), n > 0 ? ev[0].events : 0);
}

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// Restarted after a signal, so a test's handlers don't shorten it.
static inline void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
}

// For the few tests that pin what happens where glasspoll cannot do as the
// kernel does: each is also run on the kernel, and says there what that does.
static inline bool preloaded(void)
{
    const char *libraries = getenv("LD_PRELOAD");
    return libraries && strstr(libraries, "glasspoll");
}

// Waits for a condition another thread brings about.
#define UNTIL(cond)                                                            \
    do {                                                                       \
        int64_t end_ = now_ns() + WAIT_MS * 1000000LL;                         \
        while (!(cond)) {                                                      \
            if (now_ns() > end_)                                               \
                FAIL("still not true after %d s: %s", WAIT_MS / 1000, #cond);  \
            sleep_ms(1);                                                       \
        }                                                                      \
    } while (0)

static inline int ep_new(void) { return OK(epoll_create1(EPOLL_CLOEXEC)); }

static inline int ep_ctl(int epfd, int op, int fd, uint32_t events,
                         uint64_t value)
{
    struct epoll_event ev = {.events = events, .data.u64 = value};
    return epoll_ctl(epfd, op, fd, &ev);
}

static inline int ep_add(int epfd, int fd, uint32_t events)
{
    return ep_ctl(epfd, EPOLL_CTL_ADD, fd, events, fd);
}

static inline int ep_mod(int epfd, int fd, uint32_t events)
{
    return ep_ctl(epfd, EPOLL_CTL_MOD, fd, events, fd);
}

static inline int ep_del(int epfd, int fd)
{
    return epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
}

static inline int wait_events(int epfd, struct epoll_event *ev, int max,
                              int timeout)
{
    return OK(epoll_wait(epfd, ev, max, timeout));
}

static inline void unix_stream(int fd[2])
{
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
}

static inline void pipe_pair(int fd[2]) { OK(pipe2(fd, O_NONBLOCK)); }

static inline void close_pair(int fd[2])
{
    OK(close(fd[0]));
    OK(close(fd[1]));
}

static inline struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// Binds to a port the kernel picks and returns the address.
static inline struct sockaddr_in bind_loopback(int fd)
{
    struct sockaddr_in at = loopback();
    socklen_t len = sizeof at;
    OK(bind(fd, (struct sockaddr *)&at, sizeof at));
    OK(getsockname(fd, (struct sockaddr *)&at, &len));
    return at;
}

// Accepted sockets inherit TCP_NODELAY.
static inline int tcp_listener(struct sockaddr_in *at)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), one = 1;
    OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    *at = bind_loopback(fd);
    OK(listen(fd, 64));
    return fd;
}

static inline int tcp_connect(const struct sockaddr_in *at)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
    OK(connect(fd, (const struct sockaddr *)at, sizeof *at));
    OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    return fd;
}

static inline int accept_one(int listener)
{
    struct pollfd p = {listener, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    return OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
}

// fd[0] has connected, fd[1] was accepted.
static inline void tcp_pair(int fd[2])
{
    struct sockaddr_in at;
    int listener = tcp_listener(&at);
    fd[0] = tcp_connect(&at);
    fd[1] = accept_one(listener);
    OK(close(listener));
}

static inline void udp_pair(int fd[2])
{
    struct sockaddr_in at[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
        at[i] = bind_loopback(fd[i]);
    }
    for (int i = 0; i < 2; i++)
        OK(connect(fd[i], (struct sockaddr *)&at[!i], sizeof at[0]));
}

// fd[0] is the master, fd[1] the slave in raw mode.
static inline void pty_pair(int fd[2])
{
    struct termios mode;
    fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd[0] < 0)
        SKIP("no pty: %s", strerrorname_np(errno));
    OK(grantpt(fd[0]));
    OK(unlockpt(fd[0]));
    fd[1] = OK(open(ptsname(fd[0]), O_RDWR | O_NOCTTY | O_NONBLOCK));
    OK(tcgetattr(fd[1], &mode));
    cfmakeraw(&mode);
    OK(tcsetattr(fd[1], TCSANOW, &mode));
}

static inline int event_fd(void) { return OK(eventfd(0, EFD_NONBLOCK)); }

static inline void put(int fd, const char *text)
{
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

static inline void bump(int eventfd, uint64_t by)
{
    CHECK_EQ(write(eventfd, &by, sizeof by), sizeof by);
}

// Reads to EAGAIN or the end; returns how much there was.
static inline long drain(int fd)
{
    static _Thread_local char buf[65536];
    long n, total = 0;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        total += n;
    CHECK(n == 0 || errno == EAGAIN);
    return total;
}

// Writes to EAGAIN; returns how much fitted.
static inline long fill(int fd)
{
    static char buf[65536];
    long n, total = 0;
    for (size_t size = sizeof buf; size; size = size > 1 ? size / 8 : 0)
        while ((n = write(fd, buf, size)) > 0)
            total += n;
    CHECK_EQ(errno, EAGAIN);
    return total;
}

// Reads until `total` bytes have come, however late.
static inline void drain_exactly(int fd, long total)
{
    while (total > 0) {
        struct pollfd p = {fd, POLLIN, 0};
        CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
        total -= drain(fd);
    }
    CHECK_EQ(total, 0);
}

// Has `fd` got all these poll bits within the time? For states that arrive
// asynchronously, such as what a TCP peer did.
static inline void until_polls(int fd, short bits)
{
    struct pollfd p = {fd, bits, 0};
    UNTIL(poll(&p, 1, 0) >= 0 && (p.revents & bits) == bits);
}

// A child that cannot outlive a failed test.
static inline pid_t fork_child(void)
{
    pid_t parent = getpid(), pid = OK(fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static inline void child_must_pass(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQ(errno, EINTR);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        FAIL("child ended with wait status %#x", status);
}

static inline bool is_asleep(pid_t tid)
{
    char path[64], text[512], *after_name;
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    after_name = strrchr(text, ')');
    return after_name && after_name[2] == 'S';
}

// The thread has been sleeping in a row of looks, so it waits in the kernel
// for something rather than passing through a short lock.
static inline void until_asleep(pid_t tid)
{
    int64_t end = now_ns() + WAIT_MS * 1000000LL;
    for (int seen = 0; seen < 4; sleep_ms(1)) {
        seen = is_asleep(tid) ? seen + 1 : 0;
        if (now_ns() > end)
            FAIL("thread %d never went to sleep", tid);
    }
}

// A thread that makes one epoll_wait.
struct waiter {
    pthread_t thread;
    _Atomic pid_t tid; // set right before the wait
    _Atomic bool done;
    int epfd, timeout;
    int n, error;
    struct epoll_event ev[8];
};

static inline void *waiter_main(void *arg)
{
    struct waiter *w = arg;
    w->tid = gettid();
    w->n = epoll_wait(w->epfd, w->ev, 8, w->timeout);
    w->error = errno;
    w->done = true;
    return NULL;
}

static inline void waiter_start(struct waiter *w, int epfd)
{
    memset(w, 0, sizeof *w);
    w->epfd = epfd;
    w->timeout = -1;
    CHECK_EQ(pthread_create(&w->thread, NULL, waiter_main, w), 0);
}

// Returns once the waiter sleeps in its wait.
static inline void waiter_block(struct waiter *w, int epfd)
{
    waiter_start(w, epfd);
    UNTIL(w->tid != 0);
    until_asleep(w->tid);
    CHECK(!w->done);
}

static inline void waiter_join(struct waiter *w)
{
    UNTIL(w->done);
    CHECK_EQ(pthread_join(w->thread, NULL), 0);
}

static inline void waiter_join_with(struct waiter *w, uint64_t value,
                                    uint32_t mask)
{
    waiter_join(w);
    CHECK_EQ(w->n, 1);
    CHECK_EVENT(w->ev[0], value, mask);
}

static inline int waiters_done(struct waiter *w, int count)
{
    int done = 0;
    for (int i = 0; i < count; i++)
        done += w[i].done;
    return done;
}

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
