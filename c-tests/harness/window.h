// Makes something happen while a thread is about to make any of its system
// calls. The calls of a preloaded library count too: other threads and
// processes may act between any two of them.
//
// seccomp(2) stops each call of the thread and notifies the first thread, which
// then lets the call go on. At the call with index `at`, the first thread first
// has a third thread run `arrive`. A test counts the index up from 0: it tries
// each gap between two calls. In the last try the thread is already asleep.
#ifndef WINDOW_H
#define WINDOW_H

#include "../harness.h"
#include "unseen.h"
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>

enum {
    ARRIVAL_MS = 10, // how long a call waits for the arrival, which may need a lock
    ASLEEP_MS = 5,   // after this time without a call the thread counts as asleep
};

static struct {
    int listener;
    _Atomic pid_t tid;       // of the thread whose calls are stopped
    _Atomic int count, at;   // its calls so far; the index of the call to hold up
    _Atomic bool counts;     // whether its calls are counted
    _Atomic bool sleeps;     // whether it may be in a call that only `arrive` ends
    _Atomic int asked, done; // arrivals
    _Atomic int call;        // the system call that was held up; -1: asleep
    _Atomic bool over;
    void (*arrive)(void);
} window;

static void *window_arrivals(void *unused)
{
    (void)unused;
    while (!window.over) {
        if (window.done < window.asked) {
            window.arrive();
            window.done++;
        }
        unseen(SYS_futex, (long)&window.asked, FUTEX_WAIT, window.done,
               (long)&(struct timespec){.tv_nsec = 50000000}, 0, 0);
    }
    return NULL;
}

// Asks for an arrival and waits for it, but not for ever: the arrival may need
// a lock that the stopped thread holds.
static void window_arrive(int call)
{
    int64_t end = now_ns() + ARRIVAL_MS * 1000000LL;
    int before = window.asked;
    window.call = call;
    window.asked = before + 1;
    unseen(SYS_futex, (long)&window.asked, FUTEX_WAKE, 1, 0, 0, 0);
    while (window.done == before && now_ns() < end)
        sched_yield();
}

// Lets the thread's calls go on until the test is over.
static void window_supervise(void)
{
    while (!window.over) {
        struct pollfd p = {window.listener, POLLIN, 0};
        if (poll(&p, 1, ASLEEP_MS) == 0) {
            if (window.sleeps && window.asked == 0)
                window_arrive(-1);
            continue;
        }
        struct seccomp_notif call = {0};
        if (ioctl(window.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
            continue;
        bool counts = window.counts && call.pid == (uint32_t)window.tid;
        if (counts && window.asked == 0 && window.count++ == window.at)
            window_arrive(call.data.nr);
        struct seccomp_notif_resp go_on = {
            .id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(window.listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
    }
}

// The calls that read and write, and other calls that a library may make.
static const int window_calls[] = {
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_ppoll,    SYS_epoll_pwait, SYS_epoll_pwait2, SYS_epoll_ctl,
    SYS_read,     SYS_readv,       SYS_preadv2,      SYS_recvfrom,
    SYS_recvmsg,  SYS_recvmmsg,    SYS_accept,       SYS_accept4,
    SYS_write,    SYS_writev,      SYS_pwritev2,     SYS_sendto,
    SYS_sendmsg,  SYS_sendmmsg,    SYS_sendfile,     SYS_splice,
    SYS_ioctl,    SYS_fcntl,       SYS_getsockopt,   SYS_fstat,
    SYS_newfstatat,
    SYS_mq_timedreceive, SYS_mq_timedsend, SYS_vmsplice,
};

// From now on each of these calls of this thread is stopped, and each of these
// calls of the threads that it makes.
static void window_begin(void)
{
    enum { COUNT = sizeof window_calls / sizeof *window_calls };
    struct sock_filter code[COUNT + 3];
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                           offsetof(struct seccomp_data, nr));
    for (int i = 0; i < COUNT; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, window_calls[i], COUNT - i, 0);
    code[COUNT + 1] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[COUNT + 2] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {COUNT + 3, code};
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    window.tid = gettid();
    long listener =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0)
        SKIP("no seccomp listener: %s", strerrorname_np(errno));
    window.listener = listener;
}

// From here on the call with index `at` is held up.
static void window_open(int at, void (*arrive)(void))
{
    window.arrive = arrive;
    window.count = window.asked = window.done = 0;
    window.at = at;
    window.call = -1;
    window.counts = true;
}

// Returns whether the arrival came.
static bool window_close(void)
{
    window.counts = window.sleeps = false;
    if (window.asked)
        UNTIL(window.done == window.asked);
    return window.asked;
}

static void *window_main(void *work)
{
    window_begin();
    ((void (*)(void))work)();
    window.over = true;
    return NULL;
}

// Runs `work` in the thread whose calls are held up.
static void window_run(void (*work)(void))
{
    const char *ready = getenv("GLASSPOLL_READY");
    if (emulated() && ready && strcmp(ready, "exact") == 0)
        SKIP("a helper that looks all the time may tell an arrival twice that meets it");
    pthread_t worker, arrivals;
    window.listener = -1;
    CHECK_EQ(pthread_create(&arrivals, NULL, window_arrivals, NULL), 0);
    CHECK_EQ(pthread_create(&worker, NULL, window_main, work), 0);
    UNTIL(window.listener >= 0);
    window_supervise();
    CHECK_EQ(pthread_join(worker, NULL), 0);
    CHECK_EQ(pthread_join(arrivals, NULL), 0);
    OK(close(window.listener));
}

#endif
