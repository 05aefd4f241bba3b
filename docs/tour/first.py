"""One pipe, one set, one event."""
import os, select, threading, time

reader, writer = os.pipe()
ep = select.epoll()                         # epoll_create1(EPOLL_CLOEXEC)
ep.register(reader, select.EPOLLIN)         # epoll_ctl(ADD)
threading.Timer(0.05, os.write, (writer, b"x")).start()
ep.poll()                                   # epoll_wait: sleeps for 50 ms
os.read(reader, 1)
ep.unregister(reader)                       # epoll_ctl(DEL)
ep.register(reader, select.EPOLLIN)
os.close(reader)                            # the last fd of the file: the item goes with it
