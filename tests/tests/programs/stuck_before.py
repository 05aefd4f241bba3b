"""A server that has left two connections of another process stuck, an edge that is not drained and a one-shot item that is
not armed again, and goes on with a busy one. With `fixed` it has not; with `paused` it has silenced them on purpose."""
import os
import select
import socket
import sys

how = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
parent = os.getpid()
if os.fork() == 0:
    edge, once, busy = (socket.create_connection(listener.getsockname()) for _ in range(3))
    edge.send(b"x" * 3000)
    once.send(b"x" * 64)
    try:
        while os.getppid() == parent:
            busy.send(b"x")
            busy.recv(1)
            select.select([], [], [], 0.002)
    except OSError:
        pass
    os._exit(0)
edge, once, busy = (listener.accept()[0] for _ in range(3))
listener.close()
ep = select.epoll()
ep.register(edge, select.EPOLLIN | select.EPOLLET)
ep.register(once, select.EPOLLIN | select.EPOLLONESHOT)
ep.register(busy, select.EPOLLIN)
stuck = {edge.fileno(), once.fileno()}
while True:
    for fd, events in ep.poll():
        if fd == busy.fileno():
            busy.recv(1)
            busy.send(b"x")
            continue
        stuck.discard(fd)
        if how == "fixed":
            ep.modify(fd, select.EPOLLIN)
            (edge if fd == edge.fileno() else once).recv(4000)
        elif how == "paused":
            ep.modify(fd, 0)
        if not stuck:
            print("stuck", edge.fileno(), once.fileno(), flush=True)
            stuck = {-1}
