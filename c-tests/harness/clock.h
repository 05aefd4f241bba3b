// Time: how long a test waits, and how it waits.
#ifndef HARNESS_CLOCK_H
#define HARNESS_CLOCK_H

#include "check.h"
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    WAIT_MS = 120000, // a hang: longer than anything takes, even on a busy machine
    QUIET_MS = 60,    // how long "nothing happens" is watched
};

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// A signal restarts the sleep, so a test's handlers do not shorten it.
static inline void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
}

// Waits until another thread makes a condition true.
#define UNTIL(cond)                                                            \
    do {                                                                       \
        int64_t end_ = now_ns() + WAIT_MS * 1000000LL;                         \
        while (!(cond)) {                                                      \
            if (now_ns() > end_)                                               \
                FAIL("still not true after %d s: %s", WAIT_MS / 1000, #cond);  \
            sleep_ms(1);                                                       \
        }                                                                      \
    } while (0)

#endif
