"""An echo server that does not look at the end of a connection: from then on its loop never sleeps."""
import selectors
import socket
import sys
import threading
import time

selector = selectors.EpollSelector()
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ)


def client():
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(b"hello")
        connection.recv(100)


threading.Thread(target=client, daemon=True).start()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for key, _ in selector.select(1):
        if key.fileobj is listener:
            connection, _ = listener.accept()
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        else:
            data = key.fileobj.recv(4096)
            if data:
                key.fileobj.sendall(data)
            # If there is no data, it is the end of the connection, which this server does not handle.
