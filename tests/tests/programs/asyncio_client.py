"""A client of asyncio_server.py: many connections of each kind at a time."""

import asyncio
import os
import signal
import sys

CONNECTIONS = 300
LINES = 20
port, server = map(int, sys.argv[1:])


async def ask(connecting, number):
    reader, writer = await connecting
    for turn in range(LINES):
        line = b"line %d of %d" % (turn, number) + b"x" * number * turn + b"\n"
        writer.write(line)
        assert await reader.readline() == line.upper()
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return LINES


class Answers(asyncio.DatagramProtocol):
    def __init__(self):
        self.queue = asyncio.Queue()

    def datagram_received(self, data, address):
        self.queue.put_nowait(data)


async def datagrams(number):
    loop = asyncio.get_running_loop()
    address = ("127.0.0.1", port)
    transport, answers = await loop.create_datagram_endpoint(Answers, remote_addr=address)
    for turn in range(LINES):
        transport.sendto(b"datagram %d of %d" % (turn, number))
        assert await answers.queue.get() == b"DATAGRAM %d OF %d" % (turn, number)
    transport.close()
    return LINES


async def signals():
    """One at a time: of two that are pending together the kernel drops one."""
    reader, writer = await asyncio.open_unix_connection("socket")
    for number in range(1, 51):
        os.kill(server, signal.SIGUSR1)
        count = 0
        while count < number:
            writer.write(b"signals\n")
            count = int(await reader.readline())
        assert count == number
    writer.close()
    await writer.wait_closed()
    return 0


async def main():
    tcp = (ask(asyncio.open_connection("127.0.0.1", port, limit=2**20), n) for n in range(CONNECTIONS))
    unix = (ask(asyncio.open_unix_connection("socket", limit=2**20), n) for n in range(CONNECTIONS))
    udp = (datagrams(n) for n in range(20))
    answers = await asyncio.wait_for(asyncio.gather(*tcp, *unix, *udp, signals()), 600)
    print(sum(answers), "answers")


asyncio.run(main())
print("ok")
