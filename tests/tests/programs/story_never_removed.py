"""A worker's pipe is handed to a thread as a duplicate, and closed: the set goes on reporting it."""
import os
import select
import sys
import time

poll = select.epoll()
reader, writer = os.pipe()
poll.register(reader, select.EPOLLIN)
kept_for_the_log = os.dup(reader)
os.write(writer, b"x")
os.close(reader)  # "Closing takes it out of the set", but the file lives on
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for fd, events in poll.poll(1):
        # unknown descriptor: nothing to do
        pass
