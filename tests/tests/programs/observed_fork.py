"""A parent and its child wait by turns on one set, and the child takes the parent's item out of it."""
import os
import select

r, w = os.pipe()
ep = select.epoll()
ep.register(r, select.EPOLLIN)


def turn(times):
    for _ in range(times):
        os.write(w, b"x")
        assert ep.poll(5) == [(r, select.EPOLLIN)]
        os.read(r, 1)


turn(3)
child = os.fork()
if child == 0:
    turn(5)
    ep.unregister(r)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.write(w, b"x")
assert ep.poll(0.05) == []
os.read(r, 1)
ep.register(r, select.EPOLLIN)
turn(7)
print("ended")
