"""A file without O_ASYNC, a pidfd: the thread that waits asks it by ppoll(2)."""
import os, select, subprocess

child = subprocess.Popen(["sleep", "0.1"])
pidfd = os.pidfd_open(child.pid)
ep = select.epoll()
ep.register(pidfd, select.EPOLLIN)
ep.poll()
child.wait()
