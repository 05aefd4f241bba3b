"""A set in a set; and what is refused."""
import os, select

reader, writer = os.pipe()
inner, outer = select.epoll(), select.epoll()
inner.register(reader, select.EPOLLIN)
outer.register(inner, select.EPOLLIN)
os.write(writer, b"x")
outer.poll()
inner.poll()
try:
    inner.register(outer, select.EPOLLIN)
except OSError as error:
    print(error)
