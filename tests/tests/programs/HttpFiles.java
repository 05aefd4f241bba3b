// The JDK's own HttpServer: a dispatcher with a Selector, and a pool of threads.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

public class HttpFiles {
    static final AtomicInteger errors = new AtomicInteger();

    static void answer(HttpExchange exchange, byte[] body) {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        } catch (IOException left) {
            // A load generator closes with its last requests unanswered.
        } catch (RuntimeException error) {
            error.printStackTrace();
            errors.incrementAndGet();
        }
    }

    public static void main(String[] arguments) throws Exception {
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0]));
        var server = HttpServer.create(address, 200);
        var pool = Executors.newFixedThreadPool(8);
        server.setExecutor(pool);
        server.createContext("/", exchange -> answer(exchange, "hello from a test\n".getBytes()));
        server.createContext("/echo", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            answer(exchange, body);
        });
        server.createContext("/stop", exchange -> {
            answer(exchange, "stopping\n".getBytes());
            new Thread(() -> {
                server.stop(0);
                pool.shutdown();
                System.out.println(errors + " errors");
            }).start();
        });
        server.start();
    }
}
