"""A process that lies to whoever looks into it: names that steer terminals and pages, and files under the name of a
record that are none. `hostile.py KIND`: prints `ready`, and goes on until its input ends."""

import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
import time

EVIL = "\x1b]0;owned\x07\x1b[2J\r</script><script>alert(1)</script>\u202e\"'&\n"
kind = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)


def page(blocks, capacity, items, following):
    """The first page of a record, which says that all of this is there."""
    head = bytearray(4096)
    head[:8] = b"glassrng"
    struct.pack_into("<IIIII", head, 8, 1, blocks, capacity, os.getpid(), 1)
    struct.pack_into("<Q", head, 128, following)
    struct.pack_into("<I", head, 192, items)
    return bytes(head)


def lie(size, text, seals=6):
    fd = os.memfd_create("glasspoll", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    os.pwrite(fd, text, 0)
    if seals:
        fcntl.fcntl(fd, 1033, seals)


if kind == "names":
    folder = os.environ["EVIL_DIR"]
    libc.prctl(15, EVIL[:15].encode(), 0, 0, 0)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, EVIL.replace("/", "_").strip()))
    listener.listen()
    ends = socket.socketpair()
    os.mkfifo(os.path.join(folder, "fifo" + EVIL.replace("/", "_")))
    fifo = os.open(os.path.join(folder, "fifo" + EVIL.replace("/", "_")), os.O_RDWR)
    poll = select.epoll()
    for fd in (listener.fileno(), ends[0].fileno(), fifo):
        poll.register(fd, select.EPOLLIN)
    # A finding for the doctor: the loop never handles this hang-up.
    ends[1].close()
    for _ in range(20000):
        poll.poll()
    # Long enough for the test to look at the name again.
    time.sleep(1.5)
elif kind == "unsealed":
    lie(1 << 20, page(64, 64, 64, 64), seals=0)
elif kind == "small":
    lie(8192, page(1 << 20, 1 << 17, 1 << 17, 1 << 20))
elif kind == "items":
    lie(1 << 30, page(64, 1 << 24, 1 << 24, 64))
elif kind == "sparse":
    # A gigabyte of zeros; the first page says that every block is in use.
    lie(4096 + (1 << 30) + (20 << 17), page(1 << 20, 1 << 17, 1 << 17, 1 << 62))
elif kind == "version":
    lie(1 << 20, page(64, 64, 64, 64)[:8] + b"\x63\0\0\0" + page(64, 64, 64, 64)[12:])
elif kind == "fifo":
    # After its own mount is taken away, a file in it has any path that it likes, as seen from outside.
    folder = os.environ["EVIL_DIR"]
    new_user = 0 if os.geteuid() == 0 else 0x10000000
    if libc.unshare(0x20000 | new_user) != 0 or libc.mount(b"none", b"/", None, 0x44000, None) != 0:
        sys.exit("no namespace is to be had")
    if libc.mount(b"none", folder.encode(), b"tmpfs", 0, None) != 0:
        sys.exit("no mount is to be had")
    os.mkfifo(folder + "/memfd:glasspoll")
    held = os.open(folder + "/memfd:glasspoll", os.O_RDWR)
    os.unlink(folder + "/memfd:glasspoll")
    libc.umount2(folder.encode(), 2)
    assert os.readlink(f"/proc/self/fd/{held}") == "/memfd:glasspoll (deleted)"
print("ready", flush=True)
sys.stdin.read()
