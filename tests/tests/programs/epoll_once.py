import os
import select

r, w = os.pipe()
ep = select.epoll()
ep.register(r, select.EPOLLIN)
assert ep.poll(0) == []
os.write(w, b"x")
assert ep.poll(5) == [(r, select.EPOLLIN)]
print("ready")
