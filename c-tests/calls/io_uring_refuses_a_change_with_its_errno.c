// An IORING_OP_EPOLL_CTL that fails completes with the errno of epoll_ctl, whatever else is in the submission, and
// breaks the chain that it is part of. The same holds on a kernel that calls itself 2.6: a program that reads this
// release believes that the kernel has none of the newer operations.
// Source: io_uring/epoll.c, io_epoll_ctl; personality(2), UNAME26.
#include "harness.h"
#include <linux/io_uring.h>
#include <sys/personality.h>

enum { ENTRIES = 16 };

static struct io_uring_params params;
static struct io_uring_sqe *sqes;
static char *ring;
static int ring_fd;

static bool make(void)
{
    ring_fd = syscall(SYS_io_uring_setup, ENTRIES, &params);
    if (ring_fd < 0)
        return false;
    ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
                IORING_OFF_SQ_RING);
    sqes = mmap(NULL, ENTRIES * sizeof *sqes, PROT_READ | PROT_WRITE,
                MAP_SHARED, ring_fd, IORING_OFF_SQES);
    CHECK(ring != MAP_FAILED && sqes != MAP_FAILED);
    unsigned *array = (unsigned *)(ring + params.sq_off.array);
    for (unsigned i = 0; i < ENTRIES; i++)
        array[i] = i;
    return true;
}

static void queue(int epfd, int op, int fd, struct epoll_event *event, int flags)
{
    unsigned *tail = (unsigned *)(ring + params.sq_off.tail);
    sqes[*tail % ENTRIES] = (struct io_uring_sqe){
        .opcode = IORING_OP_EPOLL_CTL,
        .flags = flags,
        .fd = epfd,
        .len = op,
        .off = fd,
        .addr = (uintptr_t)event,
        .user_data = *tail,
    };
    (*tail)++;
}

// Submits the queued entries and compares their results with those of epoll_ctl.
static void submit(int count, const int *expected)
{
    unsigned *tail = (unsigned *)(ring + params.sq_off.tail);
    unsigned first = *tail - count;
    CHECK_EQ(syscall(SYS_io_uring_enter, ring_fd, count, count,
                     IORING_ENTER_GETEVENTS, NULL, 0), count);
    unsigned *head = (unsigned *)(ring + params.cq_off.head);
    struct io_uring_cqe *cqes = (void *)(ring + params.cq_off.cqes);
    for (int i = 0; i < count; i++, (*head)++) {
        struct io_uring_cqe *cqe = &cqes[*head % params.cq_entries];
        int n = cqe->user_data - first;
        if (cqe->res != expected[n])
            FAIL("entry %d of %d: %d, expected %d", n, count, cqe->res, expected[n]);
    }
}

static void all(void)
{
    struct epoll_event in = {.events = EPOLLIN}, one = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    int a = ep_new(), b = ep_new(), e = event_fd(), other = event_fd();
    int plain = OK(open(test_argv[0], O_RDONLY | O_CLOEXEC));
    OK(ep_add(a, b, EPOLLIN));
    for (int round = 0; round < 5; round++) {
        queue(a, EPOLL_CTL_ADD, e, &in, 0);
        queue(a, EPOLL_CTL_ADD, e, &in, 0);
        queue(b, EPOLL_CTL_MOD, e, &in, 0);
        queue(b, EPOLL_CTL_ADD, a, &in, 0);
        queue(a, EPOLL_CTL_ADD, a, &in, 0);
        queue(a, EPOLL_CTL_ADD, plain, &in, 0);
        queue(a, EPOLL_CTL_ADD, 9999, &in, 0);
        queue(a, EPOLL_CTL_ADD, b, &one, 0);
        queue(a, 77, e, &in, 0);
        queue(a, EPOLL_CTL_DEL, other, NULL, 0);
        queue(a, EPOLL_CTL_DEL, e, NULL, 0);
        submit(11, (int[]){0, -EEXIST, -ENOENT, -ELOOP, -EINVAL, -EPERM, -EBADF, -EINVAL,
                           -EINVAL, -ENOENT, 0});
        // In another order, so that each entry fails wherever it stands.
        queue(a, EPOLL_CTL_ADD, 9999, &in, 0);
        queue(a, EPOLL_CTL_ADD, plain, &in, 0);
        queue(b, EPOLL_CTL_ADD, a, &in, 0);
        queue(a, EPOLL_CTL_ADD, b, &in, 0);
        submit(4, (int[]){-EBADF, -EPERM, -ELOOP, -EEXIST});
        const int wrong[] = {b, plain, 9999, other};
        const int result[] = {-EEXIST, -EPERM, -EBADF, -ENOENT};
        for (int i = 0; i < 4; i++) {
            int op = wrong[i] == other ? EPOLL_CTL_DEL : EPOLL_CTL_ADD;
            queue(a, op, wrong[i], &in, 0);
            submit(1, &result[i]);
            queue(a, op, wrong[i], &in, IOSQE_ASYNC);
            submit(1, &result[i]);
        }
    }
    // A failure ends its chain: the kernel cancels the entries behind it, except behind a hard link.
    queue(a, EPOLL_CTL_ADD, 9999, &in, IOSQE_IO_LINK);
    queue(a, EPOLL_CTL_ADD, e, &in, IOSQE_IO_LINK);
    queue(a, EPOLL_CTL_DEL, b, NULL, 0);
    queue(a, EPOLL_CTL_ADD, other, &in, IOSQE_IO_LINK);
    queue(a, EPOLL_CTL_ADD, other, &in, IOSQE_IO_HARDLINK);
    queue(a, EPOLL_CTL_DEL, other, NULL, IOSQE_IO_LINK);
    queue(a, EPOLL_CTL_DEL, other, NULL, IOSQE_IO_LINK);
    queue(a, EPOLL_CTL_DEL, b, NULL, 0);
    submit(8, (int[]){-EBADF, -ECANCELED, -ECANCELED, 0, -EEXIST, 0, -ENOENT, -ECANCELED});
    bump(e, 1);
    EXPECT_NOTHING_NOW(a);
    OK(ep_add(b, e, EPOLLIN));
    EXPECT_ONE(a, b, EPOLLIN);
    CHECK_EQ(fcntl(plain, F_GETFD), FD_CLOEXEC);
    OK(close(plain));
    OK(close(e));
    OK(close(other));
    OK(close(a));
    OK(close(b));
}

static void test(void)
{
    if (!make())
        SKIP("no io_uring: %s", strerrorname_np(errno));
    // The first run is in a child, before the library knows the release. The child has its own ring.
    OK(munmap(sqes, ENTRIES * sizeof *sqes));
    OK(munmap(ring, 4096));
    OK(close(ring_fd));
    pid_t pid = fork_child();
    if (pid == 0) {
        OK(personality(UNAME26));
        CHECK(make());
        all();
        _exit(0);
    }
    child_must_pass(pid);
    CHECK(make());
    all();
    OK(munmap(sqes, ENTRIES * sizeof *sqes));
    OK(munmap(ring, 4096));
    OK(close(ring_fd));
}
