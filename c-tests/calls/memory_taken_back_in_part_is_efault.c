// A call that takes back a part of a page takes back all of it, and a child lacks what it is not to inherit: a wait that
// would store an event there is EFAULT.
// Source: Linux: mm/mprotect.c:do_mprotect_pkey, mm/mmap.c:do_munmap; madvise(2), shmat(2); fs/eventpoll.c:ep_send_events. Contract: 5
#include "harness.h"
#include <sys/shm.h>

enum { SIZE = 1 << 20 };

static int epfd;

static char *memory(void)
{
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static void stores(const char *at, int error)
{
    errno = 0;
    CHECK_EQ(epoll_wait(epfd, (struct epoll_event *)at, 1, 0), error ? -1 : 1);
    CHECK_EQ(errno, error);
}

static void test(void)
{
    int file = OK(eventfd(1, EFD_CLOEXEC));
    epfd = ep_new();
    OK(ep_add(epfd, file, EPOLLIN));

    char *at = memory();
    stores(at + 64, 0);
    OK(mprotect(at, 1, PROT_NONE));
    stores(at + 64, EFAULT);
    OK(munmap(at, SIZE));

    at = memory();
    OK(munmap(at, 1));
    stores(at + 64, EFAULT);
    OK(munmap(at, SIZE));

    at = memory();
    int shared = OK(shmget(IPC_PRIVATE, SIZE, 0600));
    CHECK(shmat(shared, at, SHM_REMAP | SHM_RDONLY) == at);
    stores(at + SIZE / 2, EFAULT);
    OK(shmdt(at));
    OK(shmctl(shared, IPC_RMID, NULL));

    at = memory();
    OK(madvise(at, SIZE, MADV_DONTFORK));
    pid_t child = OK(fork());
    if (child == 0) {
        stores(at + SIZE / 2, EFAULT);
        _exit(0);
    }
    int status;
    CHECK_EQ(OK(waitpid(child, &status, 0)), child);
    CHECK_EQ(status, 0);
    OK(munmap(at, SIZE));
    OK(close(file));
    OK(close(epfd));
}
