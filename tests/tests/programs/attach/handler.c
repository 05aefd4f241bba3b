/* Loads the library late, and attaches it. A handler then writes, sleeps, makes and closes descriptors in a thread that
 * was there before. It may have interrupted malloc(3), so nothing in it may allocate. Arguments: as attach.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "use.h"

extern void *__libc_malloc(size_t);

static __thread volatile sig_atomic_t is_in_handler;
static atomic_int allocations, is_over, ends[2];

void *malloc(size_t size) {
    allocations += is_in_handler;
    return __libc_malloc(size);
}

static void on_signal(int number) {
    struct timespec nap = {0, 1000};
    int made[2];
    (void)number;
    is_in_handler = 1;
    if (write(ends[1], "x", 1) == 1 && nanosleep(&nap, NULL) == 0 && pipe(made) == 0) {
        close(made[0]);
        close(made[1]);
    }
    is_in_handler = 0;
    is_over = 1;
}

static void *early(void *unused) {
    while (!is_over)
        ;
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    int pair[2];
    CHECK(argc > 2 && pipe(pair) == 0);
    ends[0] = pair[0];
    ends[1] = pair[1];
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    use_epoll();
    CHECK(pthread_create(&thread, NULL, early, NULL) == 0);
    void *library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CHECK(library);
    int (*attach)(const char *) = (int (*)(const char *))dlsym(library, "glasspoll_attach");
    CHECK(attach && attach(NULL) > 0);
    use_epoll();
    CHECK(pthread_kill(thread, SIGUSR1) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(allocations == 0);
    return 0;
}
