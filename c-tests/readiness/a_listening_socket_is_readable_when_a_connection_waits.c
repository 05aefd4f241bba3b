// A listener reports IN while a connection waits to be accepted (level), or once for each new connection (edge). TCP
// and unix.
// Source: accept(2). Contract: 23
// Limit: poll: on a listening socket that was not drained another connection is no edge
#include "harness.h"

static void test(void)
{
    struct sockaddr_in tcp;
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t len = sizeof local;
    int listener[2] = {tcp_listener(&tcp),
                       OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0))};
    OK(bind(listener[1], (struct sockaddr *)&local, sizeof(sa_family_t)));
    OK(getsockname(listener[1], (struct sockaddr *)&local, &len));
    OK(listen(listener[1], 64));
    struct sockaddr *at[] = {(struct sockaddr *)&tcp, (struct sockaddr *)&local};
    socklen_t size[] = {sizeof tcp, len};

    for (int i = 0; i < 2; i++) {
        int epfd = ep_new(), client[3], server[3];
        OK(ep_add(epfd, listener[i], EPOLLIN));
        EXPECT_NOTHING_NOW(epfd);
        for (int c = 0; c < 3; c++) {
            client[c] = OK(socket(at[i]->sa_family, SOCK_STREAM, 0));
            if (c == 1)
                OK(ep_mod(epfd, listener[i], EPOLLIN | EPOLLET));
            OK(connect(client[c], at[i], size[i]));
            EXPECT_ONE(epfd, listener[i], EPOLLIN);
            if (c == 0) {
                EXPECT_ONE(epfd, listener[i], EPOLLIN);
                server[0] = accept_one(listener[i]);
            }
            EXPECT_NOTHING_NOW(epfd);
        }
        server[1] = accept_one(listener[i]);
        EXPECT_NOTHING_NOW(epfd);
        server[2] = accept_one(listener[i]);
        for (int c = 0; c < 3; c++) {
            OK(close(client[c]));
            OK(close(server[c]));
        }
        OK(close(listener[i]));
        OK(close(epfd));
    }
}
