"""An echo server and 100 clients in one event loop, then timers and a thread."""

import asyncio
import os
import time


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in range(20):
        message = b"%d:%d;" % (number, turn) * (1 + number * turn)
        writer.write(message)
        assert await reader.readexactly(len(message)) == message
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def large(port):
    """More than the socket buffers hold: both sides wait for room."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    message = os.urandom(8_000_000)

    async def send():
        writer.write(message)
        await writer.drain()
        writer.write_eof()

    task = asyncio.create_task(send())
    await asyncio.sleep(0.2)
    assert await reader.read(-1) == message
    await task
    writer.close()


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=200)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(large(port), *(client(port, n) for n in range(100)))
    server.close()
    await server.wait_closed()

    begin = time.monotonic()
    await asyncio.sleep(0.25)
    assert 0.24 < time.monotonic() - begin < 2, "a timer is late or early"

    # call_soon_threadsafe wakes the loop through a socketpair.
    assert await asyncio.to_thread(lambda: time.sleep(0.1) or 7) == 7


asyncio.run(asyncio.wait_for(main(), 600))
print("ok")
