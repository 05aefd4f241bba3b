// NIO's Selector and asynchronous channels, from several threads.
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.ArrayList;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;

public class Channels {
    static final int CONNECTIONS = 100, TURNS = 20;

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static InetSocketAddress loopback() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    /** Runs `work` in another thread after a while. */
    static Thread later(Callable<?> work) {
        var thread = new Thread(() -> {
            try {
                Thread.sleep(50);
                work.call();
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        thread.start();
        return thread;
    }

    static void wakeups() throws Exception {
        try (var selector = Selector.open()) {
            long begin = System.nanoTime();
            check(selector.select(100) == 0, "nothing was registered");
            check(System.nanoTime() - begin >= 100_000_000, "a timeout was early");
            for (int n = 0; n < 20; n++) {
                var thread = later(selector::wakeup);
                check(selector.select() == 0, "a wakeup is no event");
                thread.join();
            }
            selector.wakeup();
            selector.wakeup();
            check(selector.select() == 0, "a wakeup before the wait");
            check(selector.selectNow() == 0, "it is used up");
            Thread.currentThread().interrupt();
            check(selector.select() == 0, "an interrupted thread does not wait");
            check(Thread.interrupted(), "its status stays");
            var closer = later(() -> { selector.close(); return null; });
            try {
                selector.select();
            } catch (ClosedSelectorException closed) {
                // An exception here and a normal return are both allowed.
            }
            closer.join();
            check(!selector.isOpen(), "closed");
        }
    }

    static void registrations() throws Exception {
        try (var selector = Selector.open()) {
            var pipe = Pipe.open();
            pipe.source().configureBlocking(false);
            // From another thread, while this one waits.
            var adder = later(() -> {
                pipe.source().register(selector, SelectionKey.OP_READ);
                return pipe.sink().write(ByteBuffer.wrap("x".getBytes()));
            });
            while (selector.select(1000) == 0) { }
            adder.join();
            var key = pipe.source().keyFor(selector);
            check(key.isReadable(), "the pipe has data");
            selector.selectedKeys().clear();
            check(selector.selectNow() == 1, "level: it still has");
            selector.selectedKeys().clear();
            key.interestOps(0);
            check(selector.selectNow() == 0, "nobody asks");
            // An interest that another thread sets takes effect in the wait after a wakeup.
            var changer = later(() -> {
                key.interestOps(SelectionKey.OP_READ);
                return selector.wakeup();
            });
            int ready = selector.select();
            if (ready == 0) ready = selector.selectNow();
            check(ready == 1, "asked again");
            changer.join();
            selector.selectedKeys().clear();
            var canceller = later(() -> { key.cancel(); return selector.wakeup(); });
            while (!selector.keys().isEmpty()) {
                selector.select(1000);
                selector.selectedKeys().clear();
            }
            canceller.join();
            check(pipe.source().keyFor(selector) == null, "cancelled");
            // Registered anew, then closed by another thread.
            pipe.source().register(selector, SelectionKey.OP_READ);
            check(selector.selectNow() == 1, "the byte is still there");
            selector.selectedKeys().clear();
            pipe.source().close();
            check(selector.selectNow() == 0, "a closed channel");
            check(selector.keys().isEmpty(), "leaves the selector");
            pipe.sink().close();
        }
    }

    /** An echo server and all its clients in one selector. */
    static int echoes(ServerSocketChannel server) throws Exception {
        try (var selector = Selector.open()) {
            server.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
            for (int n = 0; n < CONNECTIONS; n++) {
                var address = server.getLocalAddress();
                var client = address instanceof UnixDomainSocketAddress
                    ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
                client.configureBlocking(false);
                boolean connected = client.connect(address);
                int interest = connected ? SelectionKey.OP_WRITE : SelectionKey.OP_CONNECT;
                client.register(selector, interest, new int[1]);
            }
            int answers = 0;
            var buffer = ByteBuffer.allocate(1000);
            while (answers < CONNECTIONS * TURNS) {
                check(selector.select(10_000) > 0, "it hangs after " + answers + " answers");
                for (var key : selector.selectedKeys()) {
                    if (key.isAcceptable()) {
                        for (SocketChannel got; (got = server.accept()) != null; )
                            got.configureBlocking(false).register(selector, SelectionKey.OP_READ);
                        continue;
                    }
                    var channel = (SocketChannel) key.channel();
                    buffer.clear();
                    if (key.isConnectable()) {
                        check(channel.finishConnect(), "connected");
                        key.interestOps(SelectionKey.OP_WRITE);
                    } else if (key.isWritable()) {
                        channel.write(buffer.putInt(((int[]) key.attachment())[0]).flip());
                        key.interestOps(SelectionKey.OP_READ);
                    } else if (key.attachment() == null) {
                        if (channel.read(buffer) < 0) channel.close();
                        else channel.write(buffer.flip());
                    } else {
                        check(channel.read(buffer) == 4, "a whole answer");
                        check(buffer.flip().getInt() == ((int[]) key.attachment())[0]++, "the right one");
                        answers++;
                        if (((int[]) key.attachment())[0] < TURNS) key.interestOps(SelectionKey.OP_WRITE);
                        else channel.close();
                    }
                }
                selector.selectedKeys().clear();
            }
            while (selector.keys().size() > 1) {
                check(selector.select(10_000) > 0, "the ends are seen");
                for (var key : selector.selectedKeys()) {
                    buffer.clear();
                    if (key.channel() instanceof SocketChannel channel && channel.read(buffer) < 0) channel.close();
                }
                selector.selectedKeys().clear();
                selector.selectNow();
                selector.selectedKeys().clear();
            }
            return answers;
        }
    }

    static int datagrams() throws Exception {
        try (var selector = Selector.open(); var server = DatagramChannel.open().bind(loopback());
                var client = DatagramChannel.open().bind(loopback())) {
            server.configureBlocking(false).register(selector, SelectionKey.OP_READ);
            var buffer = ByteBuffer.allocate(100);
            int answered = 0;
            for (int n = 0; n < 500; n++) {
                client.send(buffer.clear().putInt(n).flip(), server.getLocalAddress());
                check(selector.select(10_000) == 1, "a datagram");
                selector.selectedKeys().clear();
                server.send(buffer.clear().flip(), server.receive(buffer.clear()));
                client.receive(buffer.clear());
                answered++;
            }
            return answered;
        }
    }

    /** EPollPort: a set with EPOLLONESHOT that several threads wait on. */
    static int asynchronous() throws Exception {
        var pool = Executors.newFixedThreadPool(4);
        var group = AsynchronousChannelGroup.withThreadPool(pool);
        var server = AsynchronousServerSocketChannel.open(group).bind(loopback());
        var ends = new CountDownLatch(CONNECTIONS);
        server.accept(null, new CompletionHandler<AsynchronousSocketChannel, Void>() {
            public void completed(AsynchronousSocketChannel channel, Void none) {
                server.accept(null, this);
                echo(channel, ByteBuffer.allocate(1000), ends);
            }
            public void failed(Throwable error, Void none) { }
        });
        var answers = new AtomicInteger();
        var clients = new ArrayList<Future<?>>();
        var callers = Executors.newFixedThreadPool(8);
        for (int n = 0; n < CONNECTIONS; n++) {
            clients.add(callers.submit(() -> {
                try (var client = AsynchronousSocketChannel.open(group)) {
                    client.connect(server.getLocalAddress()).get(600, TimeUnit.SECONDS);
                    for (int turn = 0; turn < TURNS; turn++) {
                        client.write(ByteBuffer.allocate(4).putInt(turn).flip()).get(600, TimeUnit.SECONDS);
                        var buffer = ByteBuffer.allocate(4);
                        check(client.read(buffer).get(600, TimeUnit.SECONDS) == 4, "a whole answer");
                        check(buffer.flip().getInt() == turn, "the right one");
                        answers.incrementAndGet();
                    }
                }
                return null;
            }));
        }
        for (var client : clients) client.get();
        callers.shutdown();
        check(ends.await(600, TimeUnit.SECONDS), "the server sees the ends");
        group.shutdownNow();
        check(group.awaitTermination(600, TimeUnit.SECONDS), "the group ends");
        return answers.get();
    }

    static void echo(AsynchronousSocketChannel channel, ByteBuffer buffer, CountDownLatch ends) {
        channel.read(buffer, null, new CompletionHandler<Integer, Void>() {
            public void completed(Integer count, Void none) {
                try {
                    if (count < 0) {
                        channel.close();
                        ends.countDown();
                        return;
                    }
                    channel.write(buffer.flip(), null, new CompletionHandler<Integer, Void>() {
                        public void completed(Integer count, Void none) { echo(channel, buffer.clear(), ends); }
                        public void failed(Throwable error, Void none) { error.printStackTrace(); }
                    });
                } catch (IOException error) {
                    error.printStackTrace();
                }
            }
            public void failed(Throwable error, Void none) { error.printStackTrace(); }
        });
    }

    public static void main(String[] arguments) throws Exception {
        wakeups();
        registrations();
        try (var server = ServerSocketChannel.open().bind(loopback(), 200)) {
            System.out.println("tcp " + echoes(server));
        }
        var path = UnixDomainSocketAddress.of("unix-socket");
        try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(path, 200)) {
            System.out.println("unix " + echoes(server));
        }
        System.out.println("udp " + datagrams());
        System.out.println("asynchronous " + asynchronous());
        var process = new ProcessBuilder("sh", "-c", "read x; echo $x; exit 5").start();
        process.outputWriter().append("from java\n").close();
        System.out.print(process.inputReader().readLine() + " " + process.waitFor() + "\n");
        System.out.println("ok");
    }
}
