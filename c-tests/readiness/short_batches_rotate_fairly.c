// If a wait has room for fewer events than there are ready items, every item
// gets the same number of turns.
// Source: epoll(7), starvation; Linux: fs/eventpoll.c:ep_send_events.
// Contract: 18
#include "harness.h"

enum { ITEMS = 12, ROUNDS = 50 };

static void test(void)
{
    int slots[] = {1, 3, 4};
    for (int k = 0; k < 3; k++) {
        int epfd = ep_new(), fd[ITEMS][2], count[ITEMS] = {0};
        struct epoll_event ev[4];
        for (int i = 0; i < ITEMS; i++) {
            unix_stream(fd[i]);
            OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[i][0], EPOLLIN, i));
            put(fd[i][1], "x");
        }
        for (int turn = 0; turn < ROUNDS * ITEMS / slots[k]; turn++) {
            CHECK_EQ(epoll_wait(epfd, ev, slots[k], 0), slots[k]);
            for (int i = 0; i < slots[k]; i++)
                count[ev[i].data.u64]++;
        }
        for (int i = 0; i < ITEMS; i++) {
            CHECK_EQ(count[i], ROUNDS);
            close_pair(fd[i]);
        }
        OK(close(epfd));
    }
}
