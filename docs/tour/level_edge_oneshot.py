"""The same file in three sets: level, edge, one-shot."""
import os, select

reader, writer = os.pipe()
level, edge, oneshot = select.epoll(), select.epoll(), select.epoll()
level.register(reader, select.EPOLLIN)
edge.register(reader, select.EPOLLIN | select.EPOLLET)
oneshot.register(reader, select.EPOLLIN | select.EPOLLONESHOT)
os.write(writer, b"x")
for name, ep in ("level", level), ("edge", edge), ("one-shot", oneshot):
    print(name, [len(ep.poll(0)) for _ in range(2)])
os.write(writer, b"y")
print("after another write:", len(edge.poll(0)), len(oneshot.poll(0)))
oneshot.modify(reader, select.EPOLLIN | select.EPOLLONESHOT)
print("after MOD:", len(oneshot.poll(0)))
