"""selectors.EpollSelector over many socket pairs: exactly the right ones are ready."""

import os
import random
import selectors
import socket
import time

random.seed(7)
pairs = [socket.socketpair() for _ in range(200)]
selector = selectors.EpollSelector()
for number, (near, _) in enumerate(pairs):
    near.setblocking(False)
    selector.register(near, selectors.EVENT_READ, number)


def ready(timeout):
    return sorted(key.data for key, _ in selector.select(timeout))


assert ready(0) == []
for _ in range(200):
    chosen = sorted(random.sample(range(len(pairs)), random.randint(1, 20)))
    for number in chosen:
        pairs[number][1].send(b"x")
    assert ready(5) == chosen
    # Level-triggered: data that was not read is reported again.
    assert ready(0) == chosen
    for number in chosen:
        assert pairs[number][0].recv(10) == b"x"
    assert ready(0) == []

begin = time.monotonic()
assert ready(0.2) == []
assert 0.19 < time.monotonic() - begin < 2

selector.modify(pairs[0][0], selectors.EVENT_READ | selectors.EVENT_WRITE, 0)
((key, events),) = selector.select(5)
assert (key.data, events) == (0, selectors.EVENT_WRITE)
selector.modify(pairs[0][0], selectors.EVENT_READ, 0)

pairs[1][1].close()
assert ready(5) == [1]
selector.unregister(pairs[1][0])
assert ready(0) == []

# A child of fork has a copy of the selector's fd and leaves it alone.
pid = os.fork()
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
pairs[2][1].send(b"x")
assert ready(5) == [2]
selector.close()
print("ok")
