"""Children of a process with a live set: pipes, inherited files, sessions, signals."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading

near, far = socket.socketpair()
ep = select.epoll()
ep.register(near, select.EPOLLIN)


def check_set():
    """The children have left the parent's set as it was."""
    assert ep.poll(0) == []
    far.send(b"x")
    assert ep.poll(600) == [(near.fileno(), select.EPOLLIN)]
    assert near.recv(10) == b"x"
    assert ep.poll(0) == []


def run(*arguments, **options):
    options.setdefault("timeout", 600)
    return subprocess.run(arguments, capture_output=True, **options)


body = os.urandom(3_000_000)
assert run("cat", input=body).stdout == body
check_set()

done = run("sh", "-c", "echo out; echo err >&2; exit 9")
print(done.returncode, done.stdout, done.stderr)
check_set()

for options in [{"close_fds": False}, {"start_new_session": True}, {"preexec_fn": os.getpid}, {"cwd": "/"}]:
    assert run("echo", "child", **options).stdout == b"child\n", options
    check_set()

# A child that reads its inherited files through an event loop of its own.
script = """
import os, selectors, sys
selector = selectors.EpollSelector()
selector.register(int(sys.argv[1]), selectors.EVENT_READ)
total = 0
while selector.select(10):
    part = os.read(int(sys.argv[1]), 65536)
    if not part:
        break
    total += len(part)
print(total)
"""
r, w = os.pipe()
command = [sys.executable, "-c", script, str(r)]
child = subprocess.Popen(command, pass_fds=[r], stdout=subprocess.PIPE)
os.close(r)
for _ in range(40):
    os.write(w, b"z" * 10_000)
os.close(w)
print(child.communicate(timeout=600)[0], child.returncode)
check_set()

# A child whose pipe is in the parent's set: output, then the end.
child = subprocess.Popen(["sh", "-c", "echo one; sleep 0.2"], stdout=subprocess.PIPE)
ep.register(child.stdout, select.EPOLLIN)
assert ep.poll(600) == [(child.stdout.fileno(), select.EPOLLIN)]
assert os.read(child.stdout.fileno(), 100) == b"one\n"
assert ep.poll(600) == [(child.stdout.fileno(), select.EPOLLHUP)]
child.stdout.close()
assert child.wait(600) == 0
check_set()

try:
    run("sleep", "60", timeout=0.2)
except subprocess.TimeoutExpired:
    print("timed out")
child = subprocess.Popen(["sleep", "600"])
child.terminate()
assert child.wait(600) == -signal.SIGTERM
check_set()

# Several threads start children while the main thread waits for traffic.
ended = []


def start_some():
    for number in range(25):
        ended.append(run("sh", "-c", f"read x; exit {number}", input=b"go\n").returncode)
    far.send(b"e")


threads = [threading.Thread(target=start_some) for _ in range(4)]
for thread in threads:
    thread.start()
ends = b""
while len(ends) < 4:
    assert ep.poll(600) == [(near.fileno(), select.EPOLLIN)]
    ends += near.recv(10)
for thread in threads:
    thread.join()
assert sorted(ended) == sorted(list(range(25)) * 4)
check_set()
assert os.system("exit 3") == 3 << 8
assert os.popen("echo popen").read() == "popen\n"
check_set()
print("ok")
