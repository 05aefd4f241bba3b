"""A wakeup that comes in while a scan is under way goes to the overflow list."""
import os, select

a, to_a = os.pipe()
b, to_b = os.pipe()
ep = select.epoll()
ep.register(a, select.EPOLLIN)
ep.register(b, select.EPOLLIN)
os.write(to_a, b"x")
ep.poll()                                   # a: level-triggered, so it goes back to the ready list
os.write(to_b, b"x")                        # b becomes ready; the wakeup waits in the kernel's queue
ep.poll()                                   # starts a scan with a, and takes in the wakeup of b during it
