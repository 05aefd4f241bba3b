// Several event loops in one process: each worker serves, sends requests, and exchanges messages with the others.
"use strict";
const assert = require("assert");
const fs = require("fs");
const net = require("net");
const { once } = require("events");
const { Worker, MessageChannel, isMainThread, parentPort, workerData } = require("worker_threads");

async function echoes(port, count) {
  const results = await Promise.all(Array.from({ length: count }, async (_, n) => {
    const message = `${n};`.repeat(1 + n * 100);
    const socket = net.connect(port, "127.0.0.1");
    socket.end(message);
    let text = "";
    socket.on("data", (part) => (text += part));
    await once(socket, "close");
    return text === message;
  }));
  return results.filter((right) => right).length;
}

async function worker() {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  parentPort.postMessage(server.address().port);
  const [{ ports, next }] = await once(parentPort, "message");
  // Every worker sends requests to every other, reads a file in the thread pool, and keeps a timer.
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const right = await Promise.all(ports.map((port) => echoes(port, 20)));
  const own = await fs.promises.readFile(__filename, "utf8");
  // A token passes from loop to loop.
  let tokens = 0;
  await new Promise((resolve) => {
    next.from.on("message", (token) => {
      tokens++;
      next.to.postMessage(token - 1);
      if (token <= workerData.count) resolve();
    });
    if (workerData.number === 0) next.to.postMessage(workerData.count * 200);
  });
  while (ticks < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  parentPort.postMessage({ right, tokens, length: own.length });
  await once(parentPort, "message");
  server.close();
  parentPort.unref();
  next.from.close();
  next.to.close();
}

async function main() {
  const count = 4;
  const workers = Array.from({ length: count }, (_, number) =>
    new Worker(__filename, { workerData: { number, count } }));
  const ports = (await Promise.all(workers.map((worker) => once(worker, "message")))).flat();
  const channels = workers.map(() => new MessageChannel());
  const answers = workers.map((worker) => once(worker, "message"));
  workers.forEach((worker, n) => {
    const next = { to: channels[n].port1, from: channels[(n + count - 1) % count].port2 };
    worker.postMessage({ ports, next }, [next.to, next.from]);
  });
  for (const [answer] of await Promise.all(answers)) console.log(answer);
  const ends = workers.map((worker) => once(worker, "exit"));
  workers.forEach((worker) => worker.postMessage("end"));
  assert.deepStrictEqual((await Promise.all(ends)).flat(), [0, 0, 0, 0]);

  // Ends a loop while it sleeps, again and again.
  for (let n = 0; n < 20; n++) {
    const sleeper = new Worker("setInterval(() => {}, 1e6); require('worker_threads').parentPort.postMessage(0)",
      { eval: true });
    await once(sleeper, "message");
    assert.strictEqual(await sleeper.terminate(), 1);
  }
  console.log("ok");
}

(isMainThread ? main() : worker()).catch((error) => { console.error(error); process.exit(1); });
