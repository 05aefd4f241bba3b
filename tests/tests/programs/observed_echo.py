"""Echoes a byte at a time until the peer closes, and closes its own end then."""
import select
import socket
import threading
import time

here, there = socket.socketpair()
ep = select.epoll()
ep.register(here, select.EPOLLIN)


def peer():
    for _ in range(20):
        time.sleep(0.002)
        there.send(b"x")
        assert there.recv(1) == b"x"
    there.close()


thread = threading.Thread(target=peer)
thread.start()
while True:
    [(fd, events)] = ep.poll(5)
    assert fd == here.fileno() and events & select.EPOLLIN
    data = here.recv(100)
    if not data:
        break
    here.send(data)
here.close()
thread.join()
print("ended")
