// TCP, unix and UDP sockets, a cluster of processes on one port, watched files.
"use strict";
const assert = require("assert");
const cluster = require("cluster");
const dgram = require("dgram");
const fs = require("fs");
const net = require("net");
const { once } = require("events");

async function read(socket) {
  const parts = [];
  socket.on("data", (part) => parts.push(part));
  await once(socket, "end");
  return Buffer.concat(parts);
}

// The data exceeds the buffers, and the sender closes its half before the answer comes.
async function halfClosed(where) {
  const server = net.createServer({ allowHalfOpen: true }, async (socket) => {
    const body = await read(socket);
    socket.end(body);
  });
  server.listen(where);
  await once(server, "listening");
  const address = where.path ? where : server.address();
  const sizes = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const body = Buffer.alloc(n * 100_000 + 1, "sock" + n);
    const socket = net.connect({ ...address, host: "127.0.0.1", allowHalfOpen: true });
    socket.end(body);
    const answer = await read(socket);
    assert(answer.equals(body));
    return answer.length;
  }));
  server.close();
  await once(server, "close");
  return sizes.reduce((a, b) => a + b);
}

async function refused() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  const [error] = await once(net.connect(port, "127.0.0.1"), "error").catch((error) => [error]);
  return error.code;
}

async function datagrams() {
  const server = dgram.createSocket("udp4");
  server.on("message", (message, from) => server.send(message, from.port, from.address));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const client = dgram.createSocket("udp4");
  let answered = 0;
  for (let n = 0; n < 1000; n++) {
    client.send("datagram " + n, server.address().port, "127.0.0.1");
    const [answer] = await once(client, "message");
    if (String(answer) === "datagram " + n) answered++;
  }
  client.close();
  server.close();
  return answered;
}

async function watched() {
  const watcher = fs.watch(".");
  const seen = new Set();
  const all = new Promise((resolve) => watcher.on("change", (type, name) => {
    seen.add(name);
    if (["one", "two", "three"].every((name) => seen.has(name))) resolve();
  }));
  fs.writeFileSync("one", "1");
  setTimeout(() => fs.renameSync("one", "two"), 50);
  setTimeout(() => fs.mkdirSync("three"), 100);
  await all;
  watcher.close();
  return [...seen].sort().join(" ");
}

// Workers that share one listening socket; the parent tells them to end.
async function clustered() {
  const workers = [cluster.fork(), cluster.fork()];
  const ports = (await Promise.all(workers.map((worker) => once(worker, "message")))).map(([port]) => port);
  assert.strictEqual(ports[0], ports[1]);
  const answers = await Promise.all(Array.from({ length: 200 }, async () => {
    const socket = net.connect(ports[0], "127.0.0.1");
    return String(await read(socket));
  }));
  workers.forEach((worker) => worker.disconnect());
  const codes = await Promise.all(workers.map((worker) => once(worker, "exit")));
  assert.deepStrictEqual(codes, [[0, null], [0, null]]);
  return answers.filter((answer) => /^worker [12]$/.test(answer)).length;
}

async function main() {
  console.log("tcp", await halfClosed({ port: 0, host: "127.0.0.1" }));
  console.log("unix", await halfClosed({ path: "./socket" }));
  console.log("refused", await refused());
  console.log("udp", await datagrams());
  console.log("watched", await watched());
  console.log("cluster", await clustered());
  console.log("ok");
}

function serve() {
  const server = net.createServer((socket) => socket.end("worker " + cluster.worker.id));
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
}

if (cluster.isPrimary) main().catch((error) => { console.error(error); process.exit(1); });
else serve();
