"""A listener with TCP_DEFER_ACCEPT, whose clients speak a little after they have connected: the kernel drops the bare ACK of
each, which the listener counts. Prints how many were served."""
import select
import socket
import threading
import time

listener = socket.socket()
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
ep = select.epoll()
ep.register(listener, select.EPOLLIN)


def clients():
    for _ in range(60):
        with socket.create_connection(listener.getsockname()) as client:
            time.sleep(0.02)
            client.send(b"x")
            client.recv(1)


load = threading.Thread(target=clients)
load.start()
served = 0
while load.is_alive():
    for _ in ep.poll(0.1):
        with listener.accept()[0] as connection:
            connection.recv(1)
            connection.send(b"y")
            served += 1
print(served)
