// A handler interrupts a wait and does not return until another thread has
// closed one watched file and added another to the same set. Neither thread
// blocks the other.
// Source: signal-safety(7), sem_wait aside. Contract: 8, 12
#include "harness.h"
#include <semaphore.h>

static sem_t entered, done;
static int epfd, file, next;

static void on_signal(int signo)
{
    (void)signo;
    sem_post(&entered);
    while (sem_wait(&done) == -1)
        ;
}

static void *closes(void *arg)
{
    until_asleep(*(pid_t *)arg);
    OK(kill(getpid(), SIGUSR1));
    while (sem_wait(&entered) == -1)
        ;
    OK(close(file));
    OK(ep_add(epfd, next, EPOLLIN));
    sem_post(&done);
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    pid_t me = gettid();
    sigset_t usr1;
    CHECK_EQ(sem_init(&entered, 0, 0), 0);
    CHECK_EQ(sem_init(&done, 0, 0), 0);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    epfd = ep_new();
    for (int i = 0; i < 4; i++) {
        struct epoll_event ev[1];
        pthread_t thread;
        file = event_fd();
        next = event_fd();
        OK(ep_add(epfd, file, EPOLLIN | (i % 2 ? EPOLLET : 0)));
        // Only this thread may take the signal.
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
        CHECK_EQ(pthread_create(&thread, NULL, closes, &me), 0);
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
        CHECK_ERR(epoll_wait(epfd, ev, 1, -1), EINTR);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        bump(next, 1);
        EXPECT_ONE(epfd, next, EPOLLIN);
        OK(close(next));
        EXPECT_NOTHING_NOW(epfd);
    }
    CHECK_EQ(sem_destroy(&entered), 0);
    CHECK_EQ(sem_destroy(&done), 0);
    OK(close(epfd));
}
