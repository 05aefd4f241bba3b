"""Gets an event every millisecond, for ever."""
import os
import select
import time

r, w = os.pipe()
ep = select.epoll()
ep.register(r, select.EPOLLIN)
print("ready", flush=True)
while True:
    os.write(w, b"x")
    assert ep.poll(5) == [(r, select.EPOLLIN)]
    os.read(r, 1)
    time.sleep(0.001)
