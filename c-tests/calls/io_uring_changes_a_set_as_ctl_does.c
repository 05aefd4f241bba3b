// IORING_OP_EPOLL_CTL adds, changes and removes items, several in one
// submission. Each completion has the result that epoll_ctl would have
// returned. libuv changes its sets in this way. Source: io_uring/epoll.c,
// io_epoll_ctl.
#include "harness.h"
#include <linux/io_uring.h>

enum { ENTRIES = 8 };

static struct io_uring_params params;
static struct io_uring_sqe *sqes;
static char *ring;
static int ring_fd;

static bool make(unsigned flags)
{
    params = (struct io_uring_params){.flags = flags};
    ring_fd = syscall(SYS_io_uring_setup, ENTRIES, &params);
    if (ring_fd < 0)
        return false;
    ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
                IORING_OFF_SQ_RING);
    sqes = mmap(NULL, ENTRIES * sizeof *sqes, PROT_READ | PROT_WRITE,
                MAP_SHARED, ring_fd, IORING_OFF_SQES);
    CHECK(ring != MAP_FAILED && sqes != MAP_FAILED);
    CHECK(params.features & IORING_FEAT_SINGLE_MMAP);
    unsigned *array = (unsigned *)(ring + params.sq_off.array);
    for (unsigned i = 0; params.sq_off.array && i < ENTRIES; i++)
        array[i] = i;
    return true;
}

static void drop(void)
{
    OK(munmap(sqes, ENTRIES * sizeof *sqes));
    OK(munmap(ring, 4096));
    OK(close(ring_fd));
}

static void queue(int epfd, int op, int fd, struct epoll_event *event)
{
    unsigned *tail = (unsigned *)(ring + params.sq_off.tail);
    sqes[*tail % ENTRIES] = (struct io_uring_sqe){
        .opcode = IORING_OP_EPOLL_CTL,
        .fd = epfd,
        .len = op,
        .off = fd,
        .addr = (uintptr_t)event,
        .user_data = *tail,
    };
    (*tail)++;
}

// Submits the queued entries and compares their results with those of
// epoll_ctl.
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
        CHECK_EQ(cqe->res, expected[cqe->user_data - first]);
    }
}

static void once(unsigned flags)
{
    if (!make(flags))
        return;
    int epfd = ep_new(), e = event_fd(), pair[2];
    unix_stream(pair);
    struct epoll_event in = {.events = EPOLLIN, .data.u64 = 1},
                       out = {.events = EPOLLOUT | EPOLLET, .data.u64 = 2};

    queue(epfd, EPOLL_CTL_ADD, e, &in);
    queue(epfd, EPOLL_CTL_ADD, pair[0], &out);
    submit(2, (int[]){0, 0});
    EXPECT_ONE(epfd, 2, EPOLLOUT);
    OK(eventfd_write(e, 1));
    EXPECT_ONE(epfd, 1, EPOLLIN);

    queue(epfd, EPOLL_CTL_ADD, e, &in);
    queue(epfd, EPOLL_CTL_MOD, pair[0], &in);
    queue(epfd, EPOLL_CTL_DEL, e, NULL);
    queue(epfd, EPOLL_CTL_DEL, e, NULL);
    queue(epfd, EPOLL_CTL_ADD, 9999, &in);
    queue(epfd, 77, e, &in);
    submit(6, (int[]){-EEXIST, 0, 0, -ENOENT, -EBADF, -EINVAL});
    queue(epfd, EPOLL_CTL_ADD, e, NULL);
    submit(1, (int[]){-EFAULT});
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(write(pair[1], "x", 1), 1);
    EXPECT_ONE(epfd, 1, EPOLLIN);
    OK(close(pair[0]));
    OK(close(pair[1]));
    OK(close(e));
    OK(close(epfd));
    drop();
}

static void test(void)
{
    if (!make(0))
        SKIP("no io_uring: %s", strerrorname_np(errno));
    drop();
    once(0);
    once(1 << 16 /* IORING_SETUP_NO_SQARRAY, 6.6 */);
}
