// How often a process wakes while all its threads wait and nothing happens to its files.
// Every kind of file x made here or inherited x 1 or 2 threads x where the second waits x drained or not x level or
// edge.
#ifndef RESTING_H
#define RESTING_H

#include "../harness.h"
#include <dirent.h>
#include <pty.h>
#include <sys/inotify.h>

enum { REST_MS = 300, SETTLE_MS = 100, MOST = 6 };

enum where { ALONE, SAME, OTHER, BEHIND, NESTED, WITHIN, WHERES };
static const char *const where_names[] = { "1 thread", "2 threads, same set", "2 threads, the second in another set",
                                           "2 threads, the first in another set", "2 threads, the second in a set around",
                                           "2 threads, the first in a set around" };

static int fds[2]; // what is watched, and its other end
static atomic_int came, inner, outer;
static char folder[32];

// Each function makes an empty fds[0].
static void a_pipe(void) { OK(pipe2(fds, O_NONBLOCK)); }
static void a_unix_stream(void) { OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)); }
static void a_unix_datagram(void) { OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds)); }
static void a_tcp_connection(void) { tcp_pair(fds); }
static void a_tcp_listener(void) {
    struct sockaddr_in at;
    fds[0] = tcp_listener(&at);
    fds[1] = -1;
}
static void a_udp_socket(void) {
    fds[0] = OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    struct sockaddr_in at = bind_loopback(fds[0]);
    fds[1] = OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(connect(fds[1], (struct sockaddr *)&at, sizeof at));
}
static void a_tcp_socket_without_peer(void) {
    fds[0] = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    fds[1] = -1;
}
static void an_eventfd(void) { fds[0] = OK(eventfd(0, EFD_NONBLOCK)), fds[1] = -1; }
static void a_semaphore(void) { fds[0] = OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE)), fds[1] = -1; }
static void a_timerfd(void) { fds[0] = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), fds[1] = -1; }
static void a_signalfd(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    fds[0] = OK(signalfd(-1, &set, SFD_NONBLOCK)), fds[1] = -1;
}
static void an_inotify(void) {
    fds[0] = OK(inotify_init1(IN_NONBLOCK)), fds[1] = -1;
    strcpy(folder, "/tmp/rest-XXXXXX");
    CHECK(mkdtemp(folder));
    OK(inotify_add_watch(fds[0], folder, IN_ATTRIB));
}
static void a_pidfd(void) {
    static pid_t child;
    child = OK(fork());
    if (child == 0) {
        OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
        for (;;)
            pause();
    }
    fds[0] = OK(syscall(SYS_pidfd_open, child, 0)), fds[1] = -child;
}
static void a_terminal(void) {
    OK(openpty(&fds[1], &fds[0], NULL, NULL, NULL));
    OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
}
static void the_mounts(void) { fds[0] = OK(open("/proc/self/mounts", O_RDONLY)), fds[1] = -1; }

// Each function makes fds[0] readable.
static void write_to_peer(void) { CHECK_EQ(write(fds[1], "ab\n", 3), 3); }
static void count(void) { OK(eventfd_write(fds[0], 3)); }
static void expire(void) {
    struct itimerspec spec = { { 0, 1 }, { 0, 1 } };
    OK(timerfd_settime(fds[0], 0, &spec, NULL));
}
static void signal_process(void) { OK(kill(getpid(), SIGUSR1)); }
static void touch(void) { OK(chmod(folder, 0700)); }
static void end_child(void) { OK(kill(-fds[1], SIGKILL)); }
static void connect_to(void) {
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    OK(getsockname(fds[0], (struct sockaddr *)&at, &len));
    fds[1] = tcp_connect(&at);
}

static const struct kind {
    const char *name;
    void (*make)(void), (*fill)(void);
} kinds[] = {
    { "pipe", a_pipe, write_to_peer },
    { "unix stream", a_unix_stream, write_to_peer },
    { "unix datagram socket", a_unix_datagram, write_to_peer },
    { "tcp connection", a_tcp_connection, write_to_peer },
    { "tcp listener", a_tcp_listener, connect_to },
    { "udp socket", a_udp_socket, write_to_peer },
    { "tcp socket without peer", a_tcp_socket_without_peer, NULL }, // it is hung up from the beginning
    { "eventfd", an_eventfd, count },
    { "semaphore", a_semaphore, count },
    { "timerfd", a_timerfd, expire },
    { "signalfd", a_signalfd, signal_process },
    { "inotify", an_inotify, touch },
    { "pidfd", a_pidfd, end_child },
    { "terminal", a_terminal, write_to_peer },
    { "mounts", the_mounts, NULL }, // readable from the beginning
};

// How often the threads of this process have gone to sleep.
static long switches(void) {
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks);
    long sum = 0;
    struct dirent *task;
    while ((task = readdir(tasks))) {
        char path[300], line[200];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = *task->d_name == '.' ? NULL : fopen(path, "r");
        if (!status)
            continue;
        long n = 0;
        while (fgets(line, sizeof line, status))
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
                sum += n;
        fclose(status);
    }
    closedir(tasks);
    return sum;
}

static void *wait_on(void *epfd) {
    struct epoll_event ev;
    while (epoll_wait(*(atomic_int *)epfd, &ev, 1, -1) >= 0)
        came++;
    FAIL("a wait failed: %s", strerrorname_np(errno));
}

static void nap(int ms) { nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL); }

static inline void rests(const struct kind *kind, bool inherited, enum where where, bool edge, bool full) {
    inner = OK(epoll_create1(0));
    outer = OK(epoll_create1(0));
    struct epoll_event ev = { .events = EPOLLIN | (edge ? EPOLLET : 0) };
    OK(epoll_ctl(inner, EPOLL_CTL_ADD, fds[0], &ev));
    if (where == OTHER || where == BEHIND)
        OK(epoll_ctl(outer, EPOLL_CTL_ADD, OK(eventfd(0, 0)), &ev));
    if (where == NESTED || where == WITHIN)
        OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev));
    atomic_int *first = where == BEHIND || where == WITHIN ? &outer : &inner;
    atomic_int *second = where == OTHER || where == NESTED ? &outer : &inner;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_on, first), 0);
    nap(SETTLE_MS);
    if (where != ALONE)
        CHECK_EQ(pthread_create(&thread, NULL, wait_on, second), 0);
    nap(SETTLE_MS);
    if (full && kind->fill)
        kind->fill();
    nap(SETTLE_MS);
    long before = switches();
    nap(REST_MS);
    // `woke` includes this thread's own nap and its reads of /proc.
    long woke = switches() - before;
    if (woke > MOST)
        FAIL("%s%s, %s, %s, %s: %ld wakeups in %d ms of rest", inherited ? "inherited " : "", kind->name, where_names[where], edge ? "edge" : "level",
             full ? "not drained" : "drained", woke, REST_MS);
}

// Runs one process for each cell, some at a time. `wanted` chooses the kinds and their states. A process with a
// level-triggered item that is not drained does not rest, so it has no cell.
static inline void all_rest(bool full, bool (*wanted)(const struct kind *kind, bool inherited))
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    int cells = 0, failed = 0, status;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
        for (int cell = 0; cell < WHERES * 4; cell++) {
            enum where where = cell / 4;
            bool edge = cell & 1, inherited = cell & 2;
            if (!wanted(&kinds[n], inherited) || (full && !edge) || (!full && !kinds[n].fill))
                continue;
            // A signal is pending only in the process that it was sent to, so each cell makes its file after the fork.
            pid_t child = OK(fork());
            if (child == 0) {
                // A file that a forked child opens before it has a set may count as inherited.
                OK(close(OK(epoll_create1(0))));
                kinds[n].make();
                pid_t inheritor = inherited ? OK(fork()) : 0;
                status = 0;
                if (inheritor == 0)
                    rests(&kinds[n], inherited, where, edge, full);
                else
                    OK(waitpid(inheritor, &status, 0));
                if (inherited && inheritor == 0)
                    _exit(0);
                if (fds[1] < -1)
                    kill(-fds[1], SIGKILL);
                if (*folder)
                    rmdir(folder);
                _exit(status != 0);
            }
            if (++cells % 16 == 0)
                while (wait(&status) > 0)
                    failed += status != 0;
        }
    while (wait(&status) > 0)
        failed += status != 0;
    if (failed)
        FAIL("%d of %d do not rest", failed, cells);
    CHECK(cells > 0);
}

#endif
