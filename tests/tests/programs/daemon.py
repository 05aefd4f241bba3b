"""Becomes a daemon that lives for some seconds and has a set; the program that was started exits with status 3."""
import os
import select
import sys
import time

if os.fork():
    os._exit(3)
os.setsid()
if os.fork():
    os._exit(0)
end = time.monotonic() + float(sys.argv[1])
ep = select.epoll()
while time.monotonic() < end:
    ep.poll(0.05)
