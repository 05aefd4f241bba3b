"""Leaves descriptors stuck, and goes on with busy ones, which overwrite the ring, for as many seconds as the argument says:
an edge that is not drained, a one-shot item that is not armed again, and a refused write. With `fixed` it does not. With
`paused` it stops to read one on purpose."""
import select
import socket
import sys
import time

how = sys.argv[2]
ep = select.epoll()
listener = socket.create_server(("127.0.0.1", 0))
peers = {}


def connection(events):
    there = socket.create_connection(listener.getsockname())
    here, _ = listener.accept()
    here.setblocking(False)
    ep.register(here, events)
    peers[here.fileno()] = (here, there)
    return here, there


edge, edge_peer = connection(select.EPOLLIN | select.EPOLLET)
once, once_peer = connection(select.EPOLLIN | select.EPOLLONESHOT)
full, full_peer = connection(select.EPOLLIN)
busy, busy_peer = connection(select.EPOLLIN)
if how == "fixed":
    ep.modify(once, select.EPOLLIN)
edge_peer.send(b"x" * 3000)
once_peer.send(b"x" * 64)
if how == "paused":
    ep.modify(edge, 0)
    ep.unregister(once)
    ep.register(once, select.EPOLLONESHOT)
rest = 0
try:
    while how != "paused":
        rest += full.send(b"x" * 65536)
except BlockingIOError:
    if how == "fixed":
        ep.modify(full, select.EPOLLIN | select.EPOLLOUT)
full_peer.setblocking(False)
begin = time.monotonic()
end = begin + float(sys.argv[1])
more = [b"x" * 64]
said = False
while time.monotonic() < end:
    busy_peer.send(b"x")
    if more and time.monotonic() > begin + 0.2:
        once_peer.send(more.pop())
    for fd, events in ep.poll(0.1):
        here = peers[fd][0]
        if events & select.EPOLLOUT:
            ep.modify(here, select.EPOLLIN)
            here.send(b"x")
        if events & select.EPOLLIN:
            here.recv(100)
            while how == "fixed" and here is edge:
                try:
                    here.recv(100)
                except BlockingIOError:
                    break
    try:
        full_peer.recv(1 << 20)
    except BlockingIOError:
        pass
    if not said and time.monotonic() > begin + 3.5:
        print("stuck", edge.fileno(), once.fileno(), full.fileno(), flush=True)
        said = True
