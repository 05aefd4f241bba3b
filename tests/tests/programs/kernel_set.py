"""Makes a set with a file of each kind that `glasspoll ls` tells apart, prints the fds, and waits for nothing."""
import os
import select
import socket

ep = select.epoll()

count = os.eventfd(5)
ep.register(count, select.EPOLLIN | select.EPOLLONESHOT)
assert ep.poll(60) == [(count, select.EPOLLIN)]

one, other = socket.socketpair()
other.send(b"hello")
ep.register(one, select.EPOLLOUT | select.EPOLLET)
assert ep.poll(60) == [(one.fileno(), select.EPOLLOUT)]

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(3)
client = socket.create_connection(listener.getsockname())
ep.register(listener, select.EPOLLPRI)

gone = socket.socket()
gone.bind(("127.0.0.1", 0))
gone.listen(1)
ep.register(gone, select.EPOLLIN)
fds = [ep.fileno(), count, one.fileno(), listener.fileno(), gone.fileno()]
elsewhere = os.dup(gone.fileno())
gone.close()

print(*fds, flush=True)
while True:
    ep.poll()
