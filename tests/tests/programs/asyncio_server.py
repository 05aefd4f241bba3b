"""A server of lines on TCP, on a unix socket and on UDP; SIGTERM stops it, SIGUSR1 is counted."""

import asyncio
import signal
import sys

counts = {"connections": 0, "lines": 0, "datagrams": 0, "signals": 0, "errors": 0}


async def serve(reader, writer):
    counts["connections"] += 1
    try:
        while line := await reader.readline():
            if line == b"signals\n":
                writer.write(b"%d\n" % counts["signals"])
            else:
                counts["lines"] += 1
                writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()
    except OSError as error:
        counts["errors"] += 1
        print(error, file=sys.stderr)


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        counts["datagrams"] += 1
        self.transport.sendto(data.upper(), address)

    def error_received(self, error):
        counts["errors"] += 1


def count_signal():
    counts["signals"] += 1


async def main(port):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, count_signal)
    servers = [
        await asyncio.start_unix_server(serve, "socket", backlog=1000),
        await asyncio.start_server(serve, "127.0.0.1", port, backlog=1000),
    ]
    transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", port))
    await stop.wait()
    transport.close()
    for server in servers:
        server.close()
        await server.wait_closed()


asyncio.run(main(int(sys.argv[1])))
print(counts)
