// Of several threads that wait on one set, the thread that began to wait last
// is woken first. Source: fs/eventpoll.c, ep_poll: __add_wait_queue_exclusive
// adds at the head.
#include "harness.h"

enum { THREADS = 4 };

static int epfd, e;
static atomic_int order[THREADS], woken;
static _Atomic pid_t tid[THREADS];

static void *waiter(void *number)
{
    struct epoll_event ev;
    tid[(intptr_t)number] = gettid();
    CHECK_EQ(epoll_wait(epfd, &ev, 1, WAIT_MS), 1);
    order[woken++] = (int)(intptr_t)number;
    return NULL;
}

static void test(void)
{
    pthread_t thread[THREADS];
    epfd = ep_new();
    e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    for (int i = 0; i < THREADS; i++) {
        OK(pthread_create(&thread[i], NULL, waiter, (void *)(intptr_t)i));
        UNTIL(tid[i] != 0);
        until_asleep(tid[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        OK(eventfd_write(e, 1));
        UNTIL(woken == i + 1);
        CHECK_EQ(order[i], THREADS - 1 - i);
    }
    for (int i = 0; i < THREADS; i++)
        OK(pthread_join(thread[i], NULL));
    OK(close(e));
    OK(close(epfd));
}
