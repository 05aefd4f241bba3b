// A web server that computes one page in the thread that waits for all requests.
'use strict';
const http = require('http');

const server = http.createServer((request, response) => {
  if (request.url === '/report') {
    const end = Date.now() + 340;
    while (Date.now() < end);
  }
  response.end('done\n');
});

server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const get = (path) => new Promise((resolve, reject) => {
    http.get({ port, path, host: '127.0.0.1', agent: false }, (answer) => {
      answer.resume();
      answer.on('end', resolve);
    }).on('error', reject);
  });
  const rounds = Number(process.argv[2] ?? 3);
  for (let round = 0; round < rounds; round++) {
    await Promise.all([get('/'), get('/report'), get('/'), get('/')]);
  }
  server.close();
});
