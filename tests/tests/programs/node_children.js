// Children of a libuv loop: pipes, messages, shared sockets, signals, many at the same time.
"use strict";
const assert = require("assert");
const net = require("net");
const { exec, execFileSync, fork, spawn } = require("child_process");
const { once } = require("events");

async function outputOf(child) {
  const parts = [];
  child.stdout.on("data", (part) => parts.push(part));
  const [code, signal] = await once(child, "close");
  return { text: Buffer.concat(parts).toString(), code, signal };
}

async function pipes() {
  const body = "glass".repeat(400_000);
  const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(body);
  const { text, code } = await outputOf(child);
  assert.strictEqual(text, body);
  assert.strictEqual(code, 0);
}

async function manyAtATime() {
  const codes = await Promise.all(Array.from({ length: 60 }, async (_, n) => {
    const child = spawn("sh", ["-c", `read x; echo $x; exit ${n}`]);
    child.stdin.end(`number ${n}\n`);
    const { text, code } = await outputOf(child);
    assert.strictEqual(text, `number ${n}\n`);
    return code;
  }));
  assert.deepStrictEqual(codes, Array.from({ length: 60 }, (_, n) => n));
}

function shell(command) {
  return new Promise((resolve) =>
    exec(command, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
}

// The child is this file again, with a loop and an IPC channel of its own.
async function messages() {
  const child = fork(__filename, ["child"]);
  let sum = 0;
  for (let n = 0; n < 500; n++) {
    child.send({ n });
    const [answer] = await once(child, "message");
    sum += answer.twice;
  }
  assert.strictEqual(sum, 499 * 500);
  child.disconnect();
  assert.deepStrictEqual(await once(child, "exit"), [0, null]);
}

// The children answer connections that the parent accepted and sent them.
async function sharedSockets() {
  const children = [fork(__filename, ["child"]), fork(__filename, ["child"])];
  let turn = 0;
  const server = net.createServer({ pauseOnConnect: true }, (socket) =>
    children[turn++ % 2].send("socket", socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const answers = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const socket = net.connect(server.address().port, "127.0.0.1");
    socket.end("from " + n);
    let text = "";
    socket.on("data", (part) => (text += part));
    await once(socket, "close");
    return text;
  }));
  answers.forEach((answer, n) => assert.strictEqual(answer, "child got from " + n));
  server.close();
  children.forEach((child) => child.disconnect());
  await Promise.all(children.map((child) => once(child, "exit")));
}

async function main() {
  await pipes();
  await manyAtATime();
  console.log(await shell("echo out; echo err >&2; exit 7"));
  await messages();
  await sharedSockets();
  const killed = spawn("sleep", ["60"]);
  killed.kill("SIGUSR1");
  console.log(await once(killed, "exit"));
  console.log(String(execFileSync("tr", ["a-z", "A-Z"], { input: "synchronous" })));
  console.log("ok");
}

function child() {
  process.on("message", (message, socket) => {
    if (message !== "socket") return process.send({ twice: 2 * message.n });
    let text = "";
    socket.on("data", (part) => (text += part));
    socket.on("end", () => socket.end("child got " + text));
    socket.resume();
  });
}

if (process.argv[2] === "child") child();
else main().catch((error) => { console.error(error); process.exit(1); });
