// A Node server that tells what it was asked, with the parser that takes what the strict one refuses.
'use strict';
const fs = require('node:fs');
const http = require('node:http');

const note = (seen) => fs.appendFileSync(process.env.SEEN, `${JSON.stringify(seen)}\n`);

const server = http.createServer({ insecureHTTPParser: true, keepAliveTimeout: 75_000 }, (request, response) => {
  const seen = { method: request.method, target: request.url, body: '' };
  request.setEncoding('latin1');
  request.on('data', (text) => (seen.body += text));
  request.on('error', () => {});
  request.on('close', () => note({ ...seen, complete: request.complete }));
  request.on('end', () => response.end(JSON.stringify({ seen: `${request.method} ${request.url}` })));
});
server.on('clientError', (error, socket) => {
  // A connection that ends in the middle of a request is no request of another's.
  if (!['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'].includes(error.code)) note({ unreadable: error.code, bytes: String(error.rawPacket) });
  socket.destroy();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
