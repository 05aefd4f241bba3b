// The program registers pthread_atfork handlers before the constructor of any
// library runs, and others in main. Each handler makes a set and uses it, and
// uses the set that exists. Some also wait for a thread that uses that set.
// Source: pthread_atfork(3). Contract: 36
#include "harness.h"

static int epfd = -1, s[2];
static int calls[2][3]; // of the handlers registered first and last: prepare, parent, child

// After the fork, the kernel's parent and child have one set: neither may change it then.
static void *beside(void *changes)
{
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    if (!changes)
        return NULL;
    OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    OK(ep_mod(epfd, s[0], EPOLLIN));
    return NULL;
}

static void use_sets(bool changes)
{
    if (epfd < 0)
        return;
    int own = ep_new(), t[2];
    unix_stream(t);
    OK(ep_add(own, t[0], EPOLLIN));
    EXPECT_NOTHING_NOW(own);
    put(t[1], "x");
    EXPECT_ONE(own, t[0], EPOLLIN);
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    if (changes) {
        OK(ep_add(epfd, t[0], EPOLLIN));
        OK(ep_del(epfd, t[0]));
    }
    close_pair(t);
    OK(close(own));
}

static void use_sets_with_a_thread(bool changes)
{
    pthread_t thread;
    use_sets(changes);
    if (epfd < 0)
        return;
    CHECK_EQ(pthread_create(&thread, NULL, beside, changes ? &epfd : NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void first_prepare(void) { use_sets_with_a_thread(true), calls[0][0]++; }
static void first_parent(void) { use_sets(false), calls[0][1]++; }
static void first_child(void) { use_sets(false), calls[0][2]++; }
static void last_prepare(void) { use_sets_with_a_thread(true), calls[1][0]++; }
static void last_parent(void) { use_sets_with_a_thread(false), calls[1][1]++; }
static void last_child(void) { use_sets_with_a_thread(false), calls[1][2]++; }

static void before_all_constructors(void)
{
    pthread_atfork(first_prepare, first_parent, first_child);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = before_all_constructors;

static void test(void)
{
    CHECK_EQ(pthread_atfork(last_prepare, last_parent, last_child), 0);
    // The first fork comes before there is a set, the others after that.
    child_must_pass(fork_child() ?: (_exit(0), 0));
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    put(s[1], "x");
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            CHECK_EQ(calls[0][2] + calls[1][2], 2);
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            _exit(0);
        }
        child_must_pass(pid);
    }
    for (int which = 0; which < 2; which++) {
        CHECK_EQ(calls[which][0], 21);
        CHECK_EQ(calls[which][1], 21);
        CHECK_EQ(calls[which][2], 0);
    }
    close_pair(s);
    OK(close(epfd));
}
