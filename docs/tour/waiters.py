"""Two threads wait on one set: each edge wakes one of them, the last to come first."""
import os, select, threading, time

reader, writer = os.pipe()
ep = select.epoll()
ep.register(reader, select.EPOLLIN | select.EPOLLET)
threads = [threading.Thread(target=ep.poll) for _ in range(2)]
for thread in threads:
    thread.start()
    time.sleep(0.1)
for byte in b"x", b"y":
    os.write(writer, byte)
    time.sleep(0.1)
for thread in threads:
    thread.join()
