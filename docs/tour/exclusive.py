"""Two sets with EPOLLEXCLUSIVE on one pipe, a thread asleep on each: one wakeup wakes one of them."""
import os, select, threading, time

reader, writer = os.pipe()
sets = [select.epoll(), select.epoll()]
for ep in sets:
    ep.register(reader, select.EPOLLIN | select.EPOLLEXCLUSIVE)
woken = []
threads = [threading.Thread(target=lambda ep=ep: woken.append(ep.poll(0.5))) for ep in sets]
for thread in threads:
    thread.start()
time.sleep(0.2)
os.write(writer, b"x")
time.sleep(0.1)
os.read(reader, 1)                          # the second one must find nothing when its time is over
for thread in threads:
    thread.join()
print(sorted(len(events) for events in woken))
