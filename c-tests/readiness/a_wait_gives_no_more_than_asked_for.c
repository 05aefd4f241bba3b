// If a wait has room for fewer events than there are, it returns only as many as fit, and writes nothing behind them.
// Some of the files become ready as items, others are added when they are ready.
// Source: epoll_wait(2), maxevents. Contract: 5, 18
#include "harness.h"

enum { FILES = 12, ADDED = 4 };

static void test(void)
{
    int epfd = ep_new(), file[FILES];
    for (int i = 0; i < FILES; i++)
        file[i] = event_fd();
    for (int room = 1; room <= FILES; room++) {
        struct epoll_event ev[FILES + 2];
        for (int i = 0; i < FILES - ADDED; i++)
            OK(ep_add(epfd, file[i], EPOLLIN));
        EXPECT_NOTHING_NOW(epfd);
        for (int i = 0; i < FILES; i++)
            bump(file[i], 1);
        for (int i = FILES - ADDED; i < FILES; i++)
            OK(ep_add(epfd, file[i], EPOLLIN));
        for (int turn = 0; turn < 3; turn++) {
            memset(ev, 0x5a, sizeof ev);
            CHECK_EQ(epoll_wait(epfd, ev, room, 0), room);
            for (size_t k = room * sizeof *ev; k < sizeof ev; k++)
                CHECK_EQ(((unsigned char *)ev)[k], 0x5a);
        }
        for (int i = 0; i < FILES; i++) {
            drain(file[i]);
            OK(ep_del(epfd, file[i]));
        }
    }
    for (int i = 0; i < FILES; i++)
        OK(close(file[i]));
    OK(close(epfd));
}
