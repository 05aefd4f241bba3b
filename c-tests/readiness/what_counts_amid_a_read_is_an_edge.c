// As what_comes_amid_a_read_is_an_edge, for files that hold no bytes to read: timers, signals, counters, connections,
// names.
// Source: Linux: fs/timerfd.c:timerfd_read, fs/signalfd.c:signalfd_read. Contract: 18, 19, 20
#include "harness/share.h"
#include "harness/window.h"
#include <mqueue.h>
#include <sys/inotify.h>

enum kind { TICKER, TIMER, SIGNALS, EVENTFD, SEMAPHORE, LISTENER, INOTIFY, QUEUE, KINDS };
#define KINDS KINDS
static const char *const kind_names[] = {
    "periodic timer", "timer", "signalfd", "eventfd", "semaphore", "listener", "inotify", "message queue",
};
static enum kind kind;
static struct sockaddr_in *listener_at; // set by the process that makes the listener
static char dir[] = "/tmp/window-XXXXXX"; // no other process makes files there
enum { SIGNAL = 45 };

static void remove_dir(void) { rmdir(dir); }

static void begin(void)
{
    CHECK(mkdtemp(dir));
    atexit(remove_dir);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    listener_at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
#define BEGIN() begin()

static void make(int fds[2])
{
    sigset_t set;
    struct itimerspec often = {{0, 2000000}, {0, 2000000}};
    struct mq_attr attr = {.mq_maxmsg = 8, .mq_msgsize = 64};
    switch (kind) {
    case TICKER: case TIMER:
        fds[0] = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
        if (kind == TICKER)
            OK(timerfd_settime(fds[0], 0, &often, NULL));
        break;
    case SIGNALS:
        sigemptyset(&set);
        sigaddset(&set, SIGNAL);
        fds[0] = OK(signalfd(-1, &set, SFD_NONBLOCK));
        break;
    case EVENTFD: fds[0] = event_fd(); break;
    case SEMAPHORE: fds[0] = OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE)); break;
    case LISTENER: fds[0] = tcp_listener(listener_at); break;
    case INOTIFY:
        fds[0] = OK(inotify_init1(IN_NONBLOCK));
        OK(inotify_add_watch(fds[0], dir, IN_CREATE));
        break;
    default:
        fds[0] = OK(mq_open("/window", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr));
        OK(mq_unlink("/window"));
    }
    fds[1] = fds[0];
}

static void arrive(void)
{
    uint64_t one = 1;
    struct itimerspec now = {.it_value.tv_nsec = 1};
    int fd;
    char name[sizeof dir + 8];
    switch (kind) {
    case TICKER: break;
    case TIMER: elsewhere(SYS_timerfd_settime, out, 0, (long)&now, 0); break;
    case SIGNALS: OK(sigqueue(getpid(), SIGNAL, (union sigval){0})); break;
    case EVENTFD: case SEMAPHORE: elsewhere(SYS_write, out, (long)&one, 8, 0); break;
    case LISTENER:
        // The connection stays in the accept queue, though its client end is closed here.
        fd = OK(socket(AF_INET, SOCK_STREAM, 0));
        OK(connect(fd, (struct sockaddr *)listener_at, sizeof *listener_at));
        OK(close(fd));
        break;
    case INOTIFY:
        snprintf(name, sizeof name, "%s/XXXXXX", dir);
        fd = OK(mkstemp(name));
        OK(close(fd));
        OK(unlink(name));
        break;
    default: elsewhere(SYS_mq_timedsend, out, (long)"abcdefgh", 8, 0);
    }
    polls(in, POLLIN, 50000000);
}

static long take(int fd, void *buf, size_t size)
{
    if (kind == LISTENER) {
        int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        if (got >= 0)
            OK(close(got));
        return got >= 0 ? 1 : -1;
    }
    if (kind == QUEUE)
        return mq_receive(fd, buf, size, NULL);
    return read(fd, buf, size);
}

static bool is_socket(void) { return false; }
// Whether one read takes all that there is.
static bool is_stream(void) { return kind != SEMAPHORE && kind != LISTENER && kind != QUEUE; }
static bool comes_by_itself(void) { return kind == TICKER; }
static bool has_bytes(void) { return false; }
static bool is_readable(void) { return kind != LISTENER && kind != QUEUE; }
// As is_limit in what_comes_amid_a_read_is_an_edge.
static bool is_limit(bool reads)
{
    return !reads || kind == LISTENER || kind == QUEUE;
}

#include "what_comes_amid_a_read_is_an_edge.c"
