'use strict';
// What `python3 -m http.server` does for an example, on a free port, with the addresses in its index.html replaced.
const fs = require('node:fs/promises');
const http = require('node:http');
const path = require('node:path');

const TYPES = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript' };

/** Serves the files of a folder; `addresses` says what stands for what in its page. */
async function serve(folder, addresses) {
  const names = await fs.readdir(folder);
  const listener = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const name = pathname === '/' ? 'index.html' : pathname.slice(1);
    if (!names.includes(name)) return response.writeHead(404).end();
    let text = await fs.readFile(path.join(folder, name), 'utf8');
    if (name === 'index.html') for (const [from, to] of Object.entries(addresses())) text = text.replaceAll(from, to);
    return response.writeHead(200, { 'content-type': TYPES[path.extname(name)] }).end(text);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${listener.address().port}`, close: () => listener.close() };
}

module.exports = { serve };
