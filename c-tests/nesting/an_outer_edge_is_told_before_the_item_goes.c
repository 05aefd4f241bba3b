// A file becomes ready in the inner set, and leaves the set before a waiter
// looks. The outer set was told when the file became ready, so it looks at the
// inner set.
#include "harness.h"

enum way { DELETE, CLOSE, DUP2 };

static void leaves(enum way way)
{
    int outer = ep_new(), inner = ep_new(), fd[2], other[2];
    unix_stream(fd);
    unix_stream(other);
    put(other[1], "keeps the inner set ready");
    OK(ep_add(inner, other[0], EPOLLIN));
    OK(ep_add(inner, fd[0], EPOLLIN));
    OK(ep_add(outer, inner, EPOLLIN | EPOLLET));
    EXPECT_ONE(outer, inner, EPOLLIN);
    EXPECT_NOTHING_NOW(outer);
    put(fd[1], "x");
    switch (way) {
    case DELETE: OK(ep_del(inner, fd[0])); break;
    case CLOSE: OK(close(fd[0])); break;
    case DUP2: OK(dup2(other[1], fd[0])); break;
    }
    EXPECT_ONE(outer, inner, EPOLLIN);
    EXPECT_NOTHING_NOW(outer);
    if (way != CLOSE)
        OK(close(fd[0]));
    OK(close(fd[1]));
    close_pair(other);
    OK(close(inner));
    OK(close(outer));
}

static void test(void)
{
    leaves(DELETE);
    leaves(CLOSE);
    leaves(DUP2);
}
