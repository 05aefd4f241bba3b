"""Closes the reading end of a pipe that is in its set while a child holds it, and waits again and again for as many
seconds as the argument says."""
import os
import select
import signal
import sys
import time

ep = select.epoll()
reader, writer = os.pipe()
ep.register(reader, select.EPOLLIN)
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
os.close(reader)
os.write(writer, b"x" * 2900)
print(child, flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    ep.poll(1)
    time.sleep(0.0001)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
