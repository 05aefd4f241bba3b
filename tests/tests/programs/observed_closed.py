"""Closes a watched socket that a child has, too: the set goes on reporting it until the child ends."""
import os
import select
import signal
import socket

here, there = socket.socketpair()
ep = select.epoll()
ep.register(here, select.EPOLLIN)
child = os.fork()
if child == 0:
    while True:
        signal.pause()
fd = here.fileno()
here.close()
there.send(b"x")
for _ in range(200):
    assert ep.poll(5) == [(fd, select.EPOLLIN)]
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
assert ep.poll(0) == []
print("ended")
