"""A parent waits 40 times and a child 30 times, which dies by SIGKILL; then the parent dies so, too, or by exec."""
import os
import select
import signal
import sys


def wait(times):
    r, w = os.pipe()
    ep = select.epoll()
    ep.register(r, select.EPOLLIN)
    for _ in range(times):
        os.write(w, b"x")
        assert ep.poll(5) == [(r, select.EPOLLIN)]
        os.read(r, 1)


if sys.argv[1:] == ["again"]:
    wait(20)
    sys.exit(5)
child = os.fork()
if child == 0:
    if "setuid" in sys.argv:
        os.setgid(65534)
        os.setuid(65534)
    wait(30)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
wait(40)
if "exec" in sys.argv:
    os.execv(sys.executable, [sys.executable, __file__, "again"])
os.kill(os.getpid(), signal.SIGKILL)
