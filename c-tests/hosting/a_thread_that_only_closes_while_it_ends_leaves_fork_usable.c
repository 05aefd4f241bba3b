// A thread makes one call that concerns a set: the destructor of its key closes
// a watched file. The file leaves the set. When such threads and their stacks
// are gone, fork works, in parent and child.
// Source: pthread_key_create(3), fork(2). Contract: 12, 36
#include "harness.h"

static pthread_key_t key;

static void destroy(void *file) { OK(close((intptr_t)file)); }

static void *leaves(void *file)
{
    CHECK_EQ(pthread_setspecific(key, file), 0);
    return NULL;
}

static void test(void)
{
    int epfd = ep_new(), kept = event_fd();
    pthread_attr_t attr;
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    CHECK_EQ(pthread_attr_init(&attr), 0);
    // Too large for glibc to cache it for the next thread, so it is unmapped.
    CHECK_EQ(pthread_attr_setstacksize(&attr, 64 << 20), 0);
    OK(ep_add(epfd, kept, EPOLLIN));
    for (int i = 0; i < 20; i++) {
        intptr_t file = event_fd();
        pthread_t thread;
        OK(ep_add(epfd, file, EPOLLIN));
        bump(file, 1);
        CHECK_EQ(pthread_create(&thread, &attr, leaves, (void *)file), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        EXPECT_NOTHING_NOW(epfd);
    }
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            int own = ep_new(), file = event_fd();
            OK(ep_add(own, file, EPOLLIN));
            bump(file, 1);
            EXPECT_ONE(own, file, EPOLLIN);
            _exit(0);
        }
        child_must_pass(pid);
    }
    bump(kept, 1);
    EXPECT_ONE(epfd, kept, EPOLLIN);
    CHECK_EQ(pthread_attr_destroy(&attr), 0);
    CHECK_EQ(pthread_key_delete(key), 0);
    OK(close(kept));
    OK(close(epfd));
}
