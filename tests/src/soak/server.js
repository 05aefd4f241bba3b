// A cluster of two workers that serves the files in html/: `node --expose-gc server.js PORT`.
//
// SIGHUP replaces one worker by another, gracefully; SIGUSR2 collects garbage in every process; SIGTERM ends the
// cluster.
"use strict";
const cluster = require("cluster");
const http = require("http");
const fs = require("fs");
const { exec } = require("child_process");

function work() {
  const pages = [0, 1, 2, 3, 4].map((n) => fs.readFileSync(`html/${n}`));
  let closing = false;
  const server = http.createServer((request, response) => {
    const give = (body) => {
      if (closing) response.setHeader("Connection", "close");
      response.setHeader("Content-Length", body.length);
      response.end(body);
    };
    const word = request.url.slice(1);
    if (word === "timer") setTimeout(() => give("timer"), 3);
    else if (word === "file") fs.readFile(__filename, () => give("file"));
    else if (word === "child") exec("echo child", (error, stdout) => give(error ? "failed" : stdout.trim()));
    else give(pages[Number(word)]);
  });
  server.keepAliveTimeout = 0;
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  server.timeout = 0;
  server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 1024 });
  process.on("message", (message) => {
    if (message === "gc") return global.gc();
    closing = true;
    // close() would close idle connections. node counts a connection as idle while its answer is still being written,
    // so it would cut such an answer.
    server.closeIdleConnections = () => {};
    cluster.worker.disconnect();
    process.send("closing");
  });
  process.on("SIGHUP", () => {});
  process.on("SIGUSR2", () => {});
}

if (cluster.isPrimary) {
  const old = [cluster.fork(), cluster.fork()];
  cluster.on("exit", (worker, code, signal) => {
    if (!worker.exitedAfterDisconnect) console.error(`a worker ended: ${code} ${signal}`);
  });
  process.on("SIGHUP", () => {
    const fresh = cluster.fork();
    fresh.once("listening", () => {
      const left = old.shift();
      left.once("message", () => console.log("replaced"));
      left.send("close");
      old.push(fresh);
    });
  });
  process.on("SIGUSR2", () => {
    global.gc();
    for (const worker of old) worker.send("gc");
  });
  process.on("SIGTERM", () => process.kill(0, "SIGKILL"));
} else {
  work();
}
