"""Has no set itself; its child spins at a hang-up until it is killed."""
import os
import select
import time

reader, writer = os.pipe()
os.close(writer)
if os.fork() == 0:
    ep = select.epoll()
    ep.register(reader, select.EPOLLIN)
    print("spins", flush=True)
    while True:
        ep.poll(1)
        time.sleep(0.0001)
os.wait()
