// Another thread writes to the other end or closes it: each ends a wait. Unix
// stream, TCP, UDP, pipe, eventfd, pty; level and edge.
// Source: epoll_wait(2). Contract: 18, 19
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++)
        for (int kind = 0; kind < 6; kind++) {
            int epfd = ep_new(), fd[2];
            struct waiter w;
            switch (kind) {
            case 0: unix_stream(fd); break;
            case 1: tcp_pair(fd); break;
            case 2: udp_pair(fd); break;
            case 3: pipe_pair(fd); break;
            case 4: fd[0] = event_fd(), fd[1] = OK(dup(fd[0])); break;
            case 5: pty_pair(fd); break;
            }
            OK(ep_add(epfd, fd[0], EPOLLIN | (edge ? EPOLLET : 0)));
            for (int i = 0; i < 3; i++) {
                waiter_block(&w, epfd);
                bump(fd[1], 1);
                waiter_join_with(&w, fd[0], EPOLLIN);
                drain_exactly(fd[0], 8);
            }
            waiter_block(&w, epfd);
            OK(close(fd[1]));
            if (kind == 2 || kind == 4) { // these files do not report the close of the other end
                sleep_ms(20);
                CHECK(!w.done);
                OK(ep_mod(epfd, fd[0], EPOLLOUT));
                waiter_join_with(&w, fd[0], EPOLLOUT);
            } else {
                waiter_join_with(&w, fd[0], kind == 0   ? EPOLLIN | EPOLLHUP
                                            : kind == 1 ? EPOLLIN
                                                        : EPOLLHUP);
            }
            OK(close(fd[0]));
            OK(close(epfd));
        }
}
