// A service that tells what it got, Carnet, and the proxies between clients and the service, each as docs/forward-auth.md configures it.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

export const PROXIES = ['nginx', 'nginx-unix', 'caddy', 'haproxy', 'envoy-http', 'envoy-grpc'];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnet-forward-auth-'));
const page = fs.readFileSync(new URL('../../docs/forward-auth.md', import.meta.url), 'utf8');
const running = [];
const ports = { service: 0, carnet: 0 };
let keys;

/** What the service got, the last request last. */
export const hits = [];

export async function start() {
  keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' };
  fs.writeFileSync(path.join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  ports.service = await serve();
  ports.carnet = await freePort();
  for (const place of ['carnet', 'carnet-unix']) await startCarnet(place);
  for (const name of PROXIES) {
    ports[name] = await freePort();
    await launch(name, ...COMMANDS[name](name), ports[name]);
  }
}

export async function stop() {
  const left = running.filter((child) => child.exitCode === null && child.signalCode === null);
  // nginx, killed, would leave its worker behind.
  for (const child of left) child.kill('SIGTERM');
  const late = setTimeout(() => left.forEach((child) => child.kill('SIGKILL')), 5000);
  await Promise.all(left.filter((child) => child.exitCode === null).map((child) => once(child, 'exit')));
  clearTimeout(late);
  fs.rmSync(folder, { recursive: true, force: true });
}

export async function stopCarnet() {
  for (const carnet of running.slice(0, 2)) {
    carnet.kill('SIGKILL');
    if (carnet.exitCode === null && carnet.signalCode === null) await once(carnet, 'exit');
  }
}

/** One at a port, and one at a socket. */
async function startCarnet(name) {
  const socket = path.join(folder, 'forward-auth.socket');
  const settings = snippet('gateway.toml', ports.carnet)
    .replace('issuer = "https://auth.example.com"', '$&\njwks_file = "jwks.json"')
    .replace('dialects = ["nginx"]', 'dialects = ["nginx", "caddy", "haproxy", "envoy", "envoy-grpc"]')
    .concat('[[routes]]\npath = "/"\nhosts = ["admin.test"]\n', '[listen]\naddress = "127.0.0.1:0"\n', '[log]\nlevel = "error"\n');
  const atSocket = name === 'carnet-unix';
  const file = write(`${name}.toml`, atSocket ? settings.replace(`"127.0.0.1:${ports.carnet}"`, `"unix:${socket}"`) : settings);
  await launch(name, process.env.CARNET_BIN, ['gateway', '--config', file], atSocket ? socket : ports.carnet);
}

// How each is started with its snippet. What is around the snippets keeps the tests in their folder.
const COMMANDS = {
  nginx: (name) => nginx(name, snippet('nginx.conf', ports.nginx)),
  'nginx-unix': (name) => {
    const pass = snippet('nginx-unix.conf', 0).replace('/run/carnet', folder);
    const asks = /^ *proxy_pass .*\/forward-auth\/nginx;\n/m;
    const settings = snippet('nginx.conf', ports['nginx-unix']);
    if (!asks.test(settings)) throw new Error('nginx does not ask');
    return nginx(name, settings.replace(asks, pass));
  },
  caddy: () => {
    const file = write('Caddyfile', `{\n  admin off\n  log {\n    level FATAL\n  }\n}\n${snippet('Caddyfile', ports.caddy)}`);
    return ['caddy', ['run', '--config', file, '--adapter', 'caddyfile']];
  },
  haproxy: () => {
    write('forward_auth.lua', snippet('forward_auth.lua', 0));
    const file = write('haproxy.cfg', snippet('haproxy.cfg', ports.haproxy).replace('/etc/haproxy', folder));
    return ['haproxy', ['-db', '-q', '-f', file]];
  },
  'envoy-http': envoy,
  'envoy-grpc': envoy,
};

function nginx(name, settings) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`);
  // Started by root, its workers would be nobody's, and not of the socket's group.
  const user = process.getuid() === 0 ? 'user root;' : '';
  const around = `daemon off; ${user} worker_processes 1; pid ${folder}/${name}.pid; error_log stderr crit; events {} http { access_log off; ${temporary.join(' ')}\n`;
  return ['nginx', ['-p', folder, '-e', 'stderr', '-c', write(`${name}.conf`, `${around}${settings}}\n`)]];
}

function envoy(name) {
  const file = write(`${name}.yaml`, snippet(`${name}.yaml`, ports[name]));
  return [process.env.ENVOY, ['-c', file, '--concurrency', '1', '--log-level', 'critical', '--use-dynamic-base-id', '--disable-hot-restart']];
}

/** A configuration as the page has it, but for the ports. */
function snippet(name, port) {
  const found = page.match(new RegExp(`^\`\`\`\\S+ ${name.replaceAll('.', '\\.')}\n(.*?)^\`\`\`$`, 'ms'));
  if (!found) throw new Error(`docs/forward-auth.md has no ${name}`);
  return found[1].replace(/\b8080\b/g, port).replace(/\b8082\b/g, ports.carnet).replace(/\b3000\b/g, ports.service);
}

function write(name, text) {
  fs.writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
}

async function launch(name, command, words, port) {
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (name.startsWith('carnet')) running.unshift(child);
  else running.push(child);
  for (let left = 400; left > 0; left--) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} does not listen`);
}

/** Whether something listens at a port, or at a socket. */
const answers = (place) =>
  new Promise((resolve) => {
    const socket = net.connect(typeof place === 'string' ? { path: place } : { port: place, host: '127.0.0.1' }, () => resolve(true) || socket.destroy());
    socket.on('error', () => resolve(false));
  });

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function serve() {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    hits.push({ method: request.method, url: request.url, headers: request.rawHeaders, body });
    response.end('served');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return server.address().port;
}

/** An access token of user_1, an editor who may read orders, with these claims as well. */
export function token(claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    iss: 'https://auth.example.com', aud: 'https://api.example.com', sub: 'user_1', client_id: 'web', jti: randomUUID(),
    iat: now, exp: now + 600, scope: 'read:orders', roles: ['editor', 'reviewer'],
  };
  const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' })}.${part({ ...usual, ...claims })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** Sends a request byte by byte as it stands, and says what came back and what the service saw of it. */
export async function ask(proxy, target, headers = [], { method = 'GET', host = 'api.test', connection = 'close', body = '' } = {}) {
  const before = hits.length;
  const length = body ? [`Content-Length: ${body.length}`] : [];
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, `Connection: ${connection}`, ...length, ...headers];
  const socket = net.connect(ports[proxy], '127.0.0.1');
  socket.setTimeout(10_000, () => socket.destroy(new Error(`${proxy} does not answer`)));
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += chunk;
  const [lines] = text.split('\r\n\r\n');
  const status = Number(lines.split(' ')[1]);
  const answered = (name) => [...lines.matchAll(new RegExp(`^${name}: (.*)$`, 'gim'))].map((line) => line[1].trim()).join(', ');
  const seen = hits.slice(before);
  return { status, answered, seen, told: (name) => seen.flatMap((hit) => folded(hit.headers, name)) };
}

/** The values under every name that a CGI server makes one variable of (RFC 3875 §4.1.18). */
function folded(headers, name) {
  const variable = (text) => text.toLowerCase().replace(/[^a-z0-9]/g, '_');
  return headers.filter((_, at) => at % 2 === 1 && variable(headers[at - 1]) === variable(name));
}
