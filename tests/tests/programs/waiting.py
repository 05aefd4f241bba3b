"""A loop that is told of one file again and again and does nothing about it: waiting.py KIND SECONDS.

Prints the descriptor and the pid of the process at its other end, which is a child, or this one.
"""
import ctypes, os, pty, select, signal, socket, struct, sys, tempfile, time, tty

libc = ctypes.CDLL(None, use_errno=True)
kind, seconds = sys.argv[1], float(sys.argv[2])
kept, peer = [], os.getpid()


def in_child(work):
    """Runs `work` in a child, which then lives as long as we do."""
    parent, child = os.getpid(), os.fork()
    if child == 0:
        kept.append(work())
        while os.getppid() == parent:
            time.sleep(0.05)
        os._exit(0)
    return child


def pair(family, kind, payload):
    ours, theirs = socket.socketpair(family, kind)

    def send():
        ours.close()
        theirs.send(payload)

    child = in_child(send)
    theirs.close()
    return ours, child


if kind in ("tcp", "listener"):
    server = socket.create_server(("127.0.0.1", 0), backlog=8)

    def connect():
        client = socket.create_connection(server.getsockname())
        client.sendall(b"x" * 2900)
        server.close()
        return client

    peer = in_child(connect)
    file = server if kind == "listener" else server.accept()[0]
elif kind == "udp":
    file = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    file.bind(("127.0.0.1", 0))
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x" * 10, file.getsockname())
elif kind == "stream":
    file, peer = pair(socket.AF_UNIX, socket.SOCK_STREAM, b"x" * 2900)
elif kind == "dgram":
    file, peer = pair(socket.AF_UNIX, socket.SOCK_DGRAM, b"x" * 290)
elif kind == "seqpacket":
    file, peer = pair(socket.AF_UNIX, socket.SOCK_SEQPACKET, b"x" * 290)
elif kind == "pipe":
    file, theirs = os.pipe()
    peer = in_child(lambda: (os.close(file), os.write(theirs, b"x" * 2900)))
    os.close(theirs)
elif kind == "eventfd":
    file = libc.eventfd(7, os.O_NONBLOCK)
elif kind == "timerfd":
    file = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
    libc.timerfd_settime(file, 0, struct.pack("qqqq", 0, 1000000, 0, 1000000), None)
elif kind == "signalfd":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    file = libc.signalfd(-1, struct.pack("Q", 1 << (signal.SIGUSR1 - 1)) + b"\0" * 120, os.O_NONBLOCK)
    os.kill(os.getpid(), signal.SIGUSR1)
elif kind == "inotify":
    file, folder = libc.inotify_init1(os.O_NONBLOCK), tempfile.mkdtemp()
    libc.inotify_add_watch(file, folder.encode(), 0x100)
    open(folder + "/file", "w").close()
    os.unlink(folder + "/file")
    os.rmdir(folder)
elif kind == "pty":
    master, file = pty.openpty()
    tty.setraw(file)
    kept.append(master)
    os.write(master, b"x" * 29)
elif kind == "netlink":
    # An answer to a question about all links.
    file = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    file.send(struct.pack("=IHHII", 32, 18, 0x301, 1, 0) + b"\0" * 16)

fd = file if isinstance(file, int) else file.fileno()
time.sleep(0.1)
ep = select.epoll()
ep.register(fd, select.EPOLLIN)
print(fd, peer, flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    ep.poll(1)
