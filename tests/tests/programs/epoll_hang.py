"""Gets some events, then one whose callback never comes back: it sleeps, or spins."""
import os
import select
import sys
import threading
import time

r, w = os.pipe()
ep = select.epoll()
ep.register(r, select.EPOLLIN)
threading.Thread(target=lambda: time.sleep(1e6), daemon=True).start()
for _ in range(10):
    os.write(w, b"x")
    assert ep.poll(5) == [(r, select.EPOLLIN)]
    os.read(r, 1)
os.write(w, b"x")
ep.poll(5)
print("stuck", flush=True)
while True:
    if sys.argv[1] == "sleep":
        time.sleep(1000)
