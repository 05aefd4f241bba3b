"""Waits on a set once, and five times more in the program that it becomes."""
import os
import select
import sys


def turn(times):
    for _ in range(times):
        os.write(w, b"x")
        assert ep.poll(5) == [(r, select.EPOLLIN)]
        os.read(r, 1)


if sys.argv[1:]:
    r, w, epfd = map(int, sys.argv[1:])
    ep = select.epoll.fromfd(epfd)
    turn(5)
    print("ended")
    sys.exit()
r, w = os.pipe()
ep = select.epoll()
ep.register(r, select.EPOLLIN)
turn(1)
fds = [r, w, ep.fileno()]
for fd in fds:
    os.set_inheritable(fd, True)
os.execv(sys.executable, [sys.executable, __file__, *map(str, fds)])
