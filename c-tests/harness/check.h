// Verdicts: a test passes, fails or is skipped.
#ifndef HARNESS_CHECK_H
#define HARNESS_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// _exit, so that a failing child of fork does not flush its parent's buffers.
#define FAIL(...)                                                              \
    do {                                                                       \
        dprintf(2, "%s:%d: ", __FILE__, __LINE__);                             \
        dprintf(2, __VA_ARGS__);                                               \
        dprintf(2, "\n");                                                      \
        _exit(1);                                                              \
    } while (0)

#define SKIP(...)                                                              \
    do {                                                                       \
        dprintf(2, "skip: ");                                                  \
        dprintf(2, __VA_ARGS__);                                               \
        dprintf(2, "\n");                                                      \
        _exit(77);                                                             \
    } while (0)

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond))                                                           \
            FAIL("%s is false (errno %s)", #cond, strerrorname_np(errno));     \
    } while (0)

#define CHECK_EQ(actual, expected)                                             \
    do {                                                                       \
        long long a_ = (long long)(actual), e_ = (long long)(expected);        \
        int err_ = errno;                                                      \
        if (a_ != e_)                                                          \
            FAIL("%s is %lld (%#llx), expected %s = %lld (%#llx), errno %s",   \
                 #actual, a_, a_, #expected, e_, e_, strerrorname_np(err_));   \
    } while (0)

#define CHECK_ERR(call, error)                                                 \
    do {                                                                       \
        errno = 0;                                                             \
        long r_ = (long)(call);                                                \
        int err_ = errno;                                                      \
        if (r_ != -1 || err_ != (error))                                       \
            FAIL("%s returned %ld errno %s, expected -1 %s", #call, r_,        \
                 strerrorname_np(err_), strerrorname_np(error));               \
    } while (0)

// The value of a call that must not fail.
#define OK(call)                                                               \
    ({                                                                         \
        long r_ = (long)(call);                                                \
        if (r_ == -1)                                                          \
            FAIL("%s failed: %s", #call, strerrorname_np(errno));              \
        r_;                                                                    \
    })

#endif
