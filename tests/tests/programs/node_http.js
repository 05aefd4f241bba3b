// An HTTP server and its clients in one libuv loop, a file, a child, timers.
"use strict";
const assert = require("assert");
const http = require("http");
const fs = require("fs");
const { execFile } = require("child_process");

const body = Buffer.alloc(2_000_000, "glass");
const server = http.createServer((request, response) => {
  if (request.method === "POST") request.pipe(response);
  else response.end("hello " + request.url);
});

function ask(agent, options, payload) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port: server.address().port, host: "127.0.0.1", ...options });
    request.on("error", reject);
    request.on("response", (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve(Buffer.concat(parts)));
    });
    request.end(payload);
  });
}

async function main() {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (const keepAlive of [true, false]) {
    const agent = new http.Agent({ keepAlive, maxSockets: 50 });
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => ask(agent, { path: "/" + n })));
    answers.forEach((answer, n) => assert.strictEqual(String(answer), "hello /" + n));
    const echoed = await ask(agent, { method: "POST" }, body);
    assert(echoed.equals(body));
    agent.destroy();
  }
  server.close();

  const own = await fs.promises.readFile(__filename, "utf8");
  assert(own.includes("libuv"));
  const out = await new Promise((resolve, reject) =>
    execFile("echo", ["from a child"], (error, stdout) => error ? reject(error) : resolve(stdout)));
  assert.strictEqual(out, "from a child\n");

  const begin = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const waited = Number(process.hrtime.bigint() - begin) / 1e6;
  assert(waited > 195 && waited < 2000, "waited " + waited);
  console.log("ok");
}

main().catch((error) => { console.error(error); process.exit(1); });
