// Data: how it is written to a file and read from it.
#ifndef HARNESS_DATA_H
#define HARNESS_DATA_H

#include "check.h"
#include "clock.h"
#include <poll.h>
#include <stdint.h>

static inline void put(int fd, const char *text)
{
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

static inline void bump(int eventfd, uint64_t by)
{
    CHECK_EQ(write(eventfd, &by, sizeof by), sizeof by);
}

// Reads to EAGAIN or the end; returns how many bytes it read.
static inline long drain(int fd)
{
    static _Thread_local char buf[65536];
    long n, total = 0;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        total += n;
    CHECK(n == 0 || errno == EAGAIN);
    return total;
}

// Writes to EAGAIN; returns how many bytes fitted.
static inline long fill(int fd)
{
    static char buf[65536];
    long n, total = 0;
    for (size_t size = sizeof buf; size; size = size > 1 ? size / 8 : 0)
        while ((n = write(fd, buf, size)) > 0)
            total += n;
    CHECK_EQ(errno, EAGAIN);
    return total;
}

// Reads until `total` bytes have come, however late they come.
static inline void drain_exactly(int fd, long total)
{
    while (total > 0) {
        struct pollfd p = {fd, POLLIN, 0};
        CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
        total -= drain(fd);
    }
    CHECK_EQ(total, 0);
}

// Waits until `fd` has all these poll bits. For a state that arrives
// asynchronously, such as what a TCP peer did.
static inline void until_polls(int fd, short bits)
{
    struct pollfd p = {fd, bits, 0};
    UNTIL(poll(&p, 1, 0) >= 0 && (p.revents & bits) == bits);
}

#endif
