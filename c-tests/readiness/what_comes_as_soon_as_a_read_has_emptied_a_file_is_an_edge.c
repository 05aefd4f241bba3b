// As soon as a message has been read, the next one is sent. This is an edge, whether or not a thread polls the file in
// between. Each kind of file is tested by itself, made by this process, and inherited by a child that uses it.
// Linux: fs/eventpoll.c:ep_poll_callback; fs/timerfd.c:timerfd_read, timerfd_tmrproc.
#include "harness.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { ROUNDS = 400, LONG = 120000 };


struct kind {
    const char *name;
    void (*make)(void);
    bool (*is_empty)(void);
    void (*send)(void);
    ssize_t (*receive)(int round);
    bool threads_may_block; // the signal is taken from a process whose threads all block it
};

static int in, out; // the watched end, and the other end
static char folder[64];
static struct sockaddr_storage address;
static socklen_t address_len;
static atomic_int stop;

static int unread(void) {
    int bytes = -1;
    OK(ioctl(in, FIONREAD, &bytes));
    return bytes;
}

static bool no_bytes(void) { return unread() == 0; }

static bool not_readable(void) {
    struct pollfd p = { in, POLLIN, 0 };
    return OK(poll(&p, 1, 0)) == 0;
}

static void write_next(void) { CHECK_EQ(write(out, "12345678", 8), 8); }
static void send_next(void) { CHECK_EQ(send(out, "12345678", 8, 0), 8); }

// Reads exactly what is there, or asks for more than there is, by each of the calls.
static ssize_t read_next(int round) {
    char buf[64];
    struct iovec iov = { buf, sizeof buf };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    switch (round % 4) {
    case 0: return read(in, buf, 8);
    case 1: return read(in, buf, sizeof buf);
    case 2: return readv(in, &iov, 1);
    default: { // the kernel may join two messages: one read takes both
        ssize_t got = recvmsg(in, &msg, 0);
        return got < 0 && errno == ENOTSOCK ? read(in, buf, sizeof buf) : got;
    }
    }
}

static ssize_t read_any(int round) {
    char buf[4096];
    struct iovec iov = { buf, sizeof buf };
    return round % 2 ? read(in, buf, sizeof buf) : readv(in, &iov, 1);
}

static void make_pipe(void) {
    int fds[2];
    OK(pipe2(fds, O_NONBLOCK));
    in = fds[0], out = fds[1];
}

static void make_packets(void) {
    int fds[2];
    OK(pipe2(fds, O_NONBLOCK | O_DIRECT));
    in = fds[0], out = fds[1];
}

static void make_pair(int type) {
    int fds[2];
    OK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds));
    in = fds[0], out = fds[1];
}

static void make_stream(void) { make_pair(SOCK_STREAM); }
static void make_dgram(void) { make_pair(SOCK_DGRAM); }
static void make_packet(void) { make_pair(SOCK_SEQPACKET); }

static void bind_here(int fd) {
    struct sockaddr_in *to = (struct sockaddr_in *)&address;
    *to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    address_len = sizeof *to;
    OK(bind(fd, (struct sockaddr *)to, address_len));
    OK(getsockname(fd, (struct sockaddr *)to, &address_len));
}

static void make_udp(void) {
    in = OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    bind_here(in);
    out = OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(connect(out, (struct sockaddr *)&address, address_len));
}

static void make_tcp(void) {
    int listener = OK(socket(AF_INET, SOCK_STREAM, 0));
    bind_here(listener);
    OK(listen(listener, 8));
    out = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(out, (struct sockaddr *)&address, address_len));
    in = OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
    OK(close(listener));
    int on = 1;
    OK(setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

static void make_listener(void) {
    in = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    bind_here(in);
    OK(listen(in, 8));
    out = -1;
}

static void make_unix_listener(void) {
    in = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    struct sockaddr_un *to = (struct sockaddr_un *)&address;
    *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    OK(bind(in, (struct sockaddr *)to, sizeof(sa_family_t))); // the kernel chooses the name
    address_len = sizeof *to;
    OK(getsockname(in, (struct sockaddr *)to, &address_len));
    OK(listen(in, 8));
    out = -1;
}

static void connect_one(void) {
    int fd = OK(socket(address.ss_family, SOCK_STREAM, 0));
    OK(connect(fd, (struct sockaddr *)&address, address_len));
    OK(close(fd));
}

static ssize_t accept_next(int round) {
    int fd = round % 2 ? accept(in, NULL, NULL) : accept4(in, NULL, NULL, SOCK_NONBLOCK);
    return fd < 0 ? -1 : close(fd) + 1;
}

static void make_eventfd(void) { in = out = OK(eventfd(0, EFD_NONBLOCK)); }
static void make_semaphore(void) { in = out = OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE)); }
static void add_one(void) { OK(eventfd_write(out, 1)); }

static void make_inotify(void) {
    in = OK(inotify_init1(IN_NONBLOCK));
    out = -1;
    strcpy(folder, "/tmp/edge-XXXXXX");
    CHECK(mkdtemp(folder));
    OK(inotify_add_watch(in, folder, IN_CREATE));
    OK(rmdir(folder)); // nothing is left if the test fails; what comes of it is read before it begins
    OK(mkdir(folder, 0700));
    char buf[4096];
    while (read(in, buf, sizeof buf) > 0) {}
    OK(inotify_add_watch(in, folder, IN_CREATE));
}

static void create_one(void) {
    static int n;
    char path[96];
    snprintf(path, sizeof path, "%s/%d", folder, n++);
    OK(close(OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600))));
    OK(unlink(path));
}

static void make_signalfd(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    in = OK(signalfd(-1, &set, SFD_NONBLOCK));
    out = -1;
}

static void kill_one(void) {
    static int n;
    OK(kill(getpid(), n++ % 2 ? SIGUSR1 : SIGRTMIN + 1));
}

static const struct kind kinds[] = {
    { "pipe", make_pipe, no_bytes, write_next, read_next, false },
    { "pipe of packets", make_packets, no_bytes, write_next, read_next, false },
    { "unix stream", make_stream, no_bytes, send_next, read_next, false },
    { "unix datagram", make_dgram, not_readable, send_next, read_next, false },
    { "unix seqpacket", make_packet, not_readable, send_next, read_next, false },
    { "udp", make_udp, not_readable, send_next, read_next, false },
    { "tcp", make_tcp, no_bytes, send_next, read_next, false },
    { "tcp listener", make_listener, not_readable, connect_one, accept_next, false },
    { "unix listener", make_unix_listener, not_readable, connect_one, accept_next, false },
    { "eventfd", make_eventfd, not_readable, add_one, read_any, false },
    { "eventfd semaphore", make_semaphore, not_readable, add_one, read_any, false },
    { "inotify", make_inotify, no_bytes, create_one, read_any, false },
    { "signalfd", make_signalfd, not_readable, kill_one, read_any, true },
};

// Sends the next message as soon as nothing is left to read.
static void *sender(void *arg) {
    const struct kind *kind = arg;
    while (!stop)
        if (kind->is_empty())
            kind->send();
    return NULL;
}

static void serve(const struct kind *kind) {
    int epfd = OK(epoll_create1(0));
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = in };
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, in, &ev));
    pthread_t thread;
    stop = 0;
    CHECK_EQ(pthread_create(&thread, NULL, sender, (void *)kind), 0);
    for (int round = 0; round < ROUNDS; round++) {
        if (OK(epoll_wait(epfd, &ev, 1, LONG)) != 1)
            FAIL("%s: after %d rounds no edge", kind->name, round);
        if (kind->receive(round) < 0)
            FAIL("%s: round %d: %s", kind->name, round, strerrorname_np(errno));
    }
    stop = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(epfd));
}

static void test(void) {
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        for (int inherited = 0; inherited < 2; inherited++) {
            kinds[n].make();
            pid_t child = inherited ? OK(fork()) : 0;
            if (child == 0) {
                serve(&kinds[n]);
                if (inherited)
                    _exit(0);
            } else {
                int status;
                OK(waitpid(child, &status, 0));
                CHECK_EQ(status, 0);
            }
            if (out >= 0 && out != in)
                OK(close(out));
            OK(close(in));
            if (*folder)
                OK(rmdir(folder));
            *folder = 0;
        }
    }
}
