// An HTTP server in a process of its own: SIGTERM stops it.
"use strict";
const http = require("http");

let errors = 0;
const server = http.createServer((request, response) => response.end("hello from a test\n"));
// A load generator closes by a reset, with its last requests unanswered.
server.on("clientError", (error) => { if (error.code !== "ECONNRESET") errors++; });
server.listen(Number(process.argv[2]), "127.0.0.1");
process.on("SIGTERM", () => {
  server.close(() => console.log(errors + " errors"));
  server.closeAllConnections();
});
