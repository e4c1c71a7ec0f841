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
const ports = { service: 0, carnet: 0, gateway: 0 };
let keys;

/** What the service got, the last request last. */
export const hits = [];

export async function start() {
  keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' };
  fs.writeFileSync(path.join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  fs.writeFileSync(path.join(folder, 'spiffe.json'), JSON.stringify({ keys: [{ ...jwk, alg: undefined, use: 'jwt-svid' }], spiffe_refresh_hint: 300 }));
  ports.service = await serve();
  ports.issuer = await issue(jwk);
  ports.carnet = await freePort();
  for (const [name, secret] of [['client.secret', 'the secret of the app'], ['bff.key', randomUUID() + randomUUID()]]) {
    fs.writeFileSync(path.join(folder, name), secret, { mode: 0o600 });
  }
  for (const place of ['carnet-unix', 'carnet']) {
    ports.gateway = await freePort();
    await startCarnet(place);
    await logIn(place);
  }
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
  const app = snippet('sessions.toml').replace('"https://auth.example.com"', `"http://127.0.0.1:${ports.issuer}"`).replace('bff.db', `${name}.db`);
  const settings = snippet('gateway.toml', ports.carnet)
    .replace('issuer = "https://auth.example.com"', '$&\njwks_file = "jwks.json"')
    .replace('dialects = ["nginx"]', 'dialects = ["nginx", "caddy", "haproxy", "envoy", "envoy-grpc"]')
    .concat('[[routes]]\npath = "/"\nhosts = ["admin.test"]\n', '[[routes]]\npath = "/live"\nwebsocket = true\npublic = true\n')
    .concat(`[[routes]]\npath = "/inner"\ncallers = ["${WORKLOAD}"]\n[spiffe]\naudience = "edge"\n`)
    .concat('trust_domains = [{ name = "example.org", bundle_file = "spiffe.json" }]\n')
    .concat('[headers]\nown_cookies = ["own"]\n', app, '[log]\nlevel = "error"\n');
  const atSocket = name === 'carnet-unix';
  const file = write(`${name}.toml`, atSocket ? settings.replace(`"127.0.0.1:${ports.carnet}"`, `"unix:${socket}"`) : settings);
  await launch(name, process.env.CARNET_BIN, ['gateway', '--config', file], atSocket ? socket : ports.carnet);
}

// How each is started with its snippet. What is around the snippets keeps the tests in their folder.
const COMMANDS = {
  nginx: (name) => nginx(name, snippet('nginx.conf', ports.nginx).replace(/^}\n$/m, `${snippet('nginx-sessions.conf')}}\n`)),
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
  return found[1].replace(/\b8080\b/g, port).replace(/\b8081\b/g, ports.gateway).replace(/\b8082\b/g, ports.carnet).replace(/\b3000\b/g, ports.service);
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
  // It takes up whatever is asked for, and then more could come.
  server.on('upgrade', (request, socket) => {
    hits.push({ method: request.method, url: request.url, headers: request.rawHeaders, body: '' });
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return server.address().port;
}

/** Who logs people in, and says yes to everybody. */
async function issue(jwk) {
  let url;
  const logins = new Map();
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const asked = new URL(request.url, url);
    const answer = (told) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(told));
    if (asked.pathname.startsWith('/.well-known/')) {
      return answer({
        issuer: url, authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token`, jwks_uri: `${url}/jwks`, userinfo_endpoint: `${url}/userinfo`,
        response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'],
        scopes_supported: ['openid'], claims_supported: ['sub'], grant_types_supported: ['authorization_code'], code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      });
    }
    if (asked.pathname === '/jwks') return answer({ keys: [jwk] });
    if (asked.pathname === '/authorize') {
      const code = randomUUID();
      logins.set(code, asked.searchParams.get('nonce'));
      const back = new URL(asked.searchParams.get('redirect_uri'));
      back.search = new URLSearchParams({ code, state: asked.searchParams.get('state'), iss: url });
      return response.writeHead(302, { Location: back.href }).end();
    }
    if (asked.pathname !== '/token') return response.writeHead(404).end();
    const nonce = logins.get(new URLSearchParams(body).get('code'));
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: url, aud: 'app', sub: 'user_1', sid: 'sid_1', nonce, iat: now, exp: now + 300 };
    return answer({ access_token: token(), token_type: 'Bearer', expires_in: 600, id_token: signed({ alg: 'ES256', typ: 'JWT', kid: 'k1' }, claims) });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  url = `http://127.0.0.1:${server.address().port}`;
  return server.address().port;
}

export const APP = 'app.example.com';
const sessions = {};

/** The cookie of somebody who is logged in at the Carnet that this proxy asks. */
export const session = (proxy) => sessions[proxy === 'nginx-unix' ? 'carnet-unix' : 'carnet'];

async function logIn(place) {
  const window = ['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'];
  const begun = await ask('gateway', '/bff/login?returnUrl=/app', [...window, 'Sec-Fetch-Site: none'], { host: APP });
  const pair = (answer) => answer.answered('Set-Cookie').split(';')[0];
  const back = new URL((await fetch(begun.answered('Location'), { redirect: 'manual' })).headers.get('Location'));
  const ended = await ask('gateway', back.pathname + back.search, [...window, 'Sec-Fetch-Site: cross-site', `Cookie: ${pair(begun)}`], { host: APP });
  const [cookie] = ended.answered('Set-Cookie').match(/__Host-Http-bff=[^;]+/) ?? [];
  if (!cookie) throw new Error(`nobody is logged in: ${ended.status}`);
  sessions[place] = cookie;
}

/** An access token of user_1, an editor who may read orders, with these claims as well. */
export function token(claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    iss: 'https://auth.example.com', aud: 'https://api.example.com', sub: 'user_1', client_id: 'web', jti: randomUUID(),
    iat: now, exp: now + 600, scope: 'read:orders', roles: ['editor', 'reviewer'],
  };
  return signed({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' }, { ...usual, ...claims });
}

export const WORKLOAD = 'spiffe://example.org/orders';

/** The JWT-SVID of a workload that may call. */
export function svid() {
  const now = Math.floor(Date.now() / 1000);
  return signed({ alg: 'ES256', typ: 'JWT', kid: 'k1' }, { sub: WORKLOAD, aud: ['edge'], iat: now, exp: now + 300 });
}

function signed(head, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(head)}.${part(claims)}`;
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
