"""A launcher that keeps LD_PRELOAD and clears the rest of the environment. The program after it has no descriptor but
a pipe in a set, which it uses many times; then it exits with status 7."""
import os
import sys

PROGRAM = """
import os, select
ep = select.epoll()
reader, writer = os.pipe()
ep.register(reader, select.EPOLLIN)
for _ in range(300):
    os.write(writer, b"x")
    ep.poll(1)
    os.read(reader, 1)
    ep.poll(0.001)
print("300 events", flush=True)
os._exit(7)
"""
os.execve(sys.executable, [sys.executable, "-c", PROGRAM], {"LD_PRELOAD": os.environ.get("LD_PRELOAD", "")})
