// The program has its own malloc. Its pthread_atfork handlers hold the lock of malloc during a fork, as jemalloc's do.
// Meanwhile two threads begin to wait on one set.
// Source: pthread_atfork(3). Contract: 36
#include "harness.h"
#include <sched.h>

static pthread_mutex_t heap = PTHREAD_MUTEX_INITIALIZER;
static char memory[64 << 20] __attribute__((aligned(16)));
static size_t used;
static _Atomic bool slow;
static __thread bool hurries;
static int epfd;
static _Atomic int waiters;

void *malloc(size_t size)
{
    size_t *at;
    if (slow && !hurries)
        usleep(20000);
    pthread_mutex_lock(&heap);
    at = (size_t *)(memory + used);
    used += (size + 31) & ~(size_t)15;
    if (used > sizeof memory)
        abort();
    pthread_mutex_unlock(&heap);
    at[0] = size;
    return at + 2;
}

void *calloc(size_t count, size_t size) { return malloc(count * size); } // fresh memory is zero

void free(void *at) { (void)at; }

void *realloc(void *at, size_t size)
{
    void *fresh = malloc(size);
    if (at) {
        size_t old = ((size_t *)at)[-2];
        memcpy(fresh, at, old < size ? old : size);
    }
    return fresh;
}

static void lock_heap(void) { pthread_mutex_lock(&heap); }
static void unlock_heap(void) { pthread_mutex_unlock(&heap); }

static void *wait_for_it(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    waiters++;
    CHECK_EQ(wait_events(epfd, ev, 1, 300), 0);
    return NULL;
}

static void test(void)
{
    hurries = true;
    epfd = ep_new();
    CHECK_EQ(pthread_atfork(lock_heap, unlock_heap, unlock_heap), 0);
    for (int round = 0; round < 2; round++) {
        pthread_t thread[2];
        int64_t end;
        slow = true;
        for (int i = 0; i < 2; i++)
            CHECK_EQ(pthread_create(&thread[i], NULL, wait_for_it, NULL), 0);
        while (waiters < 2 * round + 2)
            sched_yield();
        for (end = now_ns() + 200000000; now_ns() < end;) {
            pid_t pid = fork_child();
            if (pid == 0) {
                struct epoll_event ev[1];
                slow = false;
                CHECK_EQ(wait_events(epfd, ev, 1, 0), 0);
                _exit(0);
            }
            child_must_pass(pid);
        }
        slow = false;
        for (int i = 0; i < 2; i++)
            CHECK_EQ(pthread_join(thread[i], NULL), 0);
        sleep_ms(1500); // a helper thread of the library ends meanwhile
    }
    OK(close(epfd));
}
